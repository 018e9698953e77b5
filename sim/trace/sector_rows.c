/* SPDX-License-Identifier: Apache-2.0 */
#include "sector_rows.h"

enum row_result sector_row(struct cursor line, unsigned digits, bool *fraction, struct row *row)
{
    struct field f[5];
    uint64_t number;
    size_t n = fields_split(line, BLANKS, f, 5);

    if (n == 0 || (n && f[0].at[0] == '#'))
        return ROW_NOTE;
    if (n != 5 || !field_scaled(&f[0], digits, &row->time_ns) || !field_decimal(&f[1], &number) ||
        !field_sectors(&f[2], &row->offset) || !field_sectors(&f[3], &row->size) ||
        !field_hex(&f[4], &number)) /* as DiskSim reads them; the lowest bit is the same */
        return ROW_BAD;
    *fraction = memchr(f[0].at, '.', f[0].length) != NULL;
    row->device = f[1].at;
    row->device_length = f[1].length;
    row->dir = number & 1 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
    return ROW_EVENT;
}
