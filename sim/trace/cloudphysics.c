/* SPDX-License-Identifier: Apache-2.0 */
/* CloudPhysics traces as libCacheSim writes them: a header line "version,time,op,size,lbn" and rows
 * of them. Times in seconds (whole ones in the files seen), op the SCSI operation code in
 * hexadecimal, size in bytes, lbn in sectors of 512 bytes. Source of the layout: the data folder of
 * libCacheSim. */
#include "formats.h"
#include "text.h"

enum { VERSION, TIME, OP, SIZE, LBN, COLUMNS };

static const char *const names[COLUMNS] = {"version", "time", "op", "size", "lbn"};

static bool is_header(const struct field *f, size_t n)
{
    if (n != COLUMNS)
        return false;
    for (size_t i = 0; i < COLUMNS; i++)
        if (!field_is(&f[i], names[i]))
            return false;
    return true;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[COLUMNS];
    uint64_t version, op;
    size_t n = fields_split(c, ',', f, COLUMNS);

    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (is_header(f, n)) {
        state->has_header = true; /* of a further file, too */
        return ROW_NOTE;
    }
    if (!state->has_header || n != COLUMNS || !field_decimal(&f[VERSION], &version) ||
        !field_scaled(&f[TIME], 9, &row->time_ns) || !field_hex(&f[OP], &op) ||
        !field_decimal(&f[SIZE], &row->size) || !field_sectors(&f[LBN], &row->offset))
        return ROW_BAD;
    switch (op) {
    case 0x08:
    case 0x28:
    case 0x88:
    case 0xa8:
        row->dir = BOUNCE_FROM_DEVICE;
        return ROW_EVENT;
    case 0x0a:
    case 0x2a:
    case 0x8a:
    case 0xaa:
        row->dir = BOUNCE_TO_DEVICE;
        return ROW_EVENT;
    default:
        return ROW_OTHER; /* moves no data that a driver would map */
    }
}

static const struct line_format lines = {
    .what = "not a row of a CloudPhysics CSV",
    .wanted = "version,time,op,size,lbn, first as a header, was expected",
    .parse = parse,
    .device = "vscsi",
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 80);
}

const struct bounce_format_ops format_cloudphysics = TEXT_FORMAT(detect, lines);
