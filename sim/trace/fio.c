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

#define NS_PER_ACTION 1000u /* version 2 has no times but those of `wait` */

static bool is_file_action(const struct field *action)
{
    return field_is(action, "add") || field_is(action, "open") || field_is(action, "close");
}

static enum row_result parse_action(struct row_state *state, const struct field *fields, size_t n,
                                    bool timed, struct row *row)
{
    const struct field *action = &fields[1];

    if (n == 2 && is_file_action(action))
        return ROW_OTHER;
    if (n != 4 || !field_decimal(&fields[2], &row->offset) ||
        !field_decimal(&fields[3], &row->size))
        return ROW_BAD;
    row->device = fields[0].at;
    row->device_length = fields[0].length;
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

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field fields[5];
    size_t n;
    bool timed;

    if (state->line == 0) {
        if (!SCAN_LITERAL(&c, "fio version ") || !scan_decimal(&c, &state->last) ||
            (state->last != 2 && state->last != 3) || !SCAN_LITERAL(&c, " iolog"))
            return ROW_BAD;
        state->untimed = state->last == 2;
        return ROW_NOTE;
    }
    timed = state->last == 3;
    n = fields_split(c, BLANKS, fields, 5);
    if (n == 0)
        return ROW_NOTE;
    if (!timed) {
        row->time_ns = state->clock_ns;
        if (n < 2)
            return ROW_BAD;
        if (!is_file_action(&fields[1]) && !field_is(&fields[1], "wait"))
            state->clock_ns += NS_PER_ACTION;
        return parse_action(state, fields, n, false, row);
    }
    if (n < 3 || n > 5 || !field_scaled(&fields[0], 3, &row->time_ns))
        return ROW_BAD;
    return parse_action(state, fields + 1, n - 1, true, row);
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
