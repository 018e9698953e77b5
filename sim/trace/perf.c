/* SPDX-License-Identifier: Apache-2.0 */
/* What `perf script` prints of tracepoints:
 *
 *   COMM PID[/TID] [CPU] SECONDS.FRACTION: [PERIOD] SYSTEM:EVENT: ARGUMENTS
 *
 * with or without a callchain, which is indented lines up to an empty one. The arguments are those
 * of ftrace text. Source of the layout: perf-script(1) and what perf 6.1 prints. */
#include "formats.h"
#include "kernel_events.h"

#define DETECT_LINES 40

/* SECONDS.FRACTION: with 6 or 9 digits, as perf prints it. */
static bool read_time(const char *word, size_t length, uint64_t *time_ns)
{
    struct cursor c = {word, word + length};
    uint64_t seconds, fraction;
    const char *digits;
    ptrdiff_t places;

    if (!scan_decimal(&c, &seconds) || seconds > UINT64_MAX / 2000000000u || !scan_char(&c, '.'))
        return false;
    digits = c.at;
    if (!scan_decimal(&c, &fraction))
        return false;
    places = c.at - digits;
    if (places < 6 || places > 9 || !scan_char(&c, ':') || c.at != c.end)
        return false;
    for (; places < 9; places++)
        fraction *= 10;
    *time_ns = seconds * 1000000000u + fraction;
    return true;
}

/* [003], or a process: 12 or 12/13. */
static bool is_before_time(const char *word, size_t length, uint64_t *cpu)
{
    struct cursor c = {word, word + length};
    uint64_t number;

    *cpu = 0; /* not told */
    if (scan_char(&c, '['))
        return scan_decimal(&c, cpu) && scan_char(&c, ']') && c.at == c.end;
    (void)scan_char(&c, '-'); /* -1: it was gone */
    return scan_decimal(&c, &number) &&
           (c.at == c.end || (scan_char(&c, '/') && scan_decimal(&c, &number) && c.at == c.end));
}

/* The event's name without its system; `tracepoint` tells whether there was one. */
static bool read_name(struct cursor *c, struct kernel_line *line, bool *tracepoint)
{
    const char *word, *colon;
    size_t length;
    uint64_t period;
    struct cursor at;

    scan_blanks(c);
    at = *c;
    if (scan_decimal(&at, &period) && at.at < at.end && (*at.at == ' ' || *at.at == '\t')) {
        *c = at;
        scan_blanks(c);
    }
    if (!scan_word(c, &word, &length) || length < 2 || word[length - 1] != ':')
        return false;
    colon = memchr(word, ':', length - 1);
    *tracepoint = colon && colon + 2 < word + length;
    line->event = *tracepoint ? colon + 1 : word;
    line->event_length = (size_t)(word + length - 1 - line->event);
    scan_blanks(c);
    line->args = *c;
    return true;
}

static bool parse(struct cursor c, struct kernel_line *line, bool *tracepoint)
{
    const char *word = NULL, *before;
    size_t length = 0, before_length;

    *line = (struct kernel_line){.flat = true};
    for (;;) {
        before = word;
        before_length = length;
        scan_blanks(&c);
        if (!scan_word(&c, &word, &length))
            return false;
        /* A command name may hold anything, so the first time behind a CPU or process counts. */
        if (before && read_time(word, length, &line->time_ns) &&
            is_before_time(before, before_length, &line->cpu))
            return read_name(&c, line, tracepoint);
    }
}

/* "    ffffffff81234567 function+0x10 (module)", without the address if so asked, or an empty line
 * behind it. */
static bool is_callchain(struct cursor c)
{
    uint64_t address;
    bool indented = c.at < c.end && (*c.at == ' ' || *c.at == '\t');

    if (indented && *c.at == '\t')
        return true;
    scan_blanks(&c);
    return c.at == c.end || (indented && scan_hex(&c, &address) && (c.at == c.end || *c.at == ' '));
}

static enum bounce_status read_perf(struct bounce_trace *trace, struct bounce_error *error)
{
    struct kernel_events *events = trace->state;
    struct kernel_line event;
    const char *line;
    size_t length;
    struct cursor c;
    uint64_t lost;
    bool tracepoint;
    enum bounce_status status = kernel_events_release(trace, events, error);

    if (status != BOUNCE_END)
        return status;
    status = lines_next(&trace->lines, &line, &length, error);
    if (status == BOUNCE_END)
        return kernel_events_finish(trace, events, error);
    if (status)
        return status;
    c = (struct cursor){line, line + length};
    if (parse(c, &event, &tracepoint) && event.cpu < BOUNCE_MAX_CPUS)
        return kernel_events_take(trace, events, &event, error);
    if (SCAN_KEY(&c, "PERF_RECORD_LOST lost ") && scan_decimal(&c, &lost)) {
        trace_lost(trace, lost);
        return BOUNCE_OK;
    }
    c = (struct cursor){line, line + length};
    if ((length && *line == '#') || is_callchain(c))
        return BOUNCE_OK;
    return trace_malformed(trace, error, "not a line that perf script prints",
                           "COMM PID [CPU] SECONDS.MICROS: SYSTEM:EVENT: ARGUMENTS was expected");
}

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};
    int score = 0;

    for (int i = 0; i < DETECT_LINES && c.at < c.end; i++) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));
        struct cursor line = {c.at, newline ? newline : c.end};
        struct kernel_line event;
        bool tracepoint;

        if (memchr(line.at, 0, (size_t)(line.end - line.at)))
            return 0;
        if (parse(line, &event, &tracepoint)) {
            if (tracepoint)
                return 55; /* more than ftrace, which takes some of these lines too */
            score = 40;
        }
        c.at = newline ? newline + 1 : c.end;
    }
    return score;
}

const struct bounce_format_ops format_perf = {
    .detect = detect,
    .open = kernel_events_format_open,
    .read = read_perf,
    .settle = kernel_events_format_settle,
    .close = kernel_events_format_close,
};
