/* SPDX-License-Identifier: Apache-2.0 */
/* Alibaba's block traces of 2020:
 *
 *   device_id,opcode,offset,length,timestamp
 *
 * Offset and length in bytes, time in microseconds. Source of the layout: the README of
 * alibaba/block-traces; no file of the set was at hand. */
#include "formats.h"
#include "text.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[5];
    uint64_t device;
    size_t n = fields_split(c, ',', f, 5);

    (void)state;
    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (n == 5 && field_is(&f[0], "device_id")) /* of a further file, too */
        return ROW_NOTE;
    if (n != 5 || !field_decimal(&f[0], &device) || !field_decimal(&f[2], &row->offset) ||
        !field_decimal(&f[3], &row->size) || !field_scaled(&f[4], 3, &row->time_ns))
        return ROW_BAD;
    row->device = f[0].at;
    row->device_length = f[0].length;
    if (field_is(&f[1], "R"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[1], "W"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return ROW_BAD;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of an Alibaba block trace",
    .wanted = "device_id,R|W,offset,length,timestamp was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 60);
}

const struct bounce_format_ops format_alibaba = TEXT_FORMAT(detect, lines);
