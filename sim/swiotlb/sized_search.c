/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of Linux 6.12 (see linux_6_12.c) where slot and slot-set size are not constants. */
#include "allocator.h"
#include "sized_pool.h"
#include "walk.h"

#define max_u32(a, b) ((a) > (b) ? (a) : (b))

uint32_t sized_nslots(const struct sized_pool *pool, uint64_t bytes)
{
    uint64_t nslots = (bytes + (1u << pool->slot_shift) - 1) >> pool->slot_shift;

    return nslots < UINT32_MAX ? (uint32_t)nslots : UINT32_MAX;
}

void sized_describe(const struct sized_pool *pool, const struct bounce_map_request *request,
                    bool alloc, struct slot_request *slots)
{
    uint32_t slot_mask = (1u << pool->slot_shift) - 1;
    uint32_t align = request->alloc_align_mask;
    uint32_t offset;

    slots->boundary_mask = request->device->seg_boundary;
    slots->min_align_mask = request->device->min_align_mask;
    if (alloc) {
        request_describe_alloc(request, slots);
        slots->nslots = sized_nslots(pool, slots->alloc_size);
        return;
    }
    offset = (uint32_t)request->orig_addr & slots->min_align_mask & (align | slot_mask);
    slots->orig_addr = request->orig_addr;
    slots->alloc_align_mask = align;
    slots->alloc_size = (request->size + offset + align) & ~(uint64_t)align;
    slots->nslots = sized_nslots(pool, slots->alloc_size);
    slots->pad_slots = offset >> pool->slot_shift;
    slots->offset = offset & slot_mask;
}

/* What is fixed for one request in one area. */
struct search {
    struct walk walk;
    struct run_shape run;
    uint64_t dma_base;
    uint32_t align;
    uint32_t keep;
    uint32_t keep_value;
};

static void see_boundary(struct sized_pool *pool, uint64_t boundary_mask)
{
    uint64_t boundary_slots = (boundary_mask >> pool->slot_shift) + 1;

    pool->boundary_mask = boundary_mask;
    pool->dma_base = (pool->start & boundary_mask) >> pool->slot_shift;
    pool->unspanned = pool->dma_base + pool->nslabs <= boundary_slots;
}

static void prepare(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                    struct search *s)
{
    uint32_t align = slots->alloc_align_mask;
    uint32_t keep = slots->min_align_mask;

    see_boundary(pool, slots->boundary_mask);
    if (!align && !keep && slots->alloc_size >= PAGE_SIZE_4K)
        align = PAGE_SIZE_4K - 1;
    align |= (1u << pool->slot_shift) - 1;
    keep &= ~align;
    s->walk.stride = (max_u32(align, keep) >> pool->slot_shift) + 1;
    if (!slots->orig_addr)
        keep = 0;
    s->align = align >> pool->slot_shift;
    s->keep = keep >> pool->slot_shift;
    s->keep_value = (uint32_t)(slots->orig_addr >> pool->slot_shift) & s->keep;
    s->dma_base = pool->dma_base + (uint64_t)area * pool->area_nslabs;
    s->run.nslots = slots->nslots;
    s->run.period = s->walk.period = (s->align | s->keep) + 1;
    s->run.residue = s->walk.residue =
        (uint32_t)(s->keep_value - s->dma_base) & (s->run.period - 1);
    s->run.phase = s->dma_base;
    s->run.boundary_slots = pool->unspanned ? 0 : (slots->boundary_mask >> pool->slot_shift) + 1;
}

void sized_run_shape(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                     struct run_shape *run)
{
    struct search s;

    prepare(pool, area, slots, &s);
    *run = s.run;
}

static bool spans_boundary(const struct run_shape *run, uint64_t index)
{
    uint64_t at = (run->phase + index) & (run->boundary_slots - 1);

    return run->boundary_slots && at + run->nslots > run->boundary_slots;
}

uint32_t sized_place_in_run(const struct run_shape *run, uint32_t index, uint32_t count)
{
    uint64_t end = (uint64_t)index + count;

    for (uint64_t at = index + (uint64_t)((run->residue - index) & (run->period - 1));
         at + run->nslots <= end; at += run->period)
        if (!spans_boundary(run, at))
            return (uint32_t)at;
    return NO_SLOT;
}

/* Lowest index in [from, to) of `area` where a run of the shape fits, or NO_SLOT. */
static uint32_t find_run(const struct sized_pool *pool, uint32_t area, uint32_t from, uint32_t to,
                         const struct run_shape *shape)
{
    uint32_t base = area * pool->area_nslabs, end = base + pool->area_nslabs;
    uint32_t slot = base + from, first, count;

    if (shape->nslots > sized_set_slots(pool))
        return NO_SLOT;
    while (slot < base + to &&
           sized_pool_next_run(pool, slot, end, shape->nslots, &first, &count)) {
        uint32_t index = sized_place_in_run(shape, first - base, count);

        if (index != NO_SLOT)
            return index < to ? index : NO_SLOT;
        slot = first + count;
    }
    return NO_SLOT;
}

/* For masks that the stride jumps over (an original address of 0 with a large min_align_mask). */
static uint32_t search_step_by_step(const struct sized_pool *pool, uint32_t area,
                                    const struct search *s, uint64_t *probes)
{
    uint32_t index = pool->areas[area].index;
    uint32_t first = area * pool->area_nslabs;

    for (uint64_t checked = 0; checked < pool->area_nslabs;) {
        uint64_t address = s->dma_base + index;
        uint32_t step = 1;

        ++*probes;
        if (!(address & s->align) && (address & s->keep) == s->keep_value) {
            if (s->run.nslots <= sized_set_slots(pool) && !spans_boundary(&s->run, index) &&
                sized_pool_is_free(pool, first + index, s->run.nslots))
                return index;
            step = s->walk.stride;
        }
        index = (uint64_t)index + step < pool->area_nslabs ? index + step : 0;
        checked += step;
    }
    return NO_SLOT;
}

static uint32_t search_by_runs(const struct sized_pool *pool, uint32_t area, const struct search *s,
                               uint64_t *probes)
{
    uint32_t cursor = pool->areas[area].index;
    uint64_t overshoot, left;
    uint32_t index = find_run(pool, area, cursor, pool->area_nslabs, &s->run);

    if (index != NO_SLOT) {
        *probes += walk_probes_to(&s->walk, cursor, index);
        return index;
    }
    *probes += walk_probes_through(&s->walk, cursor, pool->area_nslabs, &overshoot);
    /* The walk goes on at 0 and ends when it has stepped over as many slots as the area has. */
    left = cursor > overshoot ? cursor - overshoot : 0;
    index = find_run(pool, area, 0, (uint32_t)left, &s->run);
    if (index != NO_SLOT)
        *probes += walk_probes_to(&s->walk, 0, index);
    else
        *probes += walk_probes_through(&s->walk, 0, left, &overshoot);
    return index;
}

void sized_search_6_12(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                       struct sized_found *found)
{
    struct search s;
    uint32_t index;

    found->locks++;
    if (slots->nslots > sized_area_free(pool, area))
        return;
    prepare(pool, area, slots, &s);
    if (s.walk.stride > s.walk.period)
        index = search_step_by_step(pool, area, &s, &found->probes);
    else
        index = search_by_runs(pool, area, &s, &found->probes);
    if (index == NO_SLOT)
        return;
    found->area = area;
    found->slot = found->first = area * pool->area_nslabs + index;
    found->taken = slots->nslots;
    found->next = index + slots->nslots < pool->area_nslabs ? index + slots->nslots : 0;
}

void sized_search_areas(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                        struct sized_found *found, sized_search_area *search)
{
    uint32_t start = cpu & (pool->nareas - 1), area = start;

    do {
        search(pool, area, slots, found);
        if (found->slot != NO_SLOT)
            return;
        area = (area + 1) & (pool->nareas - 1);
    } while (area != start);
}
