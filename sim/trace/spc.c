/* SPDX-License-Identifier: Apache-2.0 */
/* Storage Performance Council traces:
 *
 *   ASU,LBA,Size,Opcode,Timestamp[,more]
 *
 * LBA in blocks of 512 bytes, size in bytes, time in seconds. Source of the layout: SPC trace file
 * format specification, revision 1.0.1. */
#include "formats.h"
#include "text.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[5];
    uint64_t asu;
    size_t n = fields_split(c, ',', f, 5);

    (void)state;
    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (n >= 5 && field_is(&f[0], "ASU")) /* of a further file, too */
        return ROW_NOTE;
    if (n < 5 || !field_decimal(&f[0], &asu) || !field_sectors(&f[1], &row->offset) ||
        !field_decimal(&f[2], &row->size) || !field_scaled(&f[4], 9, &row->time_ns))
        return ROW_BAD;
    row->device = f[0].at;
    row->device_length = f[0].length;
    if (field_is(&f[3], "R"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[3], "W"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return ROW_BAD;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of an SPC trace",
    .wanted = "ASU,LBA,Size,R|W,Timestamp was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 60);
}

const struct bounce_format_ops format_spc = TEXT_FORMAT(detect, lines);
