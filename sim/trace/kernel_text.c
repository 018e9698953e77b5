/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of the dma and swiotlb events of 6.12, and their names of 6.18 (dma_map_phys).
 * Source of the layouts: the TP_printk of include/trace/events/{dma,swiotlb}.h in 6.12.117. */
#include "kernel_text.h"

/* ---- arguments ---- */

static bool scan_dir(struct cursor *c, uint8_t *dir)
{
    if (!SCAN_FIELD(c, "dir="))
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
    if (!SCAN_FIELD(c, "attrs="))
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

#define HANDLED(ok) ((ok) ? KERNEL_TAKEN : KERNEL_NO_ROOM)

enum kernel_result kernel_text_bounced(struct bounce_trace *trace, struct kernel_text *text,
                                       struct kernel_event *event, uint64_t mask, uint64_t orig,
                                       uint64_t size, bool forced)
{
    event->dir = BOUNCE_BIDIRECTIONAL;
    trace->recorded.bounces = true;
    trace->recorded.forced |= forced;
    trace->devices[event->device].dma_mask = mask;
    return HANDLED(dma_events_bounced(trace, text->dma, event, orig, size));
}

static enum kernel_result on_bounced(struct bounce_trace *trace, struct kernel_text *text,
                                     struct cursor *c, struct kernel_event *event)
{
    uint64_t mask, orig, size;
    bool forced;

    if (!SCAN_FIELD(c, "dev_name:"))
        return KERNEL_BAD;
    scan_blanks(c);
    if (!scan_device(trace, c, &event->device) || !SCAN_FIELD(c, "dma_mask=") ||
        !scan_hex(c, &mask) || !SCAN_FIELD(c, "dev_addr=") || !scan_hex(c, &orig) ||
        !SCAN_FIELD(c, "size=") || !scan_decimal(c, &size) || !size || !scan_char(c, ' '))
        return KERNEL_BAD;
    scan_blanks(c);
    /* 4.x says swiotlb_force or nothing, 5.x may say NO_FORCE. */
    forced = SCAN_LITERAL(c, "FORCE") || SCAN_LITERAL(c, "swiotlb_force");
    if (!forced && c->at < c->end && !SCAN_LITERAL(c, "NORMAL") && !SCAN_LITERAL(c, "NO_FORCE"))
        return KERNEL_BAD;
    return kernel_text_bounced(trace, text, event, mask, orig, size, forced);
}

static enum kernel_result on_map(struct bounce_trace *trace, struct kernel_text *text,
                                 struct cursor *c, struct kernel_event *event)
{
    uint64_t dma, orig, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !SCAN_FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !SCAN_FIELD(c, "size=") ||
        !scan_decimal(c, &size) || !SCAN_FIELD(c, "phys_addr=") || !scan_hex(c, &orig) ||
        !scan_attrs(c, &event->attrs) || !size)
        return KERNEL_BAD;
    return HANDLED(dma_events_map(trace, text->dma, event, dma, orig, size));
}

static enum kernel_result on_unmap(struct bounce_trace *trace, struct kernel_text *text,
                                   struct cursor *c, struct kernel_event *event)
{
    uint64_t dma, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !SCAN_FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !SCAN_FIELD(c, "size=") ||
        !scan_decimal(c, &size) || !scan_attrs(c, &event->attrs))
        return KERNEL_BAD;
    return HANDLED(dma_events_unmap(trace, text->dma, event, dma, size));
}

enum kernel_result kernel_text_map_sg(struct bounce_trace *trace, struct kernel_text *text,
                                      struct kernel_event *event, const struct sg_entries *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!list->sizes[i])
            return KERNEL_BAD;
    return HANDLED(dma_events_map_sg(trace, text->dma, event, list));
}

static enum kernel_result on_map_sg(struct bounce_trace *trace, struct kernel_text *text,
                                    struct cursor *c, struct kernel_event *event)
{
    struct sg_entries list = {text->orig_addrs, text->dma_addrs, text->sizes, 0, false};
    uint32_t dmas, sizes, origs;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir))
        return KERNEL_BAD;
    list.truncated = memmem(c->at, (size_t)(c->end - c->at), "[TRUNCATED]", 11) != NULL;
    if (!SCAN_FIELD(c, "dma_addrs=") || !scan_array(c, text->dma_addrs, &dmas) ||
        !SCAN_FIELD(c, "sizes=") || !scan_array(c, text->sizes, &sizes) ||
        !SCAN_FIELD(c, "phys_addrs=") || !scan_array(c, text->orig_addrs, &origs) ||
        !scan_attrs(c, &event->attrs) || dmas != sizes)
        return KERNEL_BAD;
    /* An IOMMU may merge entries: then the arrays differ in length and nothing was bounced. */
    list.count = dmas < origs ? dmas : origs;
    return kernel_text_map_sg(trace, text, event, &list);
}

static enum kernel_result on_unmap_sg(struct bounce_trace *trace, struct kernel_text *text,
                                      struct cursor *c, struct kernel_event *event)
{
    uint32_t count;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !SCAN_FIELD(c, "phys_addrs=") || !scan_array(c, text->orig_addrs, &count) ||
        !scan_attrs(c, &event->attrs))
        return KERNEL_BAD;
    return HANDLED(dma_events_unmap_sg(trace, text->dma, event, text->orig_addrs, count));
}

static enum kernel_result sync_one(struct bounce_trace *trace, struct kernel_text *text,
                                   struct cursor *c, struct kernel_event *event, bool for_cpu)
{
    uint64_t dma, size;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !SCAN_FIELD(c, "dma_addr=") || !scan_hex(c, &dma) || !SCAN_FIELD(c, "size=") ||
        !scan_decimal(c, &size))
        return KERNEL_BAD;
    return HANDLED(dma_events_sync(trace, text->dma, event, dma, size, for_cpu));
}

enum kernel_result kernel_text_sync_sg(struct bounce_trace *trace, struct kernel_text *text,
                                       struct kernel_event *event, uint32_t count, bool for_cpu)
{
    for (uint32_t i = 0; i < count; i++)
        if (!dma_events_sync(trace, text->dma, event, text->dma_addrs[i], text->sizes[i], for_cpu))
            return KERNEL_NO_ROOM;
    return KERNEL_TAKEN;
}

static enum kernel_result sync_list(struct bounce_trace *trace, struct kernel_text *text,
                                    struct cursor *c, struct kernel_event *event, bool for_cpu)
{
    uint32_t count, sizes;

    if (!scan_device(trace, c, &event->device) || !scan_dir(c, &event->dir) ||
        !SCAN_FIELD(c, "dma_addrs=") || !scan_array(c, text->dma_addrs, &count) ||
        !SCAN_FIELD(c, "sizes=") || !scan_array(c, text->sizes, &sizes) || count != sizes)
        return KERNEL_BAD;
    return kernel_text_sync_sg(trace, text, event, count, for_cpu);
}

static enum kernel_result on_sync_for_cpu(struct bounce_trace *trace, struct kernel_text *text,
                                          struct cursor *c, struct kernel_event *event)
{
    return sync_one(trace, text, c, event, true);
}

static enum kernel_result on_sync_for_device(struct bounce_trace *trace, struct kernel_text *text,
                                             struct cursor *c, struct kernel_event *event)
{
    return sync_one(trace, text, c, event, false);
}

static enum kernel_result on_sync_sg_for_cpu(struct bounce_trace *trace, struct kernel_text *text,
                                             struct cursor *c, struct kernel_event *event)
{
    return sync_list(trace, text, c, event, true);
}

static enum kernel_result on_sync_sg_for_device(struct bounce_trace *trace,
                                                struct kernel_text *text, struct cursor *c,
                                                struct kernel_event *event)
{
    return sync_list(trace, text, c, event, false);
}

static enum kernel_result on_coherent(struct bounce_trace *trace, struct kernel_text *text,
                                      struct cursor *c, struct kernel_event *event)
{
    (void)trace;
    (void)text;
    (void)c;
    (void)event;
    return KERNEL_COHERENT;
}

#define EVENT(name, kind, handler, tells)                                                          \
    {                                                                                              \
        name, sizeof(name) - 1, kind, handler, tells                                               \
    }

static const struct kernel_text_event events[] = {
    EVENT("swiotlb_bounced", KERNEL_BOUNCED, on_bounced, false),
    EVENT("dma_map_page", KERNEL_MAP, on_map, true),
    EVENT("dma_unmap_page", KERNEL_UNMAP, on_unmap, true),
    EVENT("dma_map_phys", KERNEL_MAP, on_map, true),
    EVENT("dma_unmap_phys", KERNEL_UNMAP, on_unmap, true),
    EVENT("dma_map_sg", KERNEL_MAP_SG, on_map_sg, true),
    EVENT("dma_unmap_sg", KERNEL_UNMAP_SG, on_unmap_sg, true),
    EVENT("dma_sync_single_for_cpu", KERNEL_SYNC_FOR_CPU, on_sync_for_cpu, true),
    EVENT("dma_sync_single_for_device", KERNEL_SYNC_FOR_DEVICE, on_sync_for_device, true),
    EVENT("dma_sync_sg_for_cpu", KERNEL_SYNC_SG_FOR_CPU, on_sync_sg_for_cpu, true),
    EVENT("dma_sync_sg_for_device", KERNEL_SYNC_SG_FOR_DEVICE, on_sync_sg_for_device, true),
    EVENT("dma_alloc", KERNEL_COHERENT_MEMORY, on_coherent, false),
    EVENT("dma_alloc_pages", KERNEL_COHERENT_MEMORY, on_coherent, false),
    EVENT("dma_alloc_sgt", KERNEL_COHERENT_MEMORY, on_coherent, false),
    EVENT("dma_free", KERNEL_COHERENT_MEMORY, on_coherent, false),
    EVENT("dma_free_pages", KERNEL_COHERENT_MEMORY, on_coherent, false),
    EVENT("dma_free_sgt", KERNEL_COHERENT_MEMORY, on_coherent, false),
};

const struct kernel_text_event *kernel_text_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i].length == length && memcmp(events[i].name, name, length) == 0)
            return &events[i];
    return NULL;
}
