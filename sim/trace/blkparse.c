/* SPDX-License-Identifier: Apache-2.0 */
/* What blkparse prints of a block trace, in its default format:
 *
 *   MAJ,MIN CPU SEQ SECONDS.NANOS PID ACTION RWBS REST
 *
 * A request's buffers are mapped from D (issued) to C (completed). Source of the layout:
 * blkparse(1) and blkparse_fmt.c of blktrace 1.2.0. */
#include "formats.h"
#include "text.h"

#define PASSTHROUGH_KEY                                                                            \
    (UINT64_C(1) << 63) /* such requests have no sector: first in, first out                       \
                         */

/* Reads R, writes W; a flush may stand before them. Discards, zone and empty requests move no
 * data. */
static bool moves_data(const char *rwbs, size_t length, uint8_t *dir)
{
    size_t at = length > 1 && rwbs[0] == 'F';

    if (rwbs[at] == 'R')
        *dir = BOUNCE_FROM_DEVICE;
    else if (rwbs[at] == 'W')
        *dir = BOUNCE_TO_DEVICE;
    else if (rwbs[at] == 'N' && length == 1)
        *dir = BOUNCE_BIDIRECTIONAL; /* a passthrough command: not told */
    else
        return false;
    return true;
}

/* "SECTOR + SECTORS ...", or BYTES of a passthrough command. */
static enum row_result scan_extent(struct cursor *c, bool ends, struct row *row)
{
    uint64_t number, sectors;

    scan_blanks(c);
    if (c->at < c->end && *c->at == '[' && !ends)
        return ROW_OTHER; /* a flush */
    if (c->at < c->end && (*c->at == '[' || *c->at == '(')) {
        row->key = PASSTHROUGH_KEY;
        row->quiet = true;
        return ROW_EVENT;
    }
    if (SCAN_LITERAL(c, "+"))
        return ROW_OTHER; /* "+ 0" */
    if (!scan_decimal(c, &number))
        return ROW_BAD;
    scan_blanks(c);
    if (scan_char(c, '+')) {
        scan_blanks(c);
        if (!scan_decimal(c, &sectors) || sectors > REQUEST_MAX / 512 ||
            number > PASSTHROUGH_KEY / 512)
            return ROW_BAD;
        row->offset = number * 512;
        row->size = sectors * 512;
        row->key = number;
        return sectors ? ROW_EVENT : ROW_OTHER;
    }
    if (c->at == c->end || (*c->at != '[' && *c->at != '('))
        return ROW_BAD;
    if (ends)
        return ROW_OTHER; /* the end of something empty */
    row->size = number;
    row->key = PASSTHROUGH_KEY;
    return ROW_EVENT;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    const char *action, *rwbs;
    size_t action_length, rwbs_length;
    uint64_t number;
    bool ends;

    (void)state;
    scan_blanks(&c);
    row->device = c.at;
    if (!scan_decimal(&c, &number) || !scan_char(&c, ',') || !scan_decimal(&c, &number))
        return ROW_NOTE; /* the summary, a header */
    row->device_length = (size_t)(c.at - row->device);
    scan_blanks(&c);
    if (!scan_decimal(&c, &row->cpu))
        return ROW_BAD;
    scan_blanks(&c);
    if (!scan_decimal(&c, &number)) /* sequence */
        return ROW_BAD;
    scan_blanks(&c);
    if (!scan_scaled(&c, 9, &row->time_ns))
        return ROW_BAD;
    scan_blanks(&c);
    if (!scan_decimal(&c, &number)) /* process */
        return ROW_BAD;
    scan_blanks(&c);
    if (!scan_word(&c, &action, &action_length))
        return ROW_BAD;
    scan_blanks(&c);
    if (action_length != 1 || (*action != 'D' && *action != 'C' && *action != 'R'))
        return ROW_OTHER;
    if (!scan_word(&c, &rwbs, &rwbs_length))
        return ROW_BAD;
    ends = *action != 'D';
    if (!moves_data(rwbs, rwbs_length, &row->dir))
        return ROW_OTHER;
    if (ends)
        row->kind = BOUNCE_EVENT_COMPLETE;
    if (*action == 'R')
        row->quiet = true; /* given back by the driver, which may not have mapped it */
    return scan_extent(&c, ends, row);
}

static const struct line_format lines = {
    .what = "not a line that blkparse prints",
    .wanted = "MAJ,MIN CPU SEQ SECONDS PID ACTION RWBS and for D and C a sector + sectors were "
              "expected (`blkparse -f` prints something else)",
    .parse = parse,
    .optional = true,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 70);
}

const struct bounce_format_ops format_blkparse = TEXT_FORMAT(detect, lines);
