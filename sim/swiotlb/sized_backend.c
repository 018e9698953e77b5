/* SPDX-License-Identifier: Apache-2.0 */
/* struct bounce_backend over a sized pool: what map_slots.h and swiotlb.c are to the core. */
#include "map_slots.h"
#include "sized_pool.h"

#include <stdlib.h>

static void describe(const struct sized_pool *pool, const struct bounce_map_request *request,
                     bool alloc, struct slot_request *slots)
{
    if (pool->policy->describe)
        pool->policy->describe(pool, request, alloc, slots);
    else
        sized_describe(pool, request, alloc, slots);
}

static bool never_fits(struct sized_pool *pool, const struct slot_request *slots)
{
    uint32_t set_slots = sized_set_slots(pool);
    struct run_shape run;

    if (pool->nslabs && pool->policy->never_fits)
        return pool->policy->never_fits(pool, slots);
    if (slots->nslots > set_slots)
        return true;
    if (!pool->nslabs)
        return false;
    sized_run_shape(pool, 0, slots, &run);
    return run.period <= set_slots && run.residue + slots->nslots > set_slots;
}

static void map(void *state, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    struct sized_pool *pool = state;
    struct sized_found found = {.slot = NO_SLOT};
    struct slot_request slots;

    describe(pool, request, alloc, &slots);
    if (pool->nslabs)
        pool->policy->find(pool, request->cpu, &slots, &found);
    pool->counts->probes += found.probes;
    pool->counts->locks += found.locks;
    *result = (struct bounce_map_result){
        .alloc_size = slots.alloc_size, .probes = found.probes, .locks = found.locks};
    if (found.slot == NO_SLOT) {
        result->outcome = never_fits(pool, &slots) ? BOUNCE_MAP_OVERSIZE : BOUNCE_MAP_FULL;
        return;
    }
    sized_pool_take(pool, &found,
                    (struct sized_buffer){
                        .orig_addr = alloc ? NO_ORIG_ADDR : slots.orig_addr,
                        .alloc_size = (uint32_t)slots.alloc_size,
                        .size = (uint32_t)request->size,
                        .offset = (uint16_t)slots.offset,
                        .pad_slots = (uint16_t)slots.pad_slots,
                    });
    result->outcome = BOUNCE_MAP_OK;
    result->slots = found.taken;
    result->tlb_addr =
        pool->start + ((uint64_t)(found.slot + slots.pad_slots) << pool->slot_shift) + slots.offset;
}

static uint32_t unmap(void *state, const struct bounce_device *device, uint64_t tlb_addr)
{
    struct sized_pool *pool = state;

    (void)device;
    return sized_pool_release(pool, tlb_addr);
}

/* As bounce_swiotlb_sync(), which says where the terms come from. */
static struct bounce_copy sync(void *state, const struct bounce_device *device, uint64_t tlb_addr,
                               uint64_t size)
{
    const struct sized_pool *pool = state;
    struct bounce_copy copy = {0, 0};
    const struct sized_buffer *buffer;
    uint64_t into, left, offset;
    uint32_t holder;

    if (tlb_addr - pool->start >= pool->end - pool->start)
        return copy;
    holder = sized_pool_holder_of(pool, (uint32_t)((tlb_addr - pool->start) >> pool->slot_shift));
    if (holder == NO_SLOT)
        return copy;
    buffer = &pool->buffers[holder];
    if (buffer->orig_addr == NO_ORIG_ADDR)
        return copy;
    into = tlb_addr - pool->start - ((uint64_t)holder << pool->slot_shift);
    offset = buffer->orig_addr & device->min_align_mask & ((1u << pool->slot_shift) - 1);
    left = buffer->alloc_size - ((uint64_t)buffer->pad_slots << pool->slot_shift) - into;
    copy.orig_addr = buffer->orig_addr + into - offset;
    copy.bytes = size < left ? size : left;
    return copy;
}

static void restart(void *state)
{
    sized_pool_reset(state);
}

static bool no_worker(void *state)
{
    (void)state;
    return false;
}

static void look_at_areas(struct sized_pool *pool, const struct slot_request *slots,
                          struct bounce_pressure *pressure)
{
    for (uint32_t area = 0; area < pool->nareas; area++) {
        uint32_t free = sized_area_free(pool, area);
        uint32_t run = pool->policy->largest_run ? pool->policy->largest_run(pool, area, slots)
                                                 : sized_pool_longest_run(pool, area);

        pressure->free += free;
        if (free > pressure->best_area_free)
            pressure->best_area_free = free;
        if (run > pressure->largest_run)
            pressure->largest_run = run;
    }
}

static void pressure(void *state, const struct bounce_map_request *request, bool alloc,
                     struct bounce_pressure *pressure)
{
    struct sized_pool *pool = state;
    struct slot_request slots;

    describe(pool, request, alloc, &slots);
    *pressure =
        (struct bounce_pressure){.slots_needed = slots.nslots, .nslabs = pool->counts->nslabs};
    if (!pool->nslabs) {
        pressure->cause = BOUNCE_CAUSE_NO_POOL;
        return;
    }
    look_at_areas(pool, &slots, pressure);
    if (never_fits(pool, &slots)) {
        pressure->cause = BOUNCE_CAUSE_OVERSIZE;
        return;
    }
    if (pool->policy->needed)
        pressure->slots_needed = pool->policy->needed(pool, &slots);
    if (pressure->free < pressure->slots_needed)
        pressure->cause = BOUNCE_CAUSE_EXHAUSTED;
    else if (pressure->best_area_free < pressure->slots_needed)
        pressure->cause = BOUNCE_CAUSE_AREA_LIMITED;
    else if (pressure->largest_run < pressure->slots_needed)
        pressure->cause = BOUNCE_CAUSE_FRAGMENTED;
    else
        pressure->cause = BOUNCE_CAUSE_ALIGNMENT;
}

static uint32_t nareas(void *state)
{
    const struct sized_pool *pool = state;

    return pool->nslabs ? pool->nareas : 0;
}

static uint64_t area_used(void *state, uint32_t area)
{
    const struct sized_pool *pool = state;

    return area < nareas(state) ? pool->areas[area].used : 0;
}

static void destroy(void *state)
{
    sized_pool_free(state);
    free(state);
}

static const struct bounce_backend table = {
    .map = map,
    .unmap = unmap,
    .sync = sync,
    .restart = restart,
    .run_worker = no_worker,
    .worker_queued = no_worker,
    .pressure = pressure,
    .nareas = nareas,
    .area_used = area_used,
    .destroy = destroy,
};

enum bounce_status sized_create(const struct sized_policy *policy,
                                const struct bounce_swiotlb_config *config,
                                struct bounce_swiotlb_counts *counts,
                                const struct bounce_backend **backend, void **state,
                                struct bounce_error *error)
{
    struct sized_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    pool->counts = counts;
    pool->policy = policy;
    pool->start = config->start;
    pool->slot_shift = log2_floor(bounce_config_slot_size(config));
    pool->set_shift = log2_floor(bounce_config_segment_slots(config));
    pool->nslabs = (uint32_t)config->nslabs;
    pool->nareas = policy->one_area ? 1 : config->nareas;
    if (sized_pool_init(pool)) {
        destroy(pool);
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory for a pool of %llu slots",
                             (unsigned long long)config->nslabs);
    }
    if (config->encrypted)
        counts->converted_bytes = pool->end - pool->start;
    *backend = &table;
    *state = pool;
    return BOUNCE_OK;
}
