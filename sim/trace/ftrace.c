/* SPDX-License-Identifier: Apache-2.0 */
/* Text of the kernel's trace and trace_pipe files, and what `trace-cmd report` prints:
 *
 *   COMM-PID [(TGID)] [CPU] [FLAGS] SECONDS.FRACTION: EVENT: ARGUMENTS
 *
 * Events of 6.12 and the names of 6.18 (dma_map_phys). Source of the layouts: the TP_printk of
 * include/trace/events/{dma,swiotlb}.h in 6.12.117, kernel/trace/trace_output.c for the rest. */
#include "dma_events.h"
#include "formats.h"
#include "scan.h"

#include <stdlib.h>

struct ftrace_state {
    struct dma_events *dma;
    uint64_t base_ns; /* added to recorded times: joined recordings go on where the last ended */
    uint64_t last_ns; /* as recorded */
    bool started;
    uint64_t orig_addrs[SG_ENTRIES_MAX];
    uint64_t dma_addrs[SG_ENTRIES_MAX];
    uint64_t sizes[SG_ENTRIES_MAX];
};

#define STEP_BACK_NS UINT64_C(1000000000) /* per-CPU buffers are merged by time: less is jitter */

/* ---- the part before the arguments ---- */

struct prefix {
    uint64_t cpu;
    uint64_t time_ns;
    const char *event;
    size_t event_length;
};

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

/* From "[CPU]" on; the cursor stands behind the "[". */
static bool scan_prefix(struct cursor *c, struct prefix *prefix)
{
    struct cursor at = *c;
    const char *word;
    size_t length;

    if (!scan_decimal(&at, &prefix->cpu) || !scan_char(&at, ']'))
        return false;
    scan_blanks(&at);
    if (!scan_time(&at, &prefix->time_ns)) {
        if (!scan_word(&at, &word, &length)) /* irq and preempt flags */
            return false;
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

static bool parse_prefix(struct cursor *c, struct prefix *prefix)
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

/* ---- arguments ---- */

/* Moves behind `key`, which is the next thing or comes later in the line. */
static bool skip_to(struct cursor *c, const char *key, size_t length)
{
    const char *found;

    scan_blanks(c);
    if (scan_text(c, key, length))
        return true;
    found = memmem(c->at, (size_t)(c->end - c->at), key, length);
    if (!found || (found > c->at && found[-1] != ' '))
        return false;
    c->at = found + length;
    return true;
}

#define FIELD(cursor, key) skip_to(cursor, key, sizeof(key) - 1)

static bool scan_dir(struct cursor *c, uint8_t *dir)
{
    if (!FIELD(c, "dir="))
        return false;
    if (SCAN_LITERAL(c, "TO_DEVICE"))
        *dir = BOUNCE_TO_DEVICE;
    else if (SCAN_LITERAL(c, "FROM_DEVICE"))
        *dir = BOUNCE_FROM_DEVICE;
    else if (SCAN_LITERAL(c, "BIDIRECTIONAL"))
        *dir = BOUNCE_BIDIRECTIONAL;
    else if (SCAN_LITERAL(c, "NONE"))
        *dir = BOUNCE_DIR_NONE;
    else
        return false;
    return true;
}

static bool scan_attrs(struct cursor *c, uint8_t *attrs)
{
    const char *word;
    size_t length;

    *attrs = 0;
    if (!FIELD(c, "attrs="))
        return false;
    if (!scan_word(c, &word, &length))
        return true; /* none */
    if (memmem(word, length, "SKIP_CPU_SYNC", 13))
        *attrs |= BOUNCE_ATTR_SKIP_CPU_SYNC;
    if (memmem(word, length, "NO_WARN", 7))
        *attrs |= BOUNCE_ATTR_NO_WARN;
    return true;
}

static bool scan_device(struct bounce_trace *trace, struct cursor *c, uint16_t *device)
{
    const char *name;
    size_t length;

    if (!scan_word(c, &name, &length))
        return false;
    *device = trace_device(trace, name, length);
    return *device != UINT16_MAX;
}

/* {0x1,0x2,...} */
static bool scan_array(struct cursor *c, uint64_t *values, uint32_t *count)
{
    uint32_t n = 0;

    if (!scan_char(c, '{'))
        return false;
    if (!scan_char(c, '}')) {
        do {
            if (n == SG_ENTRIES_MAX || !scan_hex(c, &values[n]))
                return false;
            n++;
        } while (scan_char(c, ','));
        if (!scan_char(c, '}'))
            return false;
    }
    *count = n;
    return true;
}

/* ---- events ---- */

enum result { NOT_OURS, TAKEN, COHERENT, BAD, NO_ROOM };

#define HANDLED(ok) ((ok) ? TAKEN : NO_ROOM)

static enum result on_bounced(struct bounce_trace *trace, struct cursor *c,
                              struct kernel_event *event)
{
    struct ftrace_state *s = trace->state;
    uint64_t mask, orig, size;
    bool forced;

    if (!FIELD(c, "dev_name:"))
        return BAD;
    scan_blanks(c);
    if (!scan_device(trace, c, &event->device) || !FIELD(c, "dma_mask=") || !scan_hex(c, &mask) ||
        !FIELD(c, "dev_addr=") || !scan_hex(c, &orig) || !FIELD(c, "size=") ||
        !scan_decimal(c, &size) || !size)
        return BAD;
    scan_blanks(c);
    forced = SCAN_LITERAL(c, "FORCE");
    if (!forced && !SCAN_LITERAL(c, "NORMAL"))
        return BAD;
    event->dir = BOUNCE_BIDIRECTIONAL;
    trace->recorded.bounces = true;
    trace->recorded.forced |= forced;
    trace->devices[event->device].dma_mask = mask;
    return HANDLED(dma_events_bounced(trace, s->dma, event, orig, size));
}

static enum result on_map(struct bounce_trace *trace, struct cursor *c, struct kernel_event *event)
{
    struct ftrace_state *s = trace->state;
    uint64_t dma, orig, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !FIELD(c, "size=") ||
        !scan_decimal(c, &size) || !FIELD(c, "phys_addr=") || !scan_hex(c, &orig) ||
        !scan_attrs(c, &event->attrs) || !size)
        return BAD;
    return HANDLED(dma_events_map(trace, s->dma, event, dma, orig, size));
}

static enum result on_unmap(struct bounce_trace *trace, struct cursor *c,
                            struct kernel_event *event)
{
    struct ftrace_state *s = trace->state;
    uint64_t dma, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !FIELD(c, "size=") ||
        !scan_decimal(c, &size) || !scan_attrs(c, &event->attrs))
        return BAD;
    return HANDLED(dma_events_unmap(trace, s->dma, event, dma, size));
}

static enum result on_map_sg(struct bounce_trace *trace, struct cursor *c,
                             struct kernel_event *event)
{
    struct ftrace_state *s = trace->state;
    struct sg_entries list = {s->orig_addrs, s->dma_addrs, s->sizes, 0, false};
    uint32_t dmas, sizes, origs;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir))
        return BAD;
    list.truncated = memmem(c->at, (size_t)(c->end - c->at), "[TRUNCATED]", 11) != NULL;
    if (!FIELD(c, "dma_addrs=") || !scan_array(c, s->dma_addrs, &dmas) || !FIELD(c, "sizes=") ||
        !scan_array(c, s->sizes, &sizes) || !FIELD(c, "phys_addrs=") ||
        !scan_array(c, s->orig_addrs, &origs) || !scan_attrs(c, &event->attrs) || dmas != sizes)
        return BAD;
    /* An IOMMU may merge entries: then the arrays differ in length and nothing was bounced. */
    list.count = dmas < origs ? dmas : origs;
    for (uint32_t i = 0; i < list.count; i++)
        if (!list.sizes[i])
            return BAD;
    return HANDLED(dma_events_map_sg(trace, s->dma, event, &list));
}

static enum result on_unmap_sg(struct bounce_trace *trace, struct cursor *c,
                               struct kernel_event *event)
{
    struct ftrace_state *s = trace->state;
    uint32_t count;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !FIELD(c, "phys_addrs=") || !scan_array(c, s->orig_addrs, &count) ||
        !scan_attrs(c, &event->attrs))
        return BAD;
    return HANDLED(dma_events_unmap_sg(trace, s->dma, event, s->orig_addrs, count));
}

static enum result sync_one(struct bounce_trace *trace, struct cursor *c,
                            struct kernel_event *event, bool for_cpu)
{
    struct ftrace_state *s = trace->state;
    uint64_t dma, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !FIELD(c, "size=") ||
        !scan_decimal(c, &size))
        return BAD;
    return HANDLED(dma_events_sync(trace, s->dma, event, dma, size, for_cpu));
}

static enum result sync_list(struct bounce_trace *trace, struct cursor *c,
                             struct kernel_event *event, bool for_cpu)
{
    struct ftrace_state *s = trace->state;
    uint32_t count, sizes;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !FIELD(c, "dma_addrs=") || !scan_array(c, s->dma_addrs, &count) || !FIELD(c, "sizes=") ||
        !scan_array(c, s->sizes, &sizes) || count != sizes)
        return BAD;
    for (uint32_t i = 0; i < count; i++)
        if (!dma_events_sync(trace, s->dma, event, s->dma_addrs[i], s->sizes[i], for_cpu))
            return NO_ROOM;
    return TAKEN;
}

static enum result on_sync_for_cpu(struct bounce_trace *trace, struct cursor *c,
                                   struct kernel_event *event)
{
    return sync_one(trace, c, event, true);
}

static enum result on_sync_for_device(struct bounce_trace *trace, struct cursor *c,
                                      struct kernel_event *event)
{
    return sync_one(trace, c, event, false);
}

static enum result on_sync_sg_for_cpu(struct bounce_trace *trace, struct cursor *c,
                                      struct kernel_event *event)
{
    return sync_list(trace, c, event, true);
}

static enum result on_sync_sg_for_device(struct bounce_trace *trace, struct cursor *c,
                                         struct kernel_event *event)
{
    return sync_list(trace, c, event, false);
}

static enum result on_coherent(struct bounce_trace *trace, struct cursor *c,
                               struct kernel_event *event)
{
    (void)trace;
    (void)c;
    (void)event;
    return COHERENT;
}

typedef enum result (*event_handler)(struct bounce_trace *, struct cursor *, struct kernel_event *);

#define EVENT(name, handler)                                                                       \
    {                                                                                              \
        name, sizeof(name) - 1, handler                                                            \
    }

static const struct {
    const char *name;
    size_t length;
    event_handler handle;
} events[] = {
    EVENT("swiotlb_bounced", on_bounced),
    EVENT("dma_map_page", on_map),
    EVENT("dma_unmap_page", on_unmap),
    EVENT("dma_map_phys", on_map),
    EVENT("dma_unmap_phys", on_unmap),
    EVENT("dma_map_sg", on_map_sg),
    EVENT("dma_unmap_sg", on_unmap_sg),
    EVENT("dma_sync_single_for_cpu", on_sync_for_cpu),
    EVENT("dma_sync_single_for_device", on_sync_for_device),
    EVENT("dma_sync_sg_for_cpu", on_sync_sg_for_cpu),
    EVENT("dma_sync_sg_for_device", on_sync_sg_for_device),
    EVENT("dma_alloc", on_coherent),
    EVENT("dma_alloc_pages", on_coherent),
    EVENT("dma_alloc_sgt", on_coherent),
    EVENT("dma_free", on_coherent),
    EVENT("dma_free_pages", on_coherent),
    EVENT("dma_free_sgt", on_coherent),
};

static event_handler handler_of(const struct prefix *prefix)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i].length == prefix->event_length &&
            memcmp(events[i].name, prefix->event, prefix->event_length) == 0)
            return events[i].handle;
    return NULL;
}

/* ---- lines ---- */

static uint64_t continued_time(struct bounce_trace *trace, uint64_t time_ns)
{
    struct ftrace_state *s = trace->state;

    if (!s->started) {
        s->started = true;
        trace->counts.first_ns = time_ns;
        s->base_ns = 0 - time_ns;
    } else if (time_ns + STEP_BACK_NS < s->last_ns) {
        trace->counts.time_steps_back++;
        s->base_ns += s->last_ns - time_ns;
        dma_events_restart(trace, s->dma, trace->counts.span_ns);
    }
    s->last_ns = time_ns;
    time_ns += s->base_ns;
    if ((int64_t)time_ns < 0)
        time_ns = 0; /* before the first record by jitter */
    if (time_ns > trace->counts.span_ns)
        trace->counts.span_ns = time_ns;
    return time_ns;
}

static void read_header(struct bounce_trace *trace, struct cursor c)
{
    uint64_t kept, written, cpus;

    if (FIELD(&c, "entries-in-buffer/entries-written:")) {
        scan_blanks(&c);
        if (scan_decimal(&c, &kept) && scan_char(&c, '/') && scan_decimal(&c, &written) &&
            written > kept)
            trace->counts.lost_events += written - kept;
    }
    if (FIELD(&c, "#P:") && scan_decimal(&c, &cpus) && cpus > 0 && cpus <= BOUNCE_MAX_CPUS)
        trace->recorded.cpus = (uint32_t)cpus;
}

/* Lines that are neither events nor header but belong to these files. */
static bool known_other_line(struct bounce_trace *trace, struct cursor c)
{
    uint64_t number;
    struct cursor at = c;

    if (SCAN_LITERAL(&at, "cpus=") && scan_decimal(&at, &number) && number > 0 &&
        number <= BOUNCE_MAX_CPUS) {
        trace->recorded.cpus = (uint32_t)number;
        return true;
    }
    at = c;
    if (SCAN_LITERAL(&at, "CPU:") || SCAN_LITERAL(&at, "CPU ")) {
        if (!scan_decimal(&at, &number))
            return false;
        scan_blanks(&at);
        if (SCAN_LITERAL(&at, "[LOST ") && scan_decimal(&at, &number))
            trace->counts.lost_events += number;
        return true; /* also "CPU 1 is empty" */
    }
    at = c;
    return SCAN_LITERAL(&at, "version =") || SCAN_LITERAL(&at, "version=");
}

static enum bounce_status read_ftrace(struct bounce_trace *trace, struct bounce_error *error)
{
    struct ftrace_state *s = trace->state;
    struct kernel_event event = {0};
    struct prefix prefix;
    struct cursor c;
    const char *line;
    size_t length;
    event_handler handle;
    enum bounce_status status = lines_next(&trace->lines, &line, &length, error);

    if (status == BOUNCE_END)
        dma_events_finish(trace, s->dma);
    if (status)
        return status;
    c = (struct cursor){line, line + length};
    if (length && *line == '#') {
        read_header(trace, c);
        return BOUNCE_OK;
    }
    if (!parse_prefix(&c, &prefix) || prefix.cpu >= BOUNCE_MAX_CPUS) {
        scan_blanks(&c);
        if (c.at == c.end || known_other_line(trace, c))
            return BOUNCE_OK;
        return trace_malformed(
            trace, error, "not a line of an ftrace text",
            "COMM-PID [CPU] FLAGS SECONDS.MICROS: EVENT: ARGUMENTS was expected");
    }
    trace->counts.records++;
    handle = handler_of(&prefix);
    if (!handle) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    event.cpu = (uint16_t)prefix.cpu;
    event.time_ns = continued_time(trace, prefix.time_ns);
    switch (handle(trace, &c, &event)) {
    case BAD:
        return trace_malformed(trace, error, "an event with arguments missing or not understood",
                               "the layout of Linux 6.12 to 6.18 was expected");
    case NO_ROOM:
        return bounce_refuse(error, BOUNCE_NO_MEMORY, trace->lines.number, "out of memory");
    case COHERENT:
        trace->counts.coherent_events++;
        break;
    case NOT_OURS:
    case TAKEN:
        break;
    }
    return BOUNCE_OK;
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
        struct prefix prefix;

        if (parse_prefix(&line, &prefix))
            return 50;
        c.at = newline ? newline + 1 : c.end;
    }
    return 0;
}

static enum bounce_status open_ftrace(struct bounce_trace *trace, struct bounce_error *error)
{
    struct ftrace_state *s = calloc(1, sizeof(*s));

    trace->state = s;
    if (s)
        s->dma = dma_events_create();
    if (!s || !s->dma)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->recorded.timed = true;
    return BOUNCE_OK;
}

static void settle(struct bounce_trace *trace)
{
    dma_events_settle(trace, ((struct ftrace_state *)trace->state)->dma);
}

static void close_ftrace(struct bounce_trace *trace)
{
    struct ftrace_state *s = trace->state;

    dma_events_destroy(s->dma);
    free(s);
}

const struct bounce_format_ops format_ftrace = {
    .detect = detect,
    .open = open_ftrace,
    .read = read_ftrace,
    .settle = settle,
    .close = close_ftrace,
};
