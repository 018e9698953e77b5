/* SPDX-License-Identifier: Apache-2.0 */
/* FIU's block traces: "NANOSECONDS PID PROCESS LBA SECTORS R|W MAJOR MINOR MD5". Source of the
 * layout: the description of SNIA IOTTA 390; no file of the set was at hand. */
#include "formats.h"
#include "text.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[9];
    uint64_t number;
    size_t n = fields_split(c, BLANKS, f, 9);

    (void)state;
    if (n == 0)
        return ROW_NOTE;
    if (n < 8 || n > 9 || !field_scaled(&f[0], 0, &row->time_ns) ||
        !field_decimal(&f[1], &number) || !field_sectors(&f[3], &row->offset) ||
        !field_sectors(&f[4], &row->size) || !field_decimal(&f[6], &number) ||
        !field_decimal(&f[7], &number))
        return ROW_BAD;
    row->device = f[6].at; /* "MAJOR MINOR" */
    row->device_length = (size_t)(f[7].at + f[7].length - f[6].at);
    if (field_is(&f[5], "R"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[5], "W"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return ROW_BAD;
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
