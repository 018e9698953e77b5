/* SPDX-License-Identifier: Apache-2.0 */
/* Why a map failed: the questions of enum bounce_cause, asked of the pools as they stand. */
#include "allocator.h"
#include "growth.h"

bool allocator_never_fits(const struct bounce_swiotlb *mem, const struct slot_request *slots)
{
    struct run_shape run;

    if (slots->nslots > SET_SLOTS)
        return true;
    if (!mem->pool)
        return false;
    mem->policy->run_shape(mem->pool, 0, slots, &run);
    return run.period <= SET_SLOTS && run.residue + slots->nslots > SET_SLOTS;
}

/* Adds what one pool has to offer. */
static void look_at(struct pool *pool, struct bounce_pressure *pressure)
{
    for (uint32_t area = 0; area < pool->nareas; area++) {
        uint32_t free = pool->area_nslabs - pool->areas[area].used;
        uint32_t run = pressure->largest_run < SET_SLOTS ? pool_longest_run(pool, area) : 0;

        pressure->free += free;
        if (free > pressure->best_area_free)
            pressure->best_area_free = free;
        if (run > pressure->largest_run)
            pressure->largest_run = run;
    }
}

void bounce_swiotlb_pressure(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                             bool alloc, struct bounce_pressure *pressure)
{
    struct slot_request slots;

    if (mem->backend) {
        mem->backend->pressure(mem->backend_state, request, alloc, pressure);
        return;
    }
    mem->policy->describe(request, alloc, &slots);
    *pressure =
        (struct bounce_pressure){.slots_needed = slots.nslots, .nslabs = mem->counts.nslabs};
    if (!mem->pool) {
        pressure->cause = BOUNCE_CAUSE_NO_POOL;
        return;
    }
    look_at(mem->pool, pressure);
    for (uint32_t i = 0; mem->growth && i < mem->growth->ngrown; i++)
        look_at(mem->growth->grown[i], pressure);
    if (allocator_never_fits(mem, &slots))
        pressure->cause = BOUNCE_CAUSE_OVERSIZE;
    else if (mem->growth && mem->growth->encrypted && mem->last_no_pages)
        pressure->cause = BOUNCE_CAUSE_ATOMIC_POOL;
    else if (mem->growth && !mem->last_no_pages) /* it had a pool of its own */
        pressure->cause = BOUNCE_CAUSE_ALIGNMENT;
    else if (pressure->free < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_EXHAUSTED;
    else if (pressure->best_area_free < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_AREA_LIMITED;
    else if (pressure->largest_run < slots.nslots)
        pressure->cause = BOUNCE_CAUSE_FRAGMENTED;
    else
        pressure->cause = BOUNCE_CAUSE_ALIGNMENT;
}
