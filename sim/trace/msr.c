/* SPDX-License-Identifier: Apache-2.0 */
/* MSR Cambridge block traces:
 *
 *   Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
 *
 * Times are Windows FILETIME (100 ns since 1601), offset and size bytes. Some copies have the
 * header line. Source of the layout: the trace set's own README (SNIA IOTTA 388). */
#include "formats.h"
#include "text.h"

#define FIRST_RESPONSE_NS 100000u

/* Ticks of 100 ns; copies that went through a spreadsheet have decimals and exponents. */
static bool ticks(const struct field *field, uint64_t *ns)
{
    return field_scaled(field, 2, ns);
}

/* Responses that are empty or negative (the clock was set) are taken to be the last one. */
static bool response(struct row_state *state, struct field field, uint64_t *ns)
{
    bool negative = field.length > 1 && *field.at == '-';

    if (negative)
        field = (struct field){field.at + 1, field.length - 1};
    *ns = state->last;
    if (!field.length)
        return true;
    if (negative)
        return ticks(&field, &(uint64_t){0});
    if (!ticks(&field, ns))
        return false;
    state->last = *ns;
    return true;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[7];
    uint64_t number;
    size_t n = fields_split(c, ',', f, 7);

    if (state->line == 0)
        state->last = FIRST_RESPONSE_NS;
    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (n == 7 && field_is(&f[0], "Timestamp")) /* of a further file, too */
        return ROW_NOTE;
    if (n != 7 || !ticks(&f[0], &row->time_ns) || !field_decimal(&f[2], &number) ||
        !field_decimal(&f[4], &row->offset) || !field_decimal(&f[5], &row->size) ||
        !response(state, f[6], &row->response_ns))
        return ROW_BAD;
    row->device = f[1].at; /* "Hostname,DiskNumber" */
    row->device_length = (size_t)(f[2].at + f[2].length - f[1].at);
    if (field_is(&f[3], "Read"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[3], "Write"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return ROW_BAD;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of an MSR Cambridge trace",
    .wanted = "Timestamp,Hostname,DiskNumber,Read|Write,Offset,Size,ResponseTime was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 70);
}

const struct bounce_format_ops format_msr = TEXT_FORMAT(detect, lines);
