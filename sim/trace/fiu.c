/* SPDX-License-Identifier: Apache-2.0 */
/* FIU's block traces: "NANOSECONDS PID PROCESS LBA SECTORS R|W MAJOR MINOR MD5". Source of the
 * layout: the description of SNIA IOTTA 390; no file of the set was at hand. */
#include "formats.h"
#include "text.h"

#define WORDS_MAX 17u /* of them 8 in the name of a process: it has 15 characters at most */

static bool is_op(const struct field *field)
{
    return field_is(field, "R") || field_is(field, "W");
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[WORDS_MAX];
    uint64_t number;
    size_t n = fields_split(c, BLANKS, f, WORDS_MAX), op;

    (void)state;
    if (n == 0 || *f[0].at == '#')
        return ROW_NOTE;
    if (n < 8 || n > WORDS_MAX)
        return ROW_BAD;
    op = is_op(&f[n - 4]) ? n - 4 : n - 3; /* the MD5 may be missing */
    if (op < 5 || !is_op(&f[op]) || !field_scaled(&f[0], 0, &row->time_ns) ||
        !field_decimal(&f[1], &number) || !field_sectors(&f[op - 2], &row->offset) ||
        !field_sectors(&f[op - 1], &row->size) || !field_decimal(&f[op + 1], &number) ||
        !field_decimal(&f[op + 2], &number))
        return ROW_BAD;
    row->device = f[op + 1].at; /* "MAJOR MINOR" */
    row->device_length = (size_t)(f[op + 2].at + f[op + 2].length - row->device);
    row->dir = field_is(&f[op], "R") ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of an FIU trace",
    .wanted = "NANOSECONDS PID PROCESS LBA SECTORS R|W MAJOR MINOR MD5 was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 60);
}

const struct bounce_format_ops format_fiu = TEXT_FORMAT(detect, lines);
