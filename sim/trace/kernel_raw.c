/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_raw.h"

/* Bits of include/linux/dma-mapping.h */
#define DMA_ATTR_SKIP_CPU_SYNC (1u << 5)
#define DMA_ATTR_NO_WARN       (1u << 8)

#define HANDLED(ok) ((ok) ? KERNEL_TAKEN : KERNEL_NO_ROOM)

/* The value of a field; fields come in any order. `name` begins with a blank, ends with "=". */
static bool find_field(struct cursor fields, const char *name, struct cursor *value)
{
    size_t length = strlen(name);
    const char *found = memmem(fields.at, (size_t)(fields.end - fields.at), name, length);

    if (!found)
        return false;
    *value = (struct cursor){found + length, fields.end};
    return true;
}

/* Decimal, or hexadecimal with 0x. */
static bool number(struct cursor fields, const char *name, uint64_t *value)
{
    struct cursor c;

    if (!find_field(fields, name, &c))
        return false;
    if (c.end - c.at > 2 && c.at[0] == '0' && c.at[1] == 'x')
        return scan_hex(&c, value);
    if (SCAN_LITERAL(&c, "18446744073709551615")) { /* more digits than scan_decimal() takes */
        *value = UINT64_MAX;
        return true;
    }
    return scan_decimal(&c, value);
}

static bool device(struct bounce_trace *trace, struct cursor fields, const char *name,
                   struct kernel_event *event)
{
    struct cursor c;
    const char *word;
    size_t length;

    if (!find_field(fields, name, &c) || !scan_word(&c, &word, &length))
        return false;
    event->device = trace_device(trace, word, length);
    return event->device != UINT16_MAX;
}

static bool direction(struct cursor fields, struct kernel_event *event)
{
    static const uint8_t dirs[] = {BOUNCE_BIDIRECTIONAL, BOUNCE_TO_DEVICE, BOUNCE_FROM_DEVICE,
                                   BOUNCE_DIR_NONE};
    uint64_t dir;

    if (!number(fields, " dir=", &dir) || dir >= sizeof(dirs))
        return false;
    event->dir = dirs[dir];
    return true;
}

static void attributes(struct cursor fields, struct kernel_event *event)
{
    uint64_t attrs = 0;

    (void)number(fields, " attrs=", &attrs);
    event->attrs = 0;
    if (attrs & DMA_ATTR_SKIP_CPU_SYNC)
        event->attrs |= BOUNCE_ATTR_SKIP_CPU_SYNC;
    if (attrs & DMA_ATTR_NO_WARN)
        event->attrs |= BOUNCE_ATTR_NO_WARN;
}

/* ARRAY[00, b0, ...]: the bytes of numbers of `width` bytes. */
static bool array(const struct kernel_text *text, struct cursor fields, const char *name,
                  unsigned width, uint64_t *values, uint32_t *count)
{
    struct cursor c;
    uint32_t bytes = 0;

    if (!find_field(fields, name, &c) || !SCAN_LITERAL(&c, "ARRAY["))
        return false;
    while (!scan_char(&c, ']')) {
        uint32_t at = bytes / width, within = bytes % width;
        uint64_t byte;

        if (bytes && !SCAN_LITERAL(&c, ", "))
            return false;
        if (at == SG_ENTRIES_MAX || !scan_hex(&c, &byte) || byte > 0xff)
            return false;
        if (within == 0)
            values[at] = 0;
        values[at] |= byte << 8 * (text->big_endian ? width - 1 - within : within);
        bytes++;
    }
    *count = bytes / width;
    return bytes % width == 0;
}

static enum kernel_result take_bounced(struct bounce_trace *trace, struct kernel_text *text,
                                       struct cursor fields, struct kernel_event *event)
{
    uint64_t mask, orig, size, force;

    if (!device(trace, fields, " dev_name=", event) || !number(fields, " dma_mask=", &mask) ||
        !number(fields, " dev_addr=", &orig) || !number(fields, " size=", &size) || !size ||
        (!number(fields, " force=", &force) && !number(fields, " swiotlb_force=", &force)))
        return KERNEL_BAD;
    return kernel_text_bounced(trace, text, event, mask, orig, size, force == 1);
}

static enum kernel_result take_map_sg(struct bounce_trace *trace, struct kernel_text *text,
                                      struct cursor fields, struct kernel_event *event)
{
    struct sg_entries list = {text->orig_addrs, text->dma_addrs, text->sizes, 0, false};
    uint32_t origs, dmas, sizes;
    uint64_t truncated = 0;

    if (!array(text, fields, " phys_addrs=", 8, text->orig_addrs, &origs) ||
        !array(text, fields, " dma_addrs=", 8, text->dma_addrs, &dmas) ||
        !array(text, fields, " lengths=", 4, text->sizes, &sizes) || dmas != sizes)
        return KERNEL_BAD;
    (void)number(fields, " truncated=", &truncated);
    list.truncated = truncated != 0;
    list.count = dmas < origs ? dmas : origs;
    return kernel_text_map_sg(trace, text, event, &list);
}

static enum kernel_result take_sync_sg(struct bounce_trace *trace, struct kernel_text *text,
                                       const struct kernel_text_event *what, struct cursor fields,
                                       struct kernel_event *event)
{
    uint32_t count, sizes;

    if (!array(text, fields, " dma_addrs=", 8, text->dma_addrs, &count) ||
        !array(text, fields, " lengths=", 4, text->sizes, &sizes) || count != sizes)
        return KERNEL_BAD;
    return kernel_text_sync_sg(trace, text, event, count, what->kind == KERNEL_SYNC_SG_FOR_CPU);
}

static enum kernel_result take_one(struct bounce_trace *trace, struct kernel_text *text,
                                   const struct kernel_text_event *what, struct cursor fields,
                                   struct kernel_event *event)
{
    uint64_t dma, size, orig;

    /* 6.12 calls the address of an unmap `addr`. */
    if ((!number(fields, " dma_addr=", &dma) && !number(fields, " addr=", &dma)) ||
        !number(fields, " size=", &size))
        return KERNEL_BAD;
    if (what->kind == KERNEL_UNMAP)
        return HANDLED(dma_events_unmap(trace, text->dma, event, dma, size));
    if (what->kind != KERNEL_MAP)
        return HANDLED(
            dma_events_sync(trace, text->dma, event, dma, size, what->kind == KERNEL_SYNC_FOR_CPU));
    if (!number(fields, " phys_addr=", &orig) || !size)
        return KERNEL_BAD;
    return HANDLED(dma_events_map(trace, text->dma, event, dma, orig, size));
}

enum kernel_result kernel_raw_take(struct bounce_trace *trace, struct kernel_text *text,
                                   const struct kernel_text_event *what, struct cursor fields,
                                   struct kernel_event *event)
{
    uint32_t count;

    if (what->kind == KERNEL_COHERENT_MEMORY)
        return KERNEL_COHERENT;
    if (what->kind == KERNEL_BOUNCED)
        return take_bounced(trace, text, fields, event);
    if (!device(trace, fields, " device=", event) || !direction(fields, event))
        return KERNEL_BAD;
    attributes(fields, event);
    switch (what->kind) {
    case KERNEL_MAP_SG:
        return take_map_sg(trace, text, fields, event);
    case KERNEL_UNMAP_SG:
        if (!array(text, fields, " addrs=", 8, text->orig_addrs, &count))
            return KERNEL_BAD;
        return HANDLED(dma_events_unmap_sg(trace, text->dma, event, text->orig_addrs, count));
    case KERNEL_SYNC_SG_FOR_CPU:
    case KERNEL_SYNC_SG_FOR_DEVICE:
        return take_sync_sg(trace, text, what, fields, event);
    default:
        return take_one(trace, text, what, fields, event);
    }
}
