/* SPDX-License-Identifier: Apache-2.0 */
/* Block requests that LTTng recorded, as babeltrace prints them by default:
 *
 *   [HH:MM:SS.NANOS] (+DELTA) HOST block_rq_issue: { cpu_id = 0 }, { dev = 8388608, sector = 2048,
 *     nr_sector = 8, bytes = 4096, tid = 7, rwbs = 1, ..., comm = "fio" }
 *
 * on one line, or with seconds (--clock-seconds) or a date in front of the time. Some versions
 * print no bytes for what has sectors. LTTng has no dma and swiotlb events. Source of the fields:
 * lttng-modules 2.13, instrumentation/events/block.h. */
#include "block_events.h"
#include "formats.h"

#include <stdlib.h>

#define DAY_NS UINT64_C(86400000000000)

/* Bits of rwbs. */
enum { LTTNG_WRITE = 1, LTTNG_DISCARD = 2, LTTNG_READ = 4, LTTNG_FLUSH = 0x100 };

struct lttng {
    struct block_events *block;
    uint64_t day_ns;  /* added: the time of day began anew so often */
    uint64_t last_ns; /* as recorded */
};

struct line {
    uint64_t time_ns;
    const char *event;
    size_t event_length;
    struct cursor fields;
};

/* [HH:MM:SS.NANOS], [SECONDS.NANOS], [YYYY-MM-DD HH:MM:SS.NANOS] */
static bool scan_stamp(struct cursor *c, uint64_t *time_ns)
{
    const char *close;
    struct cursor at;
    uint64_t part, seconds = 0, nanos = 0;

    if (!scan_char(c, '['))
        return false;
    close = memchr(c->at, ']', (size_t)(c->end - c->at));
    if (!close)
        return false;
    at = (struct cursor){c->at, close};
    for (const char *p = close; p > c->at; p--)
        if (p[-1] == ' ') { /* behind a date */
            at.at = p;
            break;
        }
    do {
        if (!scan_decimal(&at, &part) || seconds > UINT32_MAX)
            return false;
        seconds = seconds * 60 + part;
    } while (scan_char(&at, ':'));
    if (seconds > UINT64_MAX / 2000000000u || !scan_char(&at, '.') || close - at.at != 9 ||
        !scan_decimal(&at, &nanos) || at.at != close)
        return false;
    *time_ns = seconds * 1000000000u + nanos;
    c->at = close + 1;
    return true;
}

/* The event's name is the last word before ": { ". */
static bool parse_line(struct cursor c, struct line *line)
{
    const char *brace, *name;

    if (!scan_stamp(&c, &line->time_ns))
        return false;
    brace = memmem(c.at, (size_t)(c.end - c.at), ": {", 3);
    if (!brace)
        return false;
    for (name = brace; name > c.at && name[-1] != ' '; name--)
        ;
    line->event = name;
    line->event_length = (size_t)(brace - name);
    line->fields = (struct cursor){brace + 1, c.end};
    return line->event_length > 0;
}

/* The number behind " NAME = ". */
static bool field(struct cursor fields, const char *name, uint64_t *value)
{
    size_t length = strlen(name);
    const char *found = memmem(fields.at, (size_t)(fields.end - fields.at), name, length);
    struct cursor c;

    if (!found)
        return false;
    c = (struct cursor){found + length, fields.end};
    if (SCAN_LITERAL(&c, "18446744073709551615") || SCAN_LITERAL(&c, "-1")) {
        *value = UINT64_MAX;
        return true;
    }
    if (c.end - c.at > 2 && c.at[0] == '0' && c.at[1] == 'x')
        return scan_hex(&c, value);
    return scan_decimal(&c, value);
}

static bool read_event(const struct line *line, struct block_event *event)
{
    uint64_t cpu, dev, sectors, rwbs, bytes = 0;
    const char *letters;

    if (!field(line->fields, " cpu_id = ", &cpu) || cpu >= BOUNCE_MAX_CPUS ||
        !field(line->fields, " dev = ", &dev) || dev > UINT32_MAX ||
        !field(line->fields, " sector = ", &event->sector) ||
        !field(line->fields, " nr_sector = ", &sectors) || sectors > UINT32_MAX / 512 ||
        !field(line->fields, " rwbs = ", &rwbs))
        return false;
    (void)field(line->fields, " bytes = ", &bytes);
    if (bytes > UINT32_MAX)
        return false;
    event->cpu = (uint16_t)cpu;
    event->major = (uint32_t)(dev >> 20);
    event->minor = (uint32_t)(dev & 0xfffff);
    event->size = bytes ? bytes : sectors * 512;
    letters = rwbs & LTTNG_DISCARD ? "D"
              : rwbs & LTTNG_WRITE ? "W"
              : rwbs & LTTNG_READ  ? "R"
              : rwbs & LTTNG_FLUSH ? "FF"
                                   : "N";
    return block_event_complete(event, letters, strlen(letters), sectors, false);
}

static enum bounce_status take_line(struct bounce_trace *trace, struct cursor c,
                                    struct bounce_error *error)
{
    struct lttng *s = trace->state;
    struct block_event event = {0};
    struct line line;
    int kind;
    struct cursor lost = c;
    uint64_t number;

    if (!parse_line(c, &line)) {
        if (SCAN_KEY(&lost, "Tracer discarded ") && scan_decimal(&lost, &number)) {
            trace_lost(trace, number);
            return BOUNCE_OK;
        }
        if (scan_at_end(&c))
            return BOUNCE_OK;
        return trace_malformed(trace, error, "not a line that babeltrace prints",
                               "[TIME.NANOS] (+DELTA) HOST EVENT: { cpu_id = N }, { ... } was "
                               "expected");
    }
    trace->counts.records++;
    kind = block_event_kind(line.event, line.event_length);
    if (kind < 0) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    event.kind = (uint8_t)kind;
    if (!read_event(&line, &event))
        return trace_malformed(trace, error, "a block event with fields that are not understood",
                               "cpu_id, dev, sector, nr_sector and rwbs were expected");
    if (line.time_ns < DAY_NS && s->last_ns < DAY_NS && line.time_ns + DAY_NS / 2 < s->last_ns)
        s->day_ns += DAY_NS;
    s->last_ns = line.time_ns;
    event.time_ns = line.time_ns + s->day_ns;
    return block_events_take(trace, s->block, &event);
}

static enum bounce_status checked(const struct bounce_trace *trace, enum bounce_status status,
                                  struct bounce_error *error)
{
    return status == BOUNCE_NO_MEMORY
               ? bounce_refuse(error, status, trace->lines.number, "out of memory")
               : status;
}

static enum bounce_status read_lttng(struct bounce_trace *trace, struct bounce_error *error)
{
    struct lttng *s = trace->state;
    const char *line;
    size_t length;
    enum bounce_status status = block_events_release(trace, s->block, false);

    if (status != BOUNCE_END)
        return checked(trace, status, error);
    status = lines_next(&trace->lines, &line, &length, error);
    if (status == BOUNCE_END)
        return checked(trace, block_events_release(trace, s->block, true), error);
    if (status)
        return status;
    return checked(trace, take_line(trace, (struct cursor){line, line + length}, error), error);
}

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};
    struct line line;
    const char *newline = memchr(text, '\n', length);

    if (newline)
        c.end = newline;
    if (memchr(text, 0, (size_t)(c.end - c.at)) || !parse_line(c, &line))
        return 0;
    return memmem(line.fields.at, (size_t)(line.fields.end - line.fields.at), " = ", 3) ? 80 : 0;
}

static enum bounce_status open_lttng(struct bounce_trace *trace, struct bounce_error *error)
{
    struct lttng *s = calloc(1, sizeof(*s));

    trace->state = s;
    if (s)
        s->block = block_events_create();
    if (!s || !s->block)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->recorded.timed = true;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    return BOUNCE_OK;
}

static void close_lttng(struct bounce_trace *trace)
{
    struct lttng *s = trace->state;

    block_events_destroy(s->block);
    free(s);
}

const struct bounce_format_ops format_lttng = {
    .detect = detect,
    .open = open_lttng,
    .read = read_lttng,
    .close = close_lttng,
};
