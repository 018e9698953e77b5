/* SPDX-License-Identifier: Apache-2.0 */
/* Why a map failed: the questions of enum bounce_cause, asked of the pool as it stands. */
#include "allocator.h"

bool allocator_never_fits(const struct bounce_swiotlb *mem, const struct slot_request *slots)
{
    struct run_shape run;

    if (slots->nslots > BOUNCE_SEGMENT_SLOTS)
        return true;
    if (!mem->pool)
        return false;
    mem->policy->run_shape(mem->pool, 0, slots, &run);
    return run.period <= BOUNCE_SEGMENT_SLOTS &&
           run.residue + slots->nslots > BOUNCE_SEGMENT_SLOTS;
}

static uint32_t most_free_area(const struct pool *pool)
{
    uint32_t most = 0;

    for (uint32_t area = 0; area < pool->nareas; area++) {
        uint32_t free = pool->area_nslabs - pool->areas[area].used;

        if (free > most)
            most = free;
    }
    return most;
}

static uint32_t longest_run(struct pool *pool)
{
    uint32_t longest = 0;

    for (uint32_t area = 0; area < pool->nareas && longest < BOUNCE_SEGMENT_SLOTS; area++) {
        uint32_t run = pool_longest_run(pool, area);

        if (run > longest)
            longest = run;
    }
    return longest;
}

void bounce_swiotlb_pressure(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                             bool alloc, struct bounce_pressure *pressure)
{
    struct slot_request slots;

    allocator_describe(mem, request, alloc, &slots);
    *pressure = (struct bounce_pressure){.slots_needed = slots.nslots,
                                          .nslabs = mem->counts.nslabs};
    if (!mem->pool) {
        pressure->cause = BOUNCE_CAUSE_NO_POOL;
        return;
    }
    pressure->free = pool_free(mem->pool);
    pressure->best_area_free = most_free_area(mem->pool);
    pressure->largest_run = longest_run(mem->pool);
    if (allocator_never_fits(mem, &slots))
        pressure->cause = BOUNCE_CAUSE_OVERSIZE;
    else if (pressure->free < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_EXHAUSTED;
    else if (pressure->best_area_free < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_AREA_LIMITED;
    else if (pressure->largest_run < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_FRAGMENTED;
    else
        pressure->cause = BOUNCE_CAUSE_ALIGNMENT;
}
