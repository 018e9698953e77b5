/* SPDX-License-Identifier: Apache-2.0 */
/* Systor '17 traces of virtual desktops:
 *
 *   Timestamp,Response,IOType,LUN,Offset,Size     header line, which pieces of files lack
 *
 * Times in seconds, offset and size in bytes. The response and the type may be missing: then the
 * last response stands in, and a row without a type counts as another event. Source of the layout:
 * the description of SNIA IOTTA 4964; no file of the set was at hand. */
#include "formats.h"
#include "text.h"

#define FIRST_RESPONSE_NS 100000u

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[6];
    size_t n = fields_split(c, ',', f, 6);

    if (state->line == 0)
        state->last = FIRST_RESPONSE_NS;
    if (field_begins_note(&f[0], n))
        return ROW_NOTE;
    if (n == 6 && field_is(&f[0], "Timestamp") && field_is(&f[1], "Response"))
        return ROW_NOTE; /* of a further file, too */
    if (n != 6 || !field_scaled(&f[0], 9, &row->time_ns) ||
        (f[1].length && !field_scaled(&f[1], 9, &state->last)) ||
        !field_decimal(&f[4], &row->offset) || !field_decimal(&f[5], &row->size))
        return ROW_BAD;
    row->response_ns = state->last;
    row->device = f[3].at;
    row->device_length = f[3].length;
    if (field_is(&f[2], "R"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(&f[2], "W"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return f[2].length ? ROW_BAD : ROW_OTHER;
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a row of a Systor '17 trace",
    .wanted = "Timestamp,Response,IOType,LUN,Offset,Size was expected",
    .parse = parse,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 80);
}

const struct bounce_format_ops format_systor = TEXT_FORMAT(detect, lines);
