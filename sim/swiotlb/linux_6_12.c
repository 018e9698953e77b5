/* SPDX-License-Identifier: Apache-2.0 */
/* The search of Linux 6.9 and later, read in kernel/dma/swiotlb.c of 6.12.117:
 * swiotlb_tbl_map_single() for the shape, swiotlb_search_pool_area() for the search. */
#include "policy.h"
#include "walk.h"

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void shape(const struct bounce_map_request *request, struct slot_request *slots)
{
    uint32_t align = slots->alloc_align_mask;
    uint32_t offset =
        (uint32_t)slots->orig_addr & slots->min_align_mask & (align | (SLOT_SIZE - 1));
    uint64_t size = request->size + offset;

    slots->alloc_size = (size + align) & ~(uint64_t)align;
    slots->pad_slots = (uint16_t)(offset >> BOUNCE_SLOT_SHIFT);
    slots->offset = (uint16_t)(offset & (SLOT_SIZE - 1));
}

/* What is fixed for one request in one pool. */
struct search {
    struct walk walk;
    struct run_shape run;
    uint64_t dma_base;   /* DMA slot number of the area's first slot, below the boundary mask */
    uint32_t align;      /* address bits that must be 0, in slots */
    uint32_t keep;       /* address bits that must equal the original's, in slots */
    uint32_t keep_value; /* and what they must be */
};

static void prepare(const struct pool *pool, uint32_t area, const struct slot_request *slots,
                    struct search *s)
{
    uint32_t align = slots->alloc_align_mask;
    uint32_t keep = slots->min_align_mask;
    uint64_t base = (pool->start & slots->boundary_mask) >> BOUNCE_SLOT_SHIFT;
    uint64_t boundary_slots = (slots->boundary_mask >> BOUNCE_SLOT_SHIFT) + 1;
    uint32_t period;

    if (!align && !keep && slots->alloc_size >= PAGE_SIZE_4K)
        align = PAGE_SIZE_4K - 1;
    align |= SLOT_SIZE - 1;
    keep &= ~align;
    s->walk.stride = (max_u32(align, keep) >> BOUNCE_SLOT_SHIFT) + 1;
    if (!slots->orig_addr)
        keep = 0;
    s->align = align >> BOUNCE_SLOT_SHIFT;
    s->keep = keep >> BOUNCE_SLOT_SHIFT;
    s->keep_value = (uint32_t)(slots->orig_addr >> BOUNCE_SLOT_SHIFT) & s->keep;
    s->dma_base = base + (uint64_t)area * pool->area_nslabs;
    period = (s->align | s->keep) + 1;
    s->walk.period = period;
    s->walk.residue = (uint32_t)(s->keep_value - s->dma_base) & (period - 1);
    s->run.nslots = slots->nslots;
    s->run.period = period;
    s->run.residue = s->walk.residue;
    /* The whole pool lies between two boundaries as a rule: then no run can span one. */
    s->run.phase = s->dma_base & (boundary_slots - 1);
    s->run.boundary_slots =
        s->run.phase + pool->area_nslabs <= boundary_slots ? 0 : boundary_slots;
}

static bool spans_boundary(const struct search *s, uint32_t index, uint32_t nslots)
{
    uint64_t at = (s->run.phase + index) & (s->run.boundary_slots - 1);

    return s->run.boundary_slots && at + nslots > s->run.boundary_slots;
}

/* Candidate by candidate, for the rare masks whose aligned slots do not repeat within a slot set or
 * that the stride jumps over (an original address of 0 with a large min_align_mask). */
static uint32_t search_step_by_step(const struct pool *pool, uint32_t area, uint32_t nslots,
                                    const struct search *s, uint64_t *probes)
{
    uint32_t index = pool->areas[area].index;
    uint32_t first = area * pool->area_nslabs;

    for (uint64_t checked = 0; checked < pool->area_nslabs;) {
        uint64_t address = s->dma_base + index;
        uint32_t step = 1;

        ++*probes;
        if (!(address & s->align) && (address & s->keep) == s->keep_value) {
            if (!spans_boundary(s, index, nslots) &&
                pool_run_is_free(pool, first + index, nslots))
                return index;
            step = s->walk.stride;
        }
        index = index + step < pool->area_nslabs ? index + step : 0;
        checked += step;
    }
    return NO_SLOT;
}

static uint32_t search_by_sets(struct pool *pool, uint32_t area, const struct search *s,
                               uint64_t *probes)
{
    uint32_t cursor = pool->areas[area].index;
    uint64_t overshoot, left;
    uint32_t index = pool_find_run(pool, area, cursor, pool->area_nslabs, &s->run);

    if (index != NO_SLOT) {
        *probes += walk_probes_to(&s->walk, cursor, index);
        return index;
    }
    *probes += walk_probes_through(&s->walk, cursor, pool->area_nslabs, &overshoot);
    /* The walk goes on at 0 and ends when it has stepped over as many slots as the area has. */
    left = cursor > overshoot ? cursor - overshoot : 0;
    index = pool_find_run(pool, area, 0, (uint32_t)left, &s->run);
    if (index != NO_SLOT)
        *probes += walk_probes_to(&s->walk, 0, index);
    else
        *probes += walk_probes_through(&s->walk, 0, left, &overshoot);
    return index;
}

static void search_area(struct pool *pool, uint32_t area, const struct slot_request *slots,
                        struct slot_found *found)
{
    struct search s;
    uint32_t index;

    if (slots->nslots > pool->area_nslabs - pool->areas[area].used)
        return;
    prepare(pool, area, slots, &s);
    if (s.walk.period > BOUNCE_SEGMENT_SLOTS || s.walk.stride > s.walk.period)
        index = search_step_by_step(pool, area, slots->nslots, &s, &found->probes);
    else
        index = search_by_sets(pool, area, &s, &found->probes);
    if (index == NO_SLOT)
        return;
    found->pool = pool;
    found->slot = area * pool->area_nslabs + index;
    found->next = index + slots->nslots < pool->area_nslabs ? index + slots->nslots : 0;
}

static void run_shape(const struct pool *pool, uint32_t area, const struct slot_request *slots,
                      struct run_shape *run)
{
    struct search s;

    prepare(pool, area, slots, &s);
    *run = s.run;
}

const struct bounce_policy policy_linux_6_12 = {
    .shape = shape,
    .run_shape = run_shape,
    .search_area = search_area,
};
