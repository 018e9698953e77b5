/* SPDX-License-Identifier: Apache-2.0 */
/* Text of the kernel's trace and trace_pipe files, and what `trace-cmd report` prints:
 *
 *   COMM-PID [(TGID)] [CPU] [FLAGS] SECONDS.FRACTION: EVENT: ARGUMENTS
 *
 * Source of the layout: kernel/trace/trace_output.c of 6.12.117. */
#include "formats.h"
#include "kernel_events.h"

#include <stdlib.h>

/* ---- the part before the arguments ---- */

/* SECONDS.FRACTION: with 1 to 9 digits of fraction. */
static bool scan_time(struct cursor *c, uint64_t *time_ns)
{
    struct cursor at = *c;
    uint64_t seconds, fraction;
    const char *digits;
    ptrdiff_t places;

    if (!scan_decimal(&at, &seconds) || seconds > UINT64_MAX / 2000000000u || !scan_char(&at, '.'))
        return false;
    digits = at.at;
    if (!scan_decimal(&at, &fraction))
        return false;
    places = at.at - digits;
    if (places > 9 || !scan_char(&at, ':'))
        return false;
    for (; places < 9; places++)
        fraction *= 10;
    *time_ns = seconds * 1000000000u + fraction;
    *c = at;
    return true;
}

/* By the third of the flags. */
static uint8_t level_of(char flag)
{
    switch (flag) {
    case 's':
        return 1;
    case 'h':
    case 'H':
        return 2;
    case 'z':
    case 'Z':
        return 3;
    default:
        return 0;
    }
}

/* From "[CPU]" on; the cursor stands behind the "[". */
static bool scan_prefix(struct cursor *c, struct kernel_line *prefix)
{
    struct cursor at = *c;
    const char *word;
    size_t length;

    if (!scan_decimal(&at, &prefix->cpu) || !scan_char(&at, ']'))
        return false;
    scan_blanks(&at);
    prefix->level = 0;
    if (!scan_time(&at, &prefix->time_ns)) {
        if (!scan_word(&at, &word, &length)) /* irq and preempt flags */
            return false;
        if (length > 2)
            prefix->level = level_of(word[2]);
        scan_blanks(&at);
        if (!scan_time(&at, &prefix->time_ns))
            return false;
    }
    scan_blanks(&at);
    if (!scan_word(&at, &word, &length) || length < 2 || word[length - 1] != ':')
        return false;
    prefix->event = word;
    prefix->event_length = length - 1;
    scan_blanks(&at);
    *c = at;
    return true;
}

static bool parse_prefix(struct cursor *c, struct kernel_line *prefix)
{
    /* A command name may hold brackets too: the CPU's are the first ones that fit. */
    for (const char *p = c->at; (p = memchr(p, '[', (size_t)(c->end - p))); p++) {
        struct cursor at = {p + 1, c->end};

        if (scan_prefix(&at, prefix)) {
            *c = at;
            return true;
        }
    }
    return false;
}

/* ---- lines ---- */

static void read_header(struct bounce_trace *trace, struct cursor c)
{
    uint64_t kept, written, cpus;

    if (SCAN_KEY(&c, "entries-in-buffer/entries-written:")) {
        scan_blanks(&c);
        if (scan_decimal(&c, &kept) && scan_char(&c, '/') && scan_decimal(&c, &written) &&
            written > kept)
            trace_lost(trace, written - kept);
    }
    if (SCAN_KEY(&c, "#P:") && scan_decimal(&c, &cpus) && cpus > 0 && cpus <= BOUNCE_MAX_CPUS)
        trace->recorded.cpus = (uint32_t)cpus;
}

/* Lines that are neither events nor header but belong to these files. */
static bool known_other_line(struct bounce_trace *trace, struct cursor c)
{
    uint64_t number, cpu;
    struct cursor at = c;

    if (SCAN_LITERAL(&at, "cpus=") && scan_decimal(&at, &number) && number > 0 &&
        number <= BOUNCE_MAX_CPUS) {
        trace->recorded.cpus = (uint32_t)number;
        return true;
    }
    at = c;
    if (SCAN_LITERAL(&at, "CPU:") || SCAN_LITERAL(&at, "CPU ")) {
        if (!scan_decimal(&at, &cpu))
            return false;
        scan_blanks(&at);
        if (cpu >= BOUNCE_MAX_CPUS)
            return false;
        if (SCAN_LITERAL(&at, "[LOST ") && scan_decimal(&at, &number)) /* the kernel's */
            kernel_events_lost(trace, trace->state, cpu, number);
        else if (SCAN_LITERAL(&at, "[EVENTS DROPPED]")) /* trace-cmd's, how many is not known */
            kernel_events_lost(trace, trace->state, cpu, 1);
        else if (scan_char(&at, '[') && scan_decimal(&at, &number) &&
                 SCAN_LITERAL(&at, " EVENTS DROPPED"))
            kernel_events_lost(trace, trace->state, cpu, number);
        return true; /* also "CPU 1 is empty" */
    }
    at = c;
    return SCAN_LITERAL(&at, "version =") || SCAN_LITERAL(&at, "version=");
}

static enum bounce_status read_ftrace(struct bounce_trace *trace, struct bounce_error *error)
{
    struct kernel_events *events = trace->state;
    struct kernel_line event;
    struct cursor c;
    const char *line;
    size_t length;
    enum bounce_status status = kernel_events_release(trace, events, error);

    if (status != BOUNCE_END)
        return status;
    status = lines_next(&trace->lines, &line, &length, error);
    if (status == BOUNCE_END)
        return kernel_events_finish(trace, events, error);
    if (status)
        return status;
    c = (struct cursor){line, line + length};
    if (length && *line == '#') {
        read_header(trace, c);
        return BOUNCE_OK;
    }
    if (!parse_prefix(&c, &event) || event.cpu >= BOUNCE_MAX_CPUS) {
        scan_blanks(&c);
        if (c.at == c.end || known_other_line(trace, c))
            return BOUNCE_OK;
        return trace_malformed(
            trace, error, "not a line of an ftrace text",
            "COMM-PID [CPU] FLAGS SECONDS.MICROS: EVENT: ARGUMENTS was expected");
    }
    event.args = c;
    return kernel_events_take(trace, events, &event, error);
}

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};
    int lines = 0;

    if (SCAN_LITERAL(&c, "# tracer:"))
        return 90;
    if (SCAN_LITERAL(&c, "cpus=") || SCAN_LITERAL(&c, "version ="))
        return 60;
    if (memchr(text, 0, length))
        return 0;
    for (c = (struct cursor){text, text + length}; c.at < c.end && lines < 20; lines++) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));
        struct cursor line = {c.at, newline ? newline : c.end};
        struct kernel_line prefix;

        if (parse_prefix(&line, &prefix))
            return 50;
        c.at = newline ? newline + 1 : c.end;
    }
    return 0;
}

const struct bounce_format_ops format_ftrace = {
    .detect = detect,
    .open = kernel_events_format_open,
    .read = read_ftrace,
    .settle = kernel_events_format_settle,
    .close = kernel_events_format_close,
};
