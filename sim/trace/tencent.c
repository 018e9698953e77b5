/* SPDX-License-Identifier: Apache-2.0 */
/* Tencent's cloud block storage traces:
 *
 *   Timestamp,Offset,Size,IOType,VolumeID
 *
 * Times in seconds, offset and size in sectors, type 0 read, 1 write. Source of the layout: the
 * description of SNIA IOTTA 27917; no file of the set was at hand. */
#include "formats.h"
#include "text.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[5];
    uint64_t volume;
    size_t n = fields_split(c, ',', f, 5);

    (void)state;
    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (n == 5 && field_is(&f[0], "Timestamp")) /* of a further file, too */
        return ROW_NOTE;
    if (n != 5 || !field_scaled(&f[0], 9, &row->time_ns) || !field_sectors(&f[1], &row->offset) ||
        !field_sectors(&f[2], &row->size) || !field_decimal(&f[4], &volume))
        return ROW_BAD;
    row->device = f[4].at;
    row->device_length = f[4].length;
    if (field_is(&f[3], "0"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[3], "1"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return ROW_BAD;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of a Tencent block trace",
    .wanted = "Timestamp,Offset,Size,0|1,VolumeID was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 50);
}

const struct bounce_format_ops format_tencent = TEXT_FORMAT(detect, lines);
