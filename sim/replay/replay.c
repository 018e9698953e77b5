/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/replay.h"

#include "replay_state.h"

#include <stdlib.h>
#include <string.h>

enum bounce_status bounce_replay_create(const struct bounce_replay_config *config,
                                        const struct bounce_replay_hooks *hooks,
                                        struct bounce_replay **out, struct bounce_error *error)
{
    struct bounce_replay *replay = calloc(1, sizeof(*replay));
    enum bounce_status status;

    if (!replay)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    status = bounce_swiotlb_create(&config->pool, &replay->dma.mem, error);
    if (status) {
        free(replay);
        return status;
    }
    replay->dma.force = config->force;
    replay->dma.allocator_calls = config->allocator_calls;
    replay->as_recorded = config->as_recorded;
    replay->in_step = config->as_recorded && config->in_step;
    replay->recorded_growth = config->as_recorded && config->recorded_growth;
    replay->times_worker = !config->allocator_calls && !replay->recorded_growth;
    replay->worker_delay_ns = config->worker_delay_ns;
    replay->conversion_page_ns = config->conversion_page_ns;
    replay->worker_due_ns = NEVER;
    replay->segment_slots = bounce_config_segment_slots(&config->pool);
    if (hooks)
        replay->hooks = *hooks;
    if (config->throttle) {
        if (config->pool.device_nslabs)
            status = bounce_refuse(error, BOUNCE_INVALID, 0,
                                   "throttling with a pool for each device; one pool is modelled");
        else
            status = throttle_create(config->throttle, config->pool.nslabs, replay,
                                     &replay->throttle, error);
        if (status) {
            bounce_replay_destroy(replay);
            return status;
        }
    }
    *out = replay;
    return BOUNCE_OK;
}

void bounce_replay_destroy(struct bounce_replay *replay)
{
    if (!replay)
        return;
    throttle_destroy(replay->throttle);
    bounce_swiotlb_destroy(replay->dma.mem);
    free(replay->entries);
    free(replay);
}

static bool make_room(struct bounce_replay *replay, uint32_t handle)
{
    uint32_t room = replay->room ? replay->room : 256;
    struct entry *entries;

    while (room <= handle)
        room *= 2;
    entries = realloc(replay->entries, room * sizeof(*entries));
    if (!entries)
        return false;
    memset(entries + replay->room, 0, (room - replay->room) * sizeof(*entries));
    replay->entries = entries;
    replay->room = room;
    return true;
}

static void note_external(struct bounce_replay *replay)
{
    const struct bounce_swiotlb_counts *counts = bounce_swiotlb_get_counts(replay->dma.mem);
    uint64_t free = counts->nslabs + counts->transient_nslabs - counts->used;
    double share;

    if (!free)
        return;
    share = 1.0 - (double)(counts->free_segments * replay->segment_slots) / (double)free;
    if (share > replay->external_hiwater)
        replay->external_hiwater = share;
}

static void tell_copy(struct bounce_replay *replay, const struct bounce_mapping *mapping,
                      uint64_t orig_addr, uint64_t tlb_addr, uint64_t bytes, bool to_device)
{
    struct bounce_copy copy = {.orig_addr = orig_addr, .bytes = bytes};

    if (bytes && replay->hooks.copied)
        replay->hooks.copied(replay->hooks.context, mapping, &copy, tlb_addr, to_device);
}

void replay_tell_copy_out(struct bounce_replay *replay, const struct bounce_mapping *mapping)
{
    if (mapping->state == BOUNCE_BOUNCED)
        tell_copy(replay, mapping, mapping->orig_addr, mapping->dma_addr, mapping->size, true);
}

void replay_release(struct bounce_replay *replay, const struct bounce_device *device,
                    struct entry *entry, unsigned attrs)
{
    uint64_t copied;
    bool pooled = entry->mapping.state == BOUNCE_BOUNCED || entry->mapping.state == BOUNCE_COHERENT;

    replay->stats.events_unmaps += pooled;
    if (pooled && replay->hooks.freed)
        replay->hooks.freed(replay->hooks.context, &entry->mapping);
    copied = bounce_dma_unmap(&replay->dma, device, &entry->mapping, attrs);
    tell_copy(replay, &entry->mapping, entry->mapping.orig_addr, entry->mapping.dma_addr, copied,
              false);
}

bool replay_bounces(const struct bounce_replay *replay, const struct bounce_device *device,
                    const struct bounce_event *event)
{
    /* The recorded kernel may have had reasons that the masks do not show. */
    return event->recorded >= BOUNCE_RECORDED_ADDRESS ||
           bounce_dma_must_bounce(&replay->dma, device, event->orig_addr, event->size);
}

static void on_map(struct bounce_replay *replay, const struct bounce_device *devices,
                   const struct bounce_event *event)
{
    const struct bounce_device *device = &devices[event->device];
    struct entry *entry = &replay->entries[event->handle];
    struct bounce_map_request request = {
        .device = device,
        .orig_addr = event->orig_addr,
        .size = event->size,
        .alloc_align_mask = event->alloc_align_mask,
        .cpu = event->cpu,
    };
    struct entry *list = event->flags & BOUNCE_EVENT_IN_LIST ? &replay->entries[event->list] : NULL;
    struct bounce_map_result result;
    bool bounce;

    replay->put_right = false;
    if (entry->mapping.state != BOUNCE_UNMAPPED)
        replay_release(replay, device, entry, BOUNCE_ATTR_SKIP_CPU_SYNC);
    entry->device = event->device;
    if (list && !list_enter(list, event)) {
        replay->stats.events_list_entries_not_tried++;
        return;
    }
    if (event->kind == BOUNCE_EVENT_ALLOC) {
        bounce = true;
        bounce_dma_alloc(&replay->dma, &request, &entry->mapping, &result);
    } else {
        bounce = replay_bounces(replay, device, event);
        if (!replay->as_recorded || !recorded_map(replay, devices, event, &request, entry, &result))
            bounce_dma_map(&replay->dma, &request, (enum bounce_dir)event->dir, bounce,
                           &entry->mapping, &result);
    }
    replay_tell_copy_out(replay, &entry->mapping);
    if (!bounce) {
        replay->stats.events_direct_maps++;
    } else {
        replay->stats.events_maps++;
        if (result.probes > replay->stats.search_probes_max)
            replay->stats.search_probes_max = result.probes;
        recorded_compare(replay, event, &result);
        if (replay->hooks.mapped)
            replay->hooks.mapped(replay->hooks.context, event, &result);
        if (replay->hooks.taken && result.outcome == BOUNCE_MAP_OK)
            replay->hooks.taken(replay->hooks.context, event, &result, replay->dma.mem);
        if (result.outcome == BOUNCE_MAP_OK)
            note_external(replay);
        else if (list_counts_failure(list, event))
            failure_count(replay, event, &request, &result);
        else
            replay->stats.events_list_attempts++;
    }
    /* It failed when recorded, so its driver tried again: that attempt is in the trace and carries
     * the load from there on; an unmap for this one will never come. */
    if (event->recorded == BOUNCE_RECORDED_FULL && !list && result.outcome == BOUNCE_MAP_OK) {
        replay_release(replay, device, entry, BOUNCE_ATTR_SKIP_CPU_SYNC);
        replay->stats.events_retried_maps++;
    }
    if (!list)
        return;
    if (result.outcome == BOUNCE_MAP_OK)
        list_link(replay, list, event->handle);
    if (result.outcome != BOUNCE_MAP_OK ||
        ((event->flags & BOUNCE_EVENT_LIST_OPEN) && (event->flags & BOUNCE_EVENT_LIST_LAST)))
        list_fail(replay, device, list,
                  replay->as_recorded && (event->flags & BOUNCE_EVENT_SLOWLY) &&
                      result.outcome != BOUNCE_MAP_OK);
}

static void on_sync(struct bounce_replay *replay, const struct bounce_device *devices,
                    const struct bounce_event *event)
{
    const struct entry *entry = &replay->entries[event->handle];
    bool for_cpu = event->kind == BOUNCE_EVENT_SYNC_FOR_CPU;
    struct bounce_copy copy;

    if (entry->mapping.state != BOUNCE_BOUNCED)
        return;
    replay->stats.events_syncs++;
    copy = bounce_dma_sync(&replay->dma, &devices[event->device], &entry->mapping, event->offset,
                           event->size, for_cpu);
    tell_copy(replay, &entry->mapping, copy.orig_addr, entry->mapping.dma_addr + event->offset,
              copy.bytes, !for_cpu);
}

static enum bounce_status run(struct bounce_replay *replay, const struct bounce_device *devices,
                              const struct bounce_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bounce_event *event = &events[i];

        if (event->handle >= replay->room && !make_room(replay, event->handle))
            return BOUNCE_NO_MEMORY;
        if (event->time_ns >= replay->worker_due_ns) {
            replay->worker_due_ns = NEVER;
            bounce_swiotlb_run_worker(replay->dma.mem);
        }
        switch ((enum bounce_event_kind)event->kind) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            if (event->flags & BOUNCE_EVENT_HELD) {
                recorded_hold(replay, devices, event);
                break;
            }
            on_map(replay, devices, event);
            if (replay->worker_due_ns == NEVER && replay->times_worker &&
                bounce_swiotlb_worker_queued(replay->dma.mem))
                replay->worker_due_ns = event->time_ns + replay->worker_delay_ns;
            break;
        case BOUNCE_EVENT_UNMAP:
            replay_release(replay, &devices[event->device], &replay->entries[event->handle],
                           event->attrs);
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            on_sync(replay, devices, event);
            continue;
        case BOUNCE_EVENT_ISSUE:
        case BOUNCE_EVENT_COMPLETE:
            continue; /* requests are made into mappings before they come here */
        case BOUNCE_EVENT_RESTART:
            bounce_swiotlb_restart(replay->dma.mem);
            for (uint32_t handle = 0; handle < replay->room; handle++)
                replay->entries[handle].mapping.state = BOUNCE_UNMAPPED;
            break;
        case BOUNCE_EVENT_WORKER:
            bounce_swiotlb_run_worker(replay->dma.mem);
            break;
        case BOUNCE_EVENT_GROW:
            if (!replay->recorded_growth)
                continue;
            bounce_swiotlb_add_pool(replay->dma.mem, event->tlb_addr, event->size, event->segments,
                                    (uint32_t)event->offset);
            break;
        case BOUNCE_EVENT_LOST:
            continue;
        }
        if (replay->hooks.changed)
            replay->hooks.changed(replay->hooks.context, event, replay->dma.mem);
    }
    return BOUNCE_OK;
}

enum bounce_status replay_apply(struct bounce_replay *replay, const struct bounce_device *devices,
                                const struct bounce_event *event)
{
    return run(replay, devices, event, 1);
}

enum bounce_status bounce_replay_run(struct bounce_replay *replay,
                                     const struct bounce_device *devices,
                                     const struct bounce_event *events, size_t count)
{
    return replay->throttle ? throttle_run(replay->throttle, devices, events, count)
                            : run(replay, devices, events, count);
}

enum bounce_status bounce_replay_finish(struct bounce_replay *replay,
                                        const struct bounce_device *devices)
{
    return replay->throttle ? throttle_finish(replay->throttle, devices) : BOUNCE_OK;
}

const struct bounce_swiotlb *bounce_replay_mem(const struct bounce_replay *replay)
{
    return replay->dma.mem;
}

const struct bounce_mapping *bounce_replay_mapping(const struct bounce_replay *replay,
                                                   uint32_t handle)
{
    return handle < replay->room ? &replay->entries[handle].mapping : NULL;
}

void bounce_replay_stats(const struct bounce_replay *replay, struct bounce_stats *stats)
{
    const struct bounce_swiotlb_counts *counts = bounce_swiotlb_get_counts(replay->dma.mem);

    *stats = replay->stats;
    stats->swiotlb_nslabs = counts->nslabs;
    stats->swiotlb_nareas = bounce_swiotlb_nareas(replay->dma.mem);
    stats->swiotlb_used = counts->used;
    stats->swiotlb_used_hiwater = counts->used_hiwater;
    stats->swiotlb_transient_nslabs = counts->transient_nslabs;
    stats->swiotlb_transient_nslabs_hiwater = counts->transient_nslabs_hiwater;
    stats->swiotlb_pools = counts->pools;
    stats->events_transient_maps = counts->transient_maps;
    stats->conversion_bytes = counts->converted_bytes;
    stats->conversion_pages = (counts->converted_bytes + 4095) / 4096;
    stats->conversion_ns = stats->conversion_pages * replay->conversion_page_ns;
    stats->copy_bytes_to_device = replay->dma.bytes_to_device;
    stats->copy_bytes_from_device = replay->dma.bytes_from_device;
    stats->copy_calls = replay->dma.copies;
    stats->search_probes = counts->probes;
    stats->search_locks = counts->locks;
    stats->fragmentation_internal_bytes_hiwater = counts->internal_bytes_hiwater;
    stats->fragmentation_free_segments = counts->free_segments;
    stats->fragmentation_free_segments_min = counts->free_segments_min;
    stats->fragmentation_external_hiwater = replay->external_hiwater;
    if (replay->throttle)
        throttle_stats(replay->throttle, stats);
}
