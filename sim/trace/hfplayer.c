/* SPDX-License-Identifier: Apache-2.0 */
/* hfplayer's typed CSV: a header line "#NAME.TYPE,...", of which ELAPSED_USECS, CMD, LBA and NBLKS
 * (512-byte sectors) are needed and LATENCY_USECS and LUN_SSID used. CMD is RD_IN or WR_IN when a
 * request starts, RD_OUT or WR_OUT when it ends; with a latency the starts alone tell all. Source
 * of the layout: the README of NetApp's hfplayer. */
#include "formats.h"
#include "text.h"

enum column { UNUSED, TIME, COMMAND, LBA, BLOCKS, LATENCY, LUN };

static bool read_header(struct row_state *state, const struct field *f, size_t n)
{
    static const char *const names[] = {
        [TIME] = "ELAPSED_USECS.D", [COMMAND] = "CMD.S",           [LBA] = "LBA.I",
        [BLOCKS] = "NBLKS.I",       [LATENCY] = "LATENCY_USECS.D", [LUN] = "LUN_SSID.I",
    };
    unsigned seen = 0;

    for (size_t i = 0; i < n; i++) {
        state->columns[i] = UNUSED;
        for (int known = TIME; known <= LUN; known++)
            if (field_is(&f[i], names[known])) {
                state->columns[i] = (uint8_t)known;
                seen |= 1u << known;
            }
    }
    state->ncolumns = (uint8_t)n;
    state->has_header = (seen & 0x1e) == 0x1e; /* all that are needed */
    return state->has_header;
}

static bool read_column(uint8_t column, const struct field *f, struct row *row,
                        const struct field **command)
{
    switch ((enum column)column) {
    case TIME:
        return field_scaled(f, 3, &row->time_ns);
    case COMMAND:
        *command = f;
        return true;
    case LBA:
        return field_sectors(f, &row->offset);
    case BLOCKS:
        return field_sectors(f, &row->size);
    case LATENCY:
        return !f->length || field_scaled(f, 3, &row->response_ns);
    case LUN:
        row->device = f->at;
        row->device_length = f->length;
        return true;
    case UNUSED:
        break;
    }
    return true;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[COLUMNS_MAX];
    const struct field *command = NULL;
    size_t n;

    if (scan_at_end(&c))
        return ROW_NOTE;
    if (scan_char(&c, '#')) {
        if (state->has_header)
            return ROW_NOTE;
        n = fields_split(c, ',', f, COLUMNS_MAX);
        return n <= COLUMNS_MAX && read_header(state, f, n) ? ROW_NOTE : ROW_BAD;
    }
    n = fields_split(c, ',', f, COLUMNS_MAX);
    if (!state->has_header || n != state->ncolumns)
        return ROW_BAD;
    for (size_t i = 0; i < n; i++)
        if (!read_column(state->columns[i], &f[i], row, &command))
            return ROW_BAD;
    if (!command || command->length < 5 || command->at[2] != '_')
        return ROW_OTHER;
    row->key = records_key(row->offset, row->size);
    if (row->response_ns == 0)
        row->response_ns = NO_RESPONSE; /* not known when the row was written */
    if (field_is(command, "RD_IN") || field_is(command, "WR_IN")) {
        row->dir = field_is(command, "RD_IN") ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
        return ROW_EVENT;
    }
    if (!field_is(command, "RD_OUT") && !field_is(command, "WR_OUT"))
        return ROW_OTHER;
    row->kind = BOUNCE_EVENT_COMPLETE;
    row->quiet = true; /* its start may have told when this comes */
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of hfplayer's CSV",
    .wanted =
        "a header #NAME.TYPE,... with ELAPSED_USECS.D, CMD.S, LBA.I and NBLKS.I, then rows of as "
        "many fields, was expected",
    .parse = parse,
    .device = "lun",
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 90);
}

const struct bounce_format_ops format_hfplayer = TEXT_FORMAT(detect, lines);
