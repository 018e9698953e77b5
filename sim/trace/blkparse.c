/* SPDX-License-Identifier: Apache-2.0 */
/* What blkparse prints of a block trace, in its default format:
 *
 *   MAJ,MIN CPU SEQ SECONDS.NANOS PID ACTION RWBS REST
 *
 * A request's buffers are mapped from D (issued) to C (completed). Source of the layout:
 * blkparse(1) and blkparse_fmt.c of blktrace 1.2.0. */
#include "formats.h"
#include "text.h"

/* Such requests have no sector: first in, first out, those of each direction (which both lines
 * say) by themselves. */
#define PASSTHROUGH_KEY (UINT64_C(1) << 63)

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
        row->fifo = true;
        row->key = PASSTHROUGH_KEY + row->dir;
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
    row->fifo = true;
    row->key = PASSTHROUGH_KEY + row->dir;
    return ROW_EVENT;
}

/* "CPU0 (sda):", "Total (sda):", and with -s "COMM (PID)" or "COMM (PID, ...)": from there on the
 * summary goes. */
static bool begins_summary(const struct cursor *c)
{
    const char *open = memrchr(c->at, '(', (size_t)(c->end - c->at));
    struct cursor inner = {open ? open + 1 : c->end, c->end};
    uint64_t pid;

    if (!open || open == c->at || open[-1] != ' ')
        return false;
    if (inner.end[-1] == ':')
        return inner.end - inner.at > 2 && inner.end[-2] == ')';
    return scan_decimal(&inner, &pid) &&
           (SCAN_LITERAL(&inner, ")") || SCAN_LITERAL(&inner, ", ...)")) && scan_at_end(&inner);
}

/* A line that does not begin with a device. state->has_header: within the summary. */
static enum row_result no_record(struct row_state *state, struct cursor c)
{
    if (c.at < c.end && memchr(c.at, 0, (size_t)(c.end - c.at)))
        return ROW_BAD;
    while (c.at < c.end && (c.end[-1] == ' ' || c.end[-1] == '\t'))
        c.end--;
    if (scan_at_end(&c) || *c.at == '#' || SCAN_LITERAL(&c, "Input file "))
        return ROW_NOTE;
    state->has_header = state->has_header || begins_summary(&c);
    return state->has_header ? ROW_NOTE : ROW_STRAY;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    const struct cursor line = c;
    const char *action, *rwbs;
    size_t action_length, rwbs_length;
    uint64_t number;
    bool ends;

    scan_blanks(&c);
    row->device = c.at;
    if (!scan_decimal(&c, &number) || !scan_char(&c, ',') || !scan_decimal(&c, &number))
        return no_record(state, line);
    state->has_header = false;
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
    .lost_ends = true,
    .tells_requeues = true,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 70);
}

const struct bounce_format_ops format_blkparse = TEXT_FORMAT(detect, lines);
