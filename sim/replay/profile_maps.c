/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings, bounced or not. */
#include "profile_state.h"

#include "bounce/dma.h"

static uint64_t slots_of_map(const struct bounce_device *device, const struct bounce_event *event)
{
    const struct bounce_map_request request = {.device = device,
                                               .orig_addr = event->orig_addr,
                                               .size = event->size,
                                               .alloc_align_mask = event->alloc_align_mask,
                                               .cpu = event->cpu};

    return bounce_swiotlb_slots(&request, event->kind == BOUNCE_EVENT_ALLOC);
}

static bool bounces(const struct bounce_profile *p, const struct bounce_device *device,
                    const struct bounce_event *event)
{
    const struct bounce_dma dma = {.force = p->config.force,
                                   .allocator_calls = p->config.allocator_calls};

    if (event->kind == BOUNCE_EVENT_ALLOC || event->recorded >= BOUNCE_RECORDED_ADDRESS)
        return true;
    if (event->recorded == BOUNCE_RECORDED_DIRECT || p->config.tells_bounces)
        return false;
    return bounce_dma_must_bounce(&dma, device, event->orig_addr, event->size);
}

enum bounce_status profile_map(struct bounce_profile *p, const struct bounce_device *devices,
                               const struct bounce_event *event)
{
    const struct bounce_device *device = &devices[event->device];
    /* Of a failed list only swiotlb_bounced is recorded, which tells no direction. */
    uint8_t dir = event->flags & BOUNCE_EVENT_LIST_OPEN ? BOUNCE_DIR_NONE : event->dir % DIRS;
    struct bounce_profile_stream *stream = profile_stream(p, event->device, dir);
    struct live *l = profile_live(p, event->handle);
    bool first = !(event->flags & BOUNCE_EVENT_IN_LIST) || (event->flags & BOUNCE_EVENT_LIST_FIRST);
    bool bounced = bounces(p, device, event);
    uint64_t slots = bounced ? slots_of_map(device, event) : 0;
    enum bounce_status status;

    if (bounce_event_is_hidden(event))
        return BOUNCE_OK;
    if (!stream || !l)
        return BOUNCE_NO_MEMORY;
    status = profile_end(p, l, false);
    if (status)
        return status;
    if (event->flags & BOUNCE_EVENT_HELD) {
        stream->held++;
    } else {
        stream->bounced += bounced;
        stream->bounced_bytes += bounced ? event->size : 0;
        stream->unaligned += (event->orig_addr & PAGE_MASK_4K) != 0;
        if (bounced)
            stream->padded_slots += slots - rounded_slots(event->size);
        stream->slots_max = slots > stream->slots_max ? slots : stream->slots_max;
        status = profile_count(p, stream, event, slots);
        if (status)
            return status;
        stream->failed += event->recorded == BOUNCE_RECORDED_FULL;
        stream->tried += event->recorded == BOUNCE_RECORDED_TRIED;
        if (event->recorded == BOUNCE_RECORDED_FULL || event->recorded == BOUNCE_RECORDED_TRIED)
            return BOUNCE_OK;
    }
    *l = (struct live){
        .since_ns = p->now_ns,
        .size = event->size,
        .slots = slots,
        .pieces = first,
        .device = event->device,
        .dir = dir,
        .held = (event->flags & BOUNCE_EVENT_HELD) != 0,
    };
    status = profile_begin(p, l);
    if (status || first || event->list >= p->room || !p->live[event->list].is_live)
        return status;
    p->live[event->list].pieces++;
    return bounce_histogram_add(&stream->loads[p->live[event->list].load].sizes, event->size, 1);
}
