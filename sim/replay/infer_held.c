/* SPDX-License-Identifier: Apache-2.0 */
/* What was mapped before the recording began. */
#include "infer.h"

#include <stdlib.h>

void bounce_infer_begun(const struct bounce_evidence *evidence, struct bounce_event *events,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bounce_event *map = &events[i];

        if (map->kind != BOUNCE_EVENT_MAP || map->recorded != BOUNCE_RECORDED_NOTHING ||
            !map->tlb_addr || map->tlb_addr < evidence->low || map->tlb_addr >= evidence->high)
            continue;
        map->recorded = BOUNCE_RECORDED_ADDRESS;
        map->flags = BOUNCE_EVENT_HELD;
    }
}

size_t bounce_infer_held(uint64_t low, uint64_t high, struct bounce_event *events, size_t count,
                         struct bounce_event *held, uint32_t first_handle)
{
    size_t found = 0;

    for (size_t i = 0; i < count && first_handle + found < BOUNCE_HELD_TOLD; i++) {
        struct bounce_event *unmap = &events[i];

        if (!(unmap->flags & BOUNCE_EVENT_UNMATCHED) || unmap->handle < BOUNCE_HELD_MAX ||
            unmap->tlb_addr < low || unmap->tlb_addr >= high)
            continue;
        unmap->handle = first_handle + (uint32_t)found;
        held[found++] = (struct bounce_event){
            .id = UINT64_MAX,
            .orig_addr = unmap->tlb_addr,
            .tlb_addr = unmap->tlb_addr,
            .size = unmap->size,
            .handle = unmap->handle,
            .list = BOUNCE_NO_LIST,
            .device = unmap->device,
            .cpu = unmap->cpu,
            .kind = BOUNCE_EVENT_MAP,
            .dir = unmap->dir,
            .recorded = BOUNCE_RECORDED_ADDRESS,
            .flags = BOUNCE_EVENT_HELD,
        };
    }
    return found;
}

/* Adds what was found out to be held, takes away what was found out to be gone; returns how many
 * there are then. */
static size_t follow_hidden(const struct bounce_event *event, struct bounce_event *held,
                            size_t count, size_t capacity)
{
    bool is_map = event->kind == BOUNCE_EVENT_MAP && (event->flags & BOUNCE_EVENT_HELD);

    if (!(event->flags & BOUNCE_EVENT_IMPLIED) || event->id != UINT64_MAX)
        return count;
    if (is_map && count < capacity)
        held[count++] = *event;
    for (size_t i = 0; i < count && !is_map; i++)
        if (held[i].handle == event->handle)
            held[i] = held[--count];
    return count;
}

static int by_address(const void *a, const void *b)
{
    const struct bounce_event *x = a, *y = b;

    return x->tlb_addr < y->tlb_addr ? -1 : x->tlb_addr > y->tlb_addr;
}

enum bounce_status bounce_infer_hidden(const struct bounce_inference *inference,
                                       const struct bounce_device *devices,
                                       const struct bounce_event *events, size_t count,
                                       struct bounce_event *held, size_t capacity, size_t *found)
{
    struct bounce_order_config config = infer_order(inference);
    struct bounce_event *out = malloc(INFER_BATCH * sizeof(*out));
    struct bounce_order *order = NULL;
    enum bounce_status status = out ? bounce_order_create(&config, &order, NULL) : BOUNCE_NO_MEMORY;
    size_t pushed = 0, got = 1;

    *found = 0;
    while (!status && (got || pushed < count)) {
        pushed += bounce_order_push(order, devices, events + pushed, count - pushed);
        got = bounce_order_pop(order, out, INFER_BATCH, pushed == count);
        for (size_t i = 0; i < got; i++)
            *found = follow_hidden(&out[i], held, *found, capacity);
    }
    qsort(held, *found, sizeof(*held), by_address);
    for (size_t i = 0; i < *found; i++)
        held[i].time_ns = 0;
    bounce_order_destroy(order);
    free(out);
    return status;
}
