/* SPDX-License-Identifier: Apache-2.0 */
/* The search of Linux 6.9 and later, read in kernel/dma/swiotlb.c of 6.12.117:
 * swiotlb_tbl_map_single() and swiotlb_alloc() for sizes, swiotlb_search_pool_area() for the
 * search, swiotlb_find_slots() for the order of areas. */
#include "linux_6_12.h"

#include "map_slots.h"
#include "walk.h"

#define max_u32(a, b) ((a) > (b) ? (a) : (b))

static inline void describe(const struct bounce_map_request *request, bool alloc,
                            struct slot_request *slots)
{
    uint32_t align = request->alloc_align_mask;
    uint32_t offset;

    slots->boundary_mask = request->device->seg_boundary;
    slots->min_align_mask = request->device->min_align_mask;
    if (alloc) {
        request_describe_alloc(request, slots);
        return;
    }
    offset = (uint32_t)request->orig_addr & slots->min_align_mask & (align | (SLOT_SIZE - 1));
    slots->orig_addr = request->orig_addr;
    slots->alloc_align_mask = align;
    slots->alloc_size = (request->size + offset + align) & ~(uint64_t)align;
    slots->nslots = request_nslots(slots->alloc_size);
    slots->pad_slots = offset >> BOUNCE_SLOT_SHIFT;
    slots->offset = offset & (SLOT_SIZE - 1);
}

void linux_6_12_describe(const struct bounce_map_request *request, bool alloc,
                         struct slot_request *slots)
{
    describe(request, alloc, slots);
}

/* What is fixed for one request in one area. */
struct search {
    struct walk walk;
    struct run_shape run;
    uint64_t dma_base;   /* DMA slot number of the area's first slot */
    uint32_t align;      /* address bits that must be 0, in slots */
    uint32_t keep;       /* address bits that must equal the original's, in slots */
    uint32_t keep_value; /* and what they must be */
};

static inline void prepare(struct pool *pool, uint32_t area, const struct slot_request *slots,
                           struct search *s)
{
    uint32_t align = slots->alloc_align_mask;
    uint32_t keep = slots->min_align_mask;

    if (pool->boundary_mask != slots->boundary_mask)
        pool_see_boundary(pool, slots->boundary_mask);
    s->dma_base = pool->dma_base + (uint64_t)area * pool->area_nslabs;
    s->run.nslots = slots->nslots;
    s->run.phase = s->dma_base;
    s->run.boundary_slots = pool->unspanned ? 0 : (slots->boundary_mask >> BOUNCE_SLOT_SHIFT) + 1;
    if (!(align | keep)) { /* most devices: aligned to a page from a page on, and nothing else */
        s->align = slots->alloc_size >= PAGE_SIZE_4K;
        s->keep = s->keep_value = 0;
        s->walk.stride = s->align + 1;
    } else {
        align |= SLOT_SIZE - 1;
        keep &= ~align;
        s->walk.stride = (max_u32(align, keep) >> BOUNCE_SLOT_SHIFT) + 1;
        if (!slots->orig_addr)
            keep = 0;
        s->align = align >> BOUNCE_SLOT_SHIFT;
        s->keep = keep >> BOUNCE_SLOT_SHIFT;
        s->keep_value = (uint32_t)(slots->orig_addr >> BOUNCE_SLOT_SHIFT) & s->keep;
    }
    s->run.period = s->walk.period = (s->align | s->keep) + 1;
    s->run.residue = s->walk.residue =
        (uint32_t)(s->keep_value - s->dma_base) & (s->run.period - 1);
}

static inline bool spans_boundary(const struct run_shape *run, uint32_t index)
{
    uint64_t at = (run->phase + index) & (run->boundary_slots - 1);

    return run->boundary_slots && at + run->nslots > run->boundary_slots;
}

/* Candidate by candidate, for the rare masks whose aligned slots do not repeat within a slot set or
 * that the stride jumps over (an original address of 0 with a large min_align_mask). */
static uint32_t search_step_by_step(const struct pool *pool, uint32_t area, const struct search *s,
                                    uint64_t *probes)
{
    uint32_t index = pool->areas[area].index;
    uint32_t first = area * pool->area_nslabs;

    for (uint64_t checked = 0; checked < pool->area_nslabs;) {
        uint64_t address = s->dma_base + index;
        uint32_t step = 1;

        ++*probes;
        if (!(address & s->align) && (address & s->keep) == s->keep_value) {
            if (!spans_boundary(&s->run, index) &&
                pool_run_is_free(pool, first + index, s->run.nslots))
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

static inline void take_found(struct pool *pool, uint32_t area, uint32_t index, uint32_t nslots,
                              struct slot_found *found)
{
    found->pool = pool;
    found->area = area;
    found->slot = area * pool->area_nslabs + index;
    found->next = index + nslots < pool->area_nslabs ? index + nslots : 0;
}

static inline void search_area(struct pool *pool, uint32_t area, const struct slot_request *slots,
                               struct slot_found *found)
{
    struct search s;
    uint32_t index;

    found->locks++;
    if (slots->nslots > pool->area_nslabs - pool->areas[area].used)
        return;
    prepare(pool, area, slots, &s);
    if (s.walk.period > SET_SLOTS || s.walk.stride > s.walk.period)
        index = search_step_by_step(pool, area, &s, &found->probes);
    else
        index = search_by_sets(pool, area, &s, &found->probes);
    if (index != NO_SLOT)
        take_found(pool, area, index, slots->nslots, found);
}

/* Most searches end at the first aligned slot from the own area's cursor on: that one is tried
 * before anything is set up for a longer search. Changes nothing when it does not serve. */
static inline bool search_at_cursor(struct pool *pool, uint32_t area,
                                    const struct slot_request *slots, struct slot_found *found)
{
    uint32_t cursor = pool->areas[area].index, index;
    struct search s;

    if (slots->nslots > SET_SLOTS)
        return false;
    prepare(pool, area, slots, &s);
    index = (uint32_t)walk_first_aligned(&s.walk, cursor);
    if (index >= pool->area_nslabs || s.walk.stride > s.walk.period ||
        spans_boundary(&s.run, index) ||
        !pool_run_is_free(pool, area * pool->area_nslabs + index, slots->nslots))
        return false;
    found->locks = 1;
    found->probes = index - cursor + 1;
    take_found(pool, area, index, slots->nslots, found);
    return true;
}

void linux_6_12_search_area(struct pool *pool, uint32_t area, const struct slot_request *slots,
                            struct slot_found *found)
{
    search_area(pool, area, slots, found);
}

void linux_6_12_run_shape(struct pool *pool, uint32_t area, const struct slot_request *slots,
                          struct run_shape *run)
{
    struct search s;

    prepare(pool, area, slots, &s);
    *run = s.run;
}

static inline void find(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                        const struct slot_request *slots, struct slot_found *found)
{
    struct pool *pool = mem->pool;
    uint32_t start = request->cpu & (pool->nareas - 1), area = start;

    do {
        search_area(pool, area, slots, found);
        if (found->slot != NO_SLOT)
            return;
        area = (area + 1) & (pool->nareas - 1);
    } while (area != start);
}

/* Taken by value: their addresses would keep them out of registers on the way that most maps go. */
static __attribute__((noinline)) void map_searching(struct bounce_swiotlb *mem,
                                                    const struct bounce_map_request *request,
                                                    bool alloc, struct slot_request slots,
                                                    struct bounce_map_result *result)
{
    map_slots(mem, request, alloc, false, &slots, find, result);
}

static void map(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    struct pool *pool = mem->pool;
    struct slot_request slots;
    struct slot_found found;

    describe(request, alloc, &slots);
    if (pool && search_at_cursor(pool, request->cpu & (pool->nareas - 1), &slots, &found))
        map_found(mem, request, alloc, false, &slots, &found, result);
    else
        map_searching(mem, request, alloc, slots, result);
}

const struct bounce_policy policy_linux_6_12 = {
    .map = map,
    .find = find,
    .describe = linux_6_12_describe,
    .run_shape = linux_6_12_run_shape,
};
