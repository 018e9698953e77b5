/* SPDX-License-Identifier: Apache-2.0 */
/* Searching and growing with SWIOTLB_DYNAMIC; the search within an area is that of linux_6_12.c. */
#include "growth.h"
#include "linux_6_12.h"
#include "lock_order.h"
#include "map_slots.h"

static inline void search(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          const struct slot_request *slots, struct slot_found *found, bool by_pool)
{
    struct bounce_lock_walk walk = {0, 0};
    struct bounce_lock next;

    if (slots->nslots > SET_SLOTS)
        return;
    while ((next = lock_order_next(mem, request->cpu, &walk, by_pool)).pool != BOUNCE_OWN_LOCK) {
        linux_6_12_search_area(pool_number(mem, next.pool), next.area, slots, found);
        if (found->slot != NO_SLOT)
            return;
    }
}

static void find_in_pools(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          const struct slot_request *slots, struct slot_found *found)
{
    search(mem, request, slots, found, false);
}

static void find_by_pool(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                         const struct slot_request *slots, struct slot_found *found)
{
    search(mem, request, slots, found, true);
}

static void find_or_grow(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                         const struct slot_request *slots, struct slot_found *found)
{
    struct growth *growth = mem->growth;
    struct pool *pool;

    if (found->slot != NO_SLOT || slots->nslots > SET_SLOTS)
        return;
    growth->worker_queued = true;
    pool = growth_add_transient(growth, slots->nslots, request->device->dma_mask);
    if (!pool) {
        found->no_pages = true;
        return;
    }
    linux_6_12_search_area(pool, 0, slots, found);
    if (found->slot == NO_SLOT)
        growth_remove_transient(growth, pool);
}

static void find(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                 const struct slot_request *slots, struct slot_found *found)
{
    find_in_pools(mem, request, slots, found);
    find_or_grow(mem, request, slots, found);
}

static void find_pool_by_pool(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                              const struct slot_request *slots, struct slot_found *found)
{
    find_by_pool(mem, request, slots, found);
    find_or_grow(mem, request, slots, found);
}

static void map(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    struct slot_request slots;

    linux_6_12_describe(request, alloc, &slots);
    map_slots(mem, request, alloc, true, &slots, find, result);
}

static void map_pool_by_pool(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                             bool alloc, struct bounce_map_result *result)
{
    struct slot_request slots;

    linux_6_12_describe(request, alloc, &slots);
    map_slots(mem, request, alloc, true, &slots, find_pool_by_pool, result);
}

const struct bounce_policy policy_linux_6_12_dynamic = {
    .map = map,
    .find = find_in_pools,
    .describe = linux_6_12_describe,
    .run_shape = linux_6_12_run_shape,
    .grows = true,
};

const struct bounce_policy policy_pool_by_pool = {
    .map = map_pool_by_pool,
    .find = find_by_pool,
    .describe = linux_6_12_describe,
    .run_shape = linux_6_12_run_shape,
    .grows = true,
    .by_pool = true,
};
