/* SPDX-License-Identifier: Apache-2.0 */
/* fio's I/O logs (write_iolog), versions 2 and 3:
 *
 *   fio version 2 iolog             fio version 3 iolog
 *   FILE ACTION OFFSET LENGTH       MICROSECONDS FILE ACTION OFFSET LENGTH
 *   FILE add|open|close             MICROSECONDS FILE add|open|close
 *   FILE wait MICROSECONDS 0
 *
 * Only the order and the time of issue are known. Source of the layout: HOWTO.rst of fio 3.36. */
#include "formats.h"
#include "text.h"

#define WORDS_MAX     32u
#define NS_PER_ACTION 1000u /* version 2 has no times but those of `wait` */

static bool is_file_action(const struct field *action)
{
    return field_is(action, "add") || field_is(action, "open") || field_is(action, "close");
}

/* What stands before the action: fio writes blanks in a name as they are. With a number in front it
 * is a line of another version. */
static bool is_name(const struct field *words, size_t n)
{
    uint64_t number;

    return n == 1 || !field_decimal(&words[0], &number);
}

static enum row_result parse_action(struct row_state *state, const struct field *fields, size_t n,
                                    bool timed, struct row *row)
{
    const struct field *action;

    if (is_file_action(&fields[n - 1]) && is_name(fields, n - 1))
        return ROW_OTHER;
    if (n < 4 || !is_name(fields, n - 3) || !field_decimal(&fields[n - 2], &row->offset) ||
        !field_decimal(&fields[n - 1], &row->size))
        return ROW_BAD;
    action = &fields[n - 3];
    row->device = fields[0].at;
    row->device_length = (size_t)(action[-1].at + action[-1].length - row->device);
    if (field_is(action, "read") || field_is(action, "write")) {
        row->dir = field_is(action, "read") ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
        return ROW_EVENT;
    }
    if (field_is(action, "wait") && !timed) {
        if (row->offset > UINT32_MAX)
            return ROW_BAD;
        state->clock_ns += row->offset * 1000;
        return ROW_OTHER;
    }
    return field_is(action, "trim") || field_is(action, "sync") || field_is(action, "datasync")
               ? ROW_OTHER
               : ROW_BAD;
}

static enum row_result read_version(struct row_state *state, struct cursor c)
{
    uint64_t version;

    if (!scan_decimal(&c, &version) || (version != 2 && version != 3) ||
        !SCAN_LITERAL(&c, " iolog") || (state->has_header && version != state->last))
        return ROW_BAD;
    state->has_header = true;
    state->last = version;
    state->untimed = version == 2;
    return ROW_NOTE;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field fields[WORDS_MAX];
    size_t n, at;
    bool timed;

    if (SCAN_LITERAL(&c, "fio version ")) /* of a further file, too */
        return read_version(state, c);
    if (!state->has_header)
        return ROW_BAD;
    timed = state->last == 3;
    at = timed ? 1 : 0; /* where the name begins */
    n = fields_split(c, BLANKS, fields, WORDS_MAX);
    if (n == 0 || *fields[0].at == '#')
        return ROW_NOTE;
    if (n < at + 2 || n > WORDS_MAX)
        return ROW_BAD;
    if (timed && !field_scaled(&fields[0], 3, &row->time_ns))
        return ROW_BAD;
    if (!timed) {
        row->time_ns = state->clock_ns;
        if (!is_file_action(&fields[n - 1]) && (n < 3 || !field_is(&fields[n - 3], "wait")))
            state->clock_ns += NS_PER_ACTION;
    }
    return parse_action(state, fields + at, n - at, timed, row);
}

static const struct line_format lines = {
    .what = "not a line of a fio iolog",
    .wanted =
        "`fio version 2 iolog` or `fio version 3 iolog`, then FILE ACTION [OFFSET LENGTH], with "
        "MICROSECONDS before them in version 3, was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};

    return SCAN_LITERAL(&c, "fio version ") ? 95 : 0;
}

const struct bounce_format_ops format_fio = TEXT_FORMAT(detect, lines);
