/* SPDX-License-Identifier: Apache-2.0 */
/* Operation streams: exact, without times, made for comparing allocators call by call.
 *
 *   P slots cpus areas start      first line, as the boot option would set the pool up
 *   D dev min_align_mask seg_boundary dma_mask
 *   M id cpu dev orig size alloc_align_mask dir
 *   A id cpu dev size             restricted pool: no original buffer
 *   U id | S id offset size C|D | W
 *
 * Addresses, masks and the offset of S are hexadecimal, everything else decimal. */
#include "formats.h"
#include "handles.h"
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_OPERATION 1000u /* the stream has no times */

struct mapping {
    uint64_t id;
    uint16_t device;
    uint8_t dir;
};

struct ops_state {
    struct index by_id; /* id -> handle */
    struct mapping *live;
    struct handles handles;
    uint64_t operations;
    bool has_pool;
};

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};
    uint64_t number;

    return scan_char(&c, 'P') && scan_char(&c, ' ') && scan_decimal(&c, &number) ? 90 : 0;
}

static enum bounce_status open_ops(struct bounce_trace *trace, struct bounce_error *error)
{
    trace->state = calloc(1, sizeof(struct ops_state));
    return trace->state ? BOUNCE_OK : bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
}

static void close_ops(struct bounce_trace *trace)
{
    struct ops_state *s = trace->state;

    index_free(&s->by_id);
    free(s->live);
    handles_destroy(&s->handles);
    free(s);
}

static struct bounce_event *push(struct bounce_trace *trace, enum bounce_event_kind kind)
{
    struct ops_state *s = trace->state;
    struct bounce_event *event = queue_push(trace);

    event->kind = (uint8_t)kind;
    event->time_ns = s->operations++ * NS_PER_OPERATION;
    trace->counts.span_ns = event->time_ns;
    return event;
}

static bool number(struct cursor *c, bool hex, uint64_t limit, uint64_t *value)
{
    scan_blanks(c);
    return (hex ? scan_hex(c, value) : scan_decimal(c, value)) && *value <= limit;
}

static bool low_mask(uint64_t mask)
{
    return (mask & (mask + 1)) == 0;
}

/* The device of that number; D lines come before its first use, but need not. */
static uint16_t device(struct bounce_trace *trace, uint64_t dev)
{
    char name[8];
    int length = snprintf(name, sizeof(name), "%u", (unsigned)dev);

    return trace_device(trace, name, (size_t)length);
}

static bool read_pool(struct bounce_trace *trace, struct cursor *c)
{
    struct ops_state *s = trace->state;
    uint64_t slots, cpus, areas, start;

    if (s->has_pool || !number(c, false, BOUNCE_MAX_NSLABS, &slots) || !slots ||
        !number(c, false, BOUNCE_MAX_CPUS, &cpus) || !cpus ||
        !number(c, false, BOUNCE_MAX_CPUS, &areas) || !number(c, true, INT64_MAX, &start))
        return false;
    s->has_pool = true;
    trace->recorded.boot = (struct bounce_boot){slots, (uint32_t)areas, true, false};
    trace->recorded.cpus = (uint32_t)cpus;
    trace->recorded.start = start;
    trace->recorded.has_header = true;
    trace->recorded.allocator_calls = true;
    trace->recorded.forced = true;
    return true;
}

static bool read_device(struct bounce_trace *trace, struct cursor *c)
{
    uint64_t dev, min_align, boundary, dma_mask;
    uint16_t index;

    if (!number(c, false, 4095, &dev) || !number(c, true, UINT32_MAX, &min_align) ||
        !number(c, true, UINT64_MAX, &boundary) || !number(c, true, UINT64_MAX, &dma_mask) ||
        !low_mask(min_align) || !low_mask(boundary) || boundary < (1u << BOUNCE_SLOT_SHIFT) - 1)
        return false;
    index = device(trace, dev);
    if (index == UINT16_MAX)
        return false;
    trace->devices[index].min_align_mask = (uint32_t)min_align;
    trace->devices[index].seg_boundary = boundary;
    trace->devices[index].dma_mask = dma_mask;
    return true;
}

static bool read_map(struct bounce_trace *trace, struct cursor *c, bool alloc)
{
    struct ops_state *s = trace->state;
    uint64_t id, cpu, dev, orig = 0, size, align = 0, dir = BOUNCE_DIR_NONE;
    struct bounce_event *event;
    uint32_t handle;
    uint16_t index;

    if (!number(c, false, UINT64_MAX, &id) || !number(c, false, BOUNCE_MAX_CPUS - 1, &cpu) ||
        !number(c, false, 4095, &dev) || (!alloc && !number(c, true, UINT64_MAX, &orig)) ||
        !number(c, false, INT64_MAX, &size) || !size ||
        (!alloc && (!number(c, true, UINT32_MAX, &align) || !low_mask(align) ||
                    !number(c, false, 2, &dir))) ||
        index_find(&s->by_id, id) != INDEX_NONE)
        return false;
    index = device(trace, dev);
    if (index == UINT16_MAX || !handles_take(&s->handles, 0, &s->live, sizeof(*s->live), &handle) ||
        index_insert(&s->by_id, id, handle))
        return false;
    s->live[handle] = (struct mapping){id, index, (uint8_t)dir};
    event = push(trace, alloc ? BOUNCE_EVENT_ALLOC : BOUNCE_EVENT_MAP);
    event->id = id;
    event->handle = handle;
    event->cpu = (uint16_t)cpu;
    event->device = index;
    event->orig_addr = orig;
    event->size = size;
    event->alloc_align_mask = (uint32_t)align;
    event->dir = (uint8_t)dir;
    trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_MAP, .id = id, .device = index});
    return true;
}

static struct bounce_event *push_later(struct bounce_trace *trace, uint32_t handle,
                                       enum bounce_event_kind kind)
{
    const struct mapping *m = &((struct ops_state *)trace->state)->live[handle];
    struct bounce_event *event = push(trace, kind);

    event->id = m->id;
    event->handle = handle;
    event->device = m->device;
    event->dir = m->dir;
    return event;
}

static bool read_unmap(struct bounce_trace *trace, struct cursor *c)
{
    struct ops_state *s = trace->state;
    uint32_t handle;
    uint64_t id;

    if (!number(c, false, UINT64_MAX, &id))
        return false;
    handle = index_find(&s->by_id, id);
    if (handle == INDEX_NONE) {
        trace->counts.unmatched_unmaps++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_UNMATCHED_UNMAP,
                                               .id = id,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
        s->operations++;
        return true;
    }
    push_later(trace, handle, BOUNCE_EVENT_UNMAP);
    index_remove(&s->by_id, id, handle);
    handles_give(&s->handles, handle, 0);
    return true;
}

static bool read_sync(struct bounce_trace *trace, struct cursor *c)
{
    struct ops_state *s = trace->state;
    uint64_t id, offset, size;
    struct bounce_event *event;
    uint32_t handle;
    bool for_cpu;

    if (!number(c, false, UINT64_MAX, &id) || !number(c, true, UINT32_MAX, &offset) ||
        !number(c, false, UINT32_MAX, &size))
        return false;
    scan_blanks(c);
    for_cpu = scan_char(c, 'C');
    if (!for_cpu && !scan_char(c, 'D'))
        return false;
    handle = index_find(&s->by_id, id);
    if (handle == INDEX_NONE) {
        trace->counts.unmatched_syncs++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_UNMATCHED_SYNC,
                                               .id = id,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
        s->operations++;
        return true;
    }
    event = push_later(trace, handle,
                       for_cpu ? BOUNCE_EVENT_SYNC_FOR_CPU : BOUNCE_EVENT_SYNC_FOR_DEVICE);
    event->offset = offset;
    event->size = size;
    return true;
}

static enum bounce_status read_ops(struct bounce_trace *trace, struct bounce_error *error)
{
    struct ops_state *s = trace->state;
    const char *line;
    size_t length;
    enum bounce_status status = lines_next(&trace->lines, &line, &length, error);
    struct cursor c;
    const char *wanted;
    bool good;

    if (status)
        return status;
    c = (struct cursor){line, line + length};
    if (scan_at_end(&c) || *c.at == '#')
        return BOUNCE_OK;
    trace->counts.records++;
    if (!s->has_pool && *c.at != 'P')
        return bounce_refuse(error, BOUNCE_MALFORMED, trace->lines.number,
                             "an operation before the pool; the first line is P SLOTS CPUS AREAS "
                             "START");
    switch (*c.at++) {
    case 'P':
        good = read_pool(trace, &c);
        wanted = "once, first: P SLOTS CPUS AREAS START(hex), slots and CPUs from 1 on";
        break;
    case 'D':
        good = read_device(trace, &c);
        wanted = "D DEV MIN_ALIGN_MASK SEG_BOUNDARY DMA_MASK, masks in hex and of the form 2^n - 1";
        break;
    case 'M':
        good = read_map(trace, &c, false);
        wanted =
            "M ID CPU DEV ORIG(hex) SIZE ALLOC_ALIGN_MASK(hex) DIR(0-2), an id that is not live";
        break;
    case 'A':
        good = read_map(trace, &c, true);
        wanted = "A ID CPU DEV SIZE, an id that is not live";
        break;
    case 'U':
        good = read_unmap(trace, &c);
        wanted = "U ID";
        break;
    case 'S':
        good = read_sync(trace, &c);
        wanted = "S ID OFFSET(hex) SIZE C|D";
        break;
    case 'W':
        push(trace, BOUNCE_EVENT_WORKER);
        good = true;
        wanted = "W";
        break;
    default:
        good = false;
        wanted = "lines begin with P, D, M, A, U, S or W";
    }
    if (good && scan_at_end(&c))
        return BOUNCE_OK;
    return trace_malformed(trace, error, "not an operation", wanted);
}

const struct bounce_format_ops format_ops = {
    .detect = detect,
    .open = open_ops,
    .read = read_ops,
    .close = close_ops,
};
