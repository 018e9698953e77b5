/* SPDX-License-Identifier: Apache-2.0 */
/* The order of pools and areas with SWIOTLB_DYNAMIC, read in swiotlb_search_area() and
 * swiotlb_find_slots() of 6.12.117. The search within an area is that of linux_6_12.c. */
#include "growth.h"
#include "linux_6_12.h"
#include "map_slots.h"

/* The next area of every pool that has one of that number, newest pool first. */
static bool search_areas(struct bounce_swiotlb *mem, uint32_t cpu, uint32_t number,
                         const struct slot_request *slots, struct slot_found *found)
{
    const struct growth *growth = mem->growth;

    for (uint32_t i = growth->ngrown + 1; i-- > 0;) {
        struct pool *pool = i ? growth->grown[i - 1] : mem->pool;

        if (number >= pool->nareas)
            continue;
        linux_6_12_search_area(pool, (cpu + number) & (pool->nareas - 1), slots, found);
        if (found->slot != NO_SLOT)
            return true;
    }
    return false;
}

static void find_in_pools(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          const struct slot_request *slots, struct slot_found *found)
{
    if (slots->nslots > SET_SLOTS)
        return;
    for (uint32_t number = 0; number < mem->growth->default_nareas; number++)
        if (search_areas(mem, request->cpu, number, slots, found))
            return;
}

/* All areas of a pool before the next one: how 6.6 and 6.7 searched, before commit 55c543865b76. */
static void find_by_pool(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                         const struct slot_request *slots, struct slot_found *found)
{
    const struct growth *growth = mem->growth;

    if (slots->nslots > SET_SLOTS)
        return;
    for (uint32_t i = growth->ngrown + 1; i-- > 0;) {
        struct pool *pool = i ? growth->grown[i - 1] : mem->pool;

        for (uint32_t number = 0; number < pool->nareas; number++) {
            linux_6_12_search_area(pool, (request->cpu + number) & (pool->nareas - 1), slots,
                                   found);
            if (found->slot != NO_SLOT)
                return;
        }
    }
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
