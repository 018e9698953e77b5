/* SPDX-License-Identifier: Apache-2.0 */
/* Most recently freed first: a list of free slots an area; slots freed go to its head, and a search
 * looks for a start that serves from the head on. Proposed by Chao Gao as "swiotlb: Allocate memory
 * in a cache-friendly way" (2021-09-01, again 2022-06-28 and 2022-07-18), with one list for the
 * whole pool; here a list an area, alignment and padding as in Linux 6.12. A probe is one slot of
 * the list looked at. */
#include "sized_config.h"
#include "sized_list.h"
#include "sized_pool.h"

static void search(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                   struct sized_found *found)
{
    const struct slot_lists *lists = pool->policy_state;
    uint32_t base = area * pool->area_nslabs;
    struct run_shape run;

    found->locks++;
    if (slots->nslots > sized_area_free(pool, area))
        return;
    sized_run_shape(pool, area, slots, &run);
    for (uint32_t slot = slot_list_first(lists, area); slot < pool->nslabs;
         slot = slot_list_next(lists, slot)) {
        found->probes++;
        if (run.nslots > sized_set_slots(pool) || ((slot - base - run.residue) & (run.period - 1)))
            continue;
        if (!sized_pool_is_free(pool, slot, run.nslots) ||
            sized_place_in_run(&run, slot - base, run.nslots) == NO_SLOT)
            continue;
        found->area = area;
        found->slot = found->first = slot;
        found->taken = slots->nslots;
        return;
    }
}

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    sized_search_areas(pool, cpu, slots, found, search);
}

static void taken(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    (void)area;
    while (count--)
        slot_list_remove(pool->policy_state, first++);
}

/* From the last slot down, as the patch does: the first one ends up at the head. */
static void released(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    while (count--)
        slot_list_push(pool->policy_state, area, first + count);
}

static void reset(struct sized_pool *pool)
{
    for (uint32_t area = 0; area < pool->nareas; area++) {
        slot_list_clear(pool->policy_state, area);
        for (uint32_t i = 0; i < pool->area_nslabs; i++)
            slot_list_append(pool->policy_state, area, area * pool->area_nslabs + i);
    }
}

static enum bounce_status create_lists(struct sized_pool *pool)
{
    struct slot_lists *lists = calloc(1, sizeof(*lists));

    pool->policy_state = lists;
    return lists ? slot_lists_create(lists, pool->nslabs, pool->nareas) : BOUNCE_NO_MEMORY;
}

static void destroy(struct sized_pool *pool)
{
    struct slot_lists *lists = pool->policy_state;

    if (lists)
        free(lists->links);
    free(lists);
}

static const struct sized_policy policy = {
    .find = find,
    .create = create_lists,
    .destroy = destroy,
    .reset = reset,
    .taken = taken,
    .released = released,
};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    (void)context;
    return sized_create(&policy, config, counts, backend, state, error);
}

const struct bounce_backend_factory factory_lifo = {.create = create};
