/* SPDX-License-Identifier: Apache-2.0 */
/* Text of the kernel's trace and trace_pipe files, and what `trace-cmd report` prints:
 *
 *   COMM-PID [(TGID)] [CPU] [FLAGS] SECONDS.FRACTION: EVENT: ARGUMENTS
 *   COMM-PID CPUFLAGS MICROSus : EVENT: ARGUMENTS              (options/latency-format)
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

/* MICROSus and a mark of how long it took, as the latency format has it; or as in the others. */
static bool scan_latency_time(struct cursor *c, uint64_t *time_ns)
{
    struct cursor at = *c;
    uint64_t micros;

    if (scan_time(c, time_ns))
        return true;
    if (!scan_decimal(&at, &micros) || micros > UINT64_MAX / 2000 || !SCAN_LITERAL(&at, "us") ||
        at.at == at.end)
        return false;
    if (*at.at != ':')
        at.at++;
    if (!scan_char(&at, ':'))
        return false;
    *time_ns = micros * 1000;
    *c = at;
    return true;
}

/* The event's name, without the system that perf puts in front of it. */
static bool scan_name(struct cursor *c, struct kernel_line *prefix)
{
    const char *word, *colon;
    size_t length;

    scan_blanks(c);
    if (!scan_word(c, &word, &length) || length < 2 || word[length - 1] != ':')
        return false;
    colon = memchr(word, ':', length - 1);
    if (colon && colon + 2 < word + length) {
        length -= (size_t)(colon + 1 - word);
        word = colon + 1;
    }
    prefix->event = word;
    prefix->event_length = length - 1;
    scan_blanks(c);
    return true;
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
    prefix->flat = scan_time(&at, &prefix->time_ns);
    if (!prefix->flat) {
        if (!scan_word(&at, &word, &length)) /* irq and preempt flags */
            return false;
        if (length > 2)
            prefix->level = level_of(word[2]);
        scan_blanks(&at);
        if (!scan_time(&at, &prefix->time_ns))
            return false;
    }
    if (!scan_name(&at, prefix))
        return false;
    *c = at;
    return true;
}

/* "COMM-PID 3d.h1. 12us : EVENT: ...": a process, then CPU and flags in one word, then the time. */
static bool scan_latency_prefix(struct cursor *c, struct kernel_line *prefix)
{
    struct cursor at = *c;
    const char *word, *before = NULL;
    size_t length, before_length = 0;

    for (; scan_blanks(&at), scan_word(&at, &word, &length);
         before = word, before_length = length) {
        struct cursor flags = {word, word + length}, behind = at;

        if (!before || before[before_length - 1] < '0' || before[before_length - 1] > '9' ||
            !memchr(before, '-', before_length) || !scan_decimal(&flags, &prefix->cpu) ||
            flags.end - flags.at < 4 || flags.end - flags.at > 6)
            continue;
        scan_blanks(&behind);
        prefix->level = level_of(flags.at[2]);
        prefix->flat = false;
        if (!scan_latency_time(&behind, &prefix->time_ns) || !scan_name(&behind, prefix))
            continue;
        *c = behind;
        return true;
    }
    return false;
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
    return scan_latency_prefix(c, prefix);
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

/* options/stacktrace: "COMM-PID [CPU] FLAGS TIME: <stack trace>" and lines " => function". */
static bool is_stack(struct cursor c)
{
    static const char mark[] = "stack trace>";
    size_t length = (size_t)(c.end - c.at);

    return (length > sizeof(mark) && memmem(c.at, length, mark, sizeof(mark) - 1)) ||
           SCAN_LITERAL(&c, "=>");
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
        if (SCAN_LITERAL(&at, "[LOST EVENTS]") ||  /* the kernel's, how many is not known */
            SCAN_LITERAL(&at, "[EVENTS DROPPED]")) /* trace-cmd's */
            kernel_events_lost(trace, trace->state, cpu, 1);
        else if (SCAN_LITERAL(&at, "[LOST ") && scan_decimal(&at, &number))
            kernel_events_lost(trace, trace->state, cpu, number);
        else if (scan_char(&at, '[') && scan_decimal(&at, &number) &&
                 SCAN_LITERAL(&at, " EVENTS DROPPED"))
            kernel_events_lost(trace, trace->state, cpu, number);
        return true; /* also "CPU 1 is empty" */
    }
    at = c;
    return SCAN_LITERAL(&at, "version =") || SCAN_LITERAL(&at, "version=") || is_stack(c);
}

/* What "malformed" cannot say: the clock of the recording has no seconds. */
static bool has_unitless_time(struct cursor c)
{
    const char *word;
    size_t length;
    uint64_t ignored;

    while (scan_blanks(&c), scan_word(&c, &word, &length)) {
        struct cursor number = {word, word + length};
        struct kernel_line name;

        if (scan_decimal(&number, &ignored) && scan_char(&number, ':') && number.at == number.end)
            return scan_name(&c, &name);
    }
    return false;
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
        if (has_unitless_time(c))
            return trace_malformed(trace, error, "a time without a unit, of another trace clock",
                                   "seconds were expected: record with trace_clock local or mono");
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
