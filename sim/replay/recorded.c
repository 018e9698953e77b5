/* SPDX-License-Identifier: Apache-2.0 */
/* Following a recording: its pool answers as it did, and both answers are compared. */
#include "replay_state.h"

void recorded_hold(struct bounce_replay *replay, const struct bounce_device *devices,
                   const struct bounce_event *event)
{
    struct entry *entry = &replay->entries[event->handle];
    struct bounce_map_request request = {.device = &devices[event->device],
                                         .orig_addr = event->orig_addr,
                                         .size = event->size,
                                         .cpu = event->cpu};
    struct bounce_map_result result;
    struct bounce_device other;

    if (entry->mapping.state != BOUNCE_UNMAPPED)
        return;
    if (!event->tlb_addr) { /* of a device that nothing is known of: without limits */
        bounce_device_init(&other, devices[event->device].name);
        request.device = &other;
    }
    replay->stats.events_held_maps++;
    entry->device = event->device;
    if (!replay->as_recorded ||
        !bounce_dma_place(&replay->dma, &request, (enum bounce_dir)event->dir, event->tlb_addr,
                          false, &entry->mapping, &result))
        bounce_dma_map(&replay->dma, &request, (enum bounce_dir)event->dir, true, &entry->mapping,
                       &result);
    replay_tell_copy_out(replay, &entry->mapping);
}

bool recorded_denies(const struct bounce_replay *replay, const struct bounce_event *event)
{
    return replay->as_recorded && (replay->put_right || (event->flags & BOUNCE_EVENT_DENIED));
}

/* Whether the allocator as it stands would give another answer than the recorded one. */
static bool goes_astray(const struct bounce_replay *replay, const struct bounce_event *event,
                        const struct bounce_map_request *request)
{
    struct bounce_map_result answer;

    if (!replay->in_step ||
        (event->recorded != BOUNCE_RECORDED_ADDRESS && event->recorded != BOUNCE_RECORDED_FULL) ||
        !bounce_swiotlb_peek(replay->dma.mem, request, &answer))
        return false;
    if (event->recorded == BOUNCE_RECORDED_FULL)
        return answer.outcome == BOUNCE_MAP_OK;
    return answer.outcome != BOUNCE_MAP_OK || answer.tlb_addr != event->tlb_addr;
}

/* Whoever has the recorded slots has ended, whatever the records tell. O(handles). */
static bool make_way(struct bounce_replay *replay, const struct bounce_device *devices,
                     const struct bounce_event *event)
{
    const uint64_t slot = (UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1;
    uint64_t from = event->tlb_addr & ~slot, to = (event->tlb_addr + event->size + slot) & ~slot;
    bool found = false;

    for (uint32_t handle = 0; handle < replay->room; handle++) {
        struct entry *entry = &replay->entries[handle];
        const struct bounce_mapping *m = &entry->mapping;

        if (m->state != BOUNCE_BOUNCED || (m->dma_addr & ~slot) >= to ||
            ((m->dma_addr + m->size + slot) & ~slot) <= from)
            continue;
        replay_release(replay, &devices[entry->device], entry, BOUNCE_ATTR_SKIP_CPU_SYNC);
        found = true;
    }
    return found;
}

bool recorded_map(struct bounce_replay *replay, const struct bounce_device *devices,
                  const struct bounce_event *event, const struct bounce_map_request *request,
                  struct entry *entry, struct bounce_map_result *result)
{
    enum bounce_dir dir = (enum bounce_dir)event->dir;
    bool placed = event->flags & BOUNCE_EVENT_PLACED;
    bool transient = event->flags & BOUNCE_EVENT_TRANSIENT;

    if (event->flags & BOUNCE_EVENT_CURSOR)
        bounce_swiotlb_aim(replay->dma.mem, request, event->tlb_addr);
    replay->put_right = !placed && !transient && goes_astray(replay, event, request);
    placed |= replay->put_right && event->recorded == BOUNCE_RECORDED_ADDRESS;
    if (!placed && recorded_denies(replay, event) &&
        bounce_swiotlb_peek(replay->dma.mem, request, result)) {
        result->outcome = BOUNCE_MAP_FULL;
        result->tlb_addr = 0;
        result->slots = 0;
        return true;
    }
    if (placed && bounce_dma_place(&replay->dma, request, dir, event->tlb_addr, true,
                                   &entry->mapping, result))
        return true;
    if (replay->put_right && placed && make_way(replay, devices, event) &&
        bounce_dma_place(&replay->dma, request, dir, event->tlb_addr, true, &entry->mapping,
                         result))
        return true;
    if (!replay->recorded_growth ||
        (event->recorded != BOUNCE_RECORDED_ADDRESS && event->recorded != BOUNCE_RECORDED_FULL))
        return false;
    bounce_dma_map_recorded(&replay->dma, request, dir, transient ? event->tlb_addr : 0,
                            &entry->mapping, result);
    return true;
}

void recorded_compare(struct bounce_replay *replay, const struct bounce_event *event,
                      const struct bounce_map_result *result)
{
    struct bounce_stats *stats = &replay->stats;
    bool failed = result->outcome != BOUNCE_MAP_OK;
    bool explained =
        !replay->put_right && !(event->flags & (BOUNCE_EVENT_PLACED | BOUNCE_EVENT_DENIED));
    bool equal = false;

    switch ((enum bounce_recorded)event->recorded) {
    case BOUNCE_RECORDED_NOTHING:
    case BOUNCE_RECORDED_DIRECT:
    case BOUNCE_RECORDED_BOUNCES:
        return;
    case BOUNCE_RECORDED_TRIED: /* whatever came of it, the record does not contradict */
        equal = true;
        break;
    case BOUNCE_RECORDED_ADDRESS:
        equal = explained && !failed && result->tlb_addr == event->tlb_addr;
        break;
    case BOUNCE_RECORDED_OK:
        equal = !failed;
        break;
    case BOUNCE_RECORDED_FULL:
        equal = explained && failed;
        stats->recorded_full_recorded++;
        stats->recorded_full_equal += equal;
        break;
    }
    stats->recorded_maps_compared++;
    stats->recorded_addresses_equal += equal;
}
