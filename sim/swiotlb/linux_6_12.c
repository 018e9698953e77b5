/* SPDX-License-Identifier: Apache-2.0 */
/* The search of Linux 6.9 and later, read in kernel/dma/swiotlb.c of 6.12.117:
 * swiotlb_tbl_map_single() and swiotlb_alloc() for sizes, swiotlb_search_pool_area() for the
 * search, swiotlb_find_slots() for the order of areas. */
#include "linux_6_12.h"

#include "map_slots.h"
#include "walk.h"

#define max_u32(a, b) ((a) > (b) ? (a) : (b))

/* `plain`: known to ask for no alignment and no address bits, as most requests do. */
static inline __attribute__((always_inline)) void describe(const struct bounce_map_request *request,
                                                           bool alloc, bool plain,
                                                           struct slot_request *slots)
{
    uint32_t align = plain ? 0 : request->alloc_align_mask;
    uint32_t offset;

    slots->boundary_mask = request->device->seg_boundary;
    slots->min_align_mask = plain ? 0 : request->device->min_align_mask;
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
    describe(request, alloc, false, slots);
}

/* What is fixed for one request in one area. */
struct search {
    struct walk walk;
    struct run_shape run;
    uint64_t dma_base; /* DMA slot number of the area's first slot, counted from a boundary */
    uint64_t boundary_slots;
    uint32_t align;      /* address bits that must be 0, in slots */
    uint32_t keep;       /* address bits that must equal the original's, in slots */
    uint32_t keep_value; /* and what they must be */
};

static inline __attribute__((always_inline)) void
prepare(struct pool *pool, uint32_t area, const struct slot_request *slots, struct search *s)
{
    uint32_t align = slots->alloc_align_mask;
    uint32_t keep = slots->min_align_mask;

    s->dma_base = pool_dma_base(pool, slots->boundary_mask) + (area << pool->area_shift);
    s->boundary_slots = pool_boundary_slots(slots->boundary_mask);
    s->run.nslots = slots->nslots;
    s->run.phase = s->dma_base;
    s->run.boundary_slots = pool_is_spanned(pool, slots->boundary_mask) ? s->boundary_slots : 0;
    /* Without branches: masks and size of a request are as good as random. With neither mask,
     * alignment is to a page from a page on. */
    align |= (SLOT_SIZE - 1) |
             ((uint32_t)((align | keep) == 0) & (uint32_t)(slots->alloc_size >= PAGE_SIZE_4K))
                 << BOUNCE_SLOT_SHIFT;
    keep &= ~align;
    s->walk.stride = (max_u32(align, keep) >> BOUNCE_SLOT_SHIFT) + 1;
    keep = slots->orig_addr ? keep : 0;
    s->align = align >> BOUNCE_SLOT_SHIFT;
    s->keep = keep >> BOUNCE_SLOT_SHIFT;
    s->keep_value = (uint32_t)(slots->orig_addr >> BOUNCE_SLOT_SHIFT) & s->keep;
    s->run.period = s->walk.period = (s->align | s->keep) + 1;
    s->run.residue = s->walk.residue =
        (uint32_t)(s->keep_value - s->dma_base) & (s->run.period - 1);
}

static inline bool spans_boundary(const struct search *s, uint32_t index)
{
    return ((s->dma_base + index) & (s->boundary_slots - 1)) + s->run.nslots > s->boundary_slots;
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
            if (!spans_boundary(s, index) && pool_run_is_free(pool, first + index, s->run.nslots))
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

/* Starts among the slots from the cursor on that share its word. Runs that reach into the next word
 * are not seen here, and lie behind those that are. */
static inline uint64_t starts_in_word(const struct pool *pool, uint32_t slot, uint32_t cursor,
                                      const struct search *s)
{
    uint64_t starts = pool->free_words[slot / WORD_SLOTS] >> slot % WORD_SLOTS;
    uint32_t first = (s->walk.residue - cursor) & (s->walk.period - 1);

    if (s->walk.period > WORD_SLOTS)
        return 0;
    starts = word_run_starts(starts, s->run.nslots) & word_every(s->walk.period) << first;
    while (starts && spans_boundary(s, cursor + (uint32_t)__builtin_ctzll(starts)))
        starts &= starts - 1;
    return starts;
}

/* Most searches end at the first aligned slot from the own area's cursor on, and most others, with
 * `further`, soon after it and in its word: these are tried before anything is set up for a longer
 * search. Changes nothing when none serves. `plain` as in describe(). */
static inline __attribute__((always_inline)) bool
map_in_word(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
            bool plain, bool further, struct bounce_map_result *result)
{
    struct pool *pool = mem->pool;
    uint32_t number = request->cpu & (pool->nareas - 1);
    struct area *area = &pool->areas[number];
    uint32_t cursor = area->index, slot = (number << pool->area_shift) + cursor;
    uint32_t first, ahead, next;
    struct slot_request slots;
    struct search s;
    uint64_t run;

    describe(request, alloc, plain, &slots);
    prepare(pool, number, &slots, &s);
    first = ahead = (s.walk.residue - cursor) & (s.walk.period - 1);
    if (cursor + first >= pool->area_nslabs || s.walk.stride > s.walk.period ||
        !run_in_word(slot + first, slots.nslots) ||
        (!further && spans_boundary(&s, cursor + first)))
        return false;
    if (further) {
        uint64_t starts = starts_in_word(pool, slot, cursor, &s);

        if (!starts)
            return false;
        ahead = (uint32_t)__builtin_ctzll(starts);
    }
    run = word_run(slot + ahead, slots.nslots);
    if (!further && (pool->free_words[(slot + first) / WORD_SLOTS] & run) != run)
        return false;
    next = cursor + ahead + slots.nslots;
    area->index = next < pool->area_nslabs ? next : 0;
    if (pool_take_word(pool, slot + ahead, run)) {
        pool->free_sets--;
        map_count_segment(&mem->counts);
    }
    pool_note(pool, area, slot + ahead, map_meta(request, alloc, &slots));
    map_answer(mem, request, &slots, pool, slot + ahead, walk_probes_ahead(&s.walk, first, ahead),
               1, result);
    return true;
}

/* What each of these does not finish it hands on to the next, which begins anew: what it knows
 * would have to be in memory, not in registers, on the way that most maps go, too. */
static __attribute__((noinline)) void map_searching(struct bounce_swiotlb *mem,
                                                    const struct bounce_map_request *request,
                                                    bool alloc, struct bounce_map_result *result)
{
    struct slot_request slots;

    describe(request, alloc, false, &slots);
    map_slots(mem, request, alloc, false, &slots, find, result);
}

static __attribute__((noinline)) void map_plain_further(struct bounce_swiotlb *mem,
                                                        const struct bounce_map_request *request,
                                                        struct bounce_map_result *result)
{
    if (!map_in_word(mem, request, false, true, true, result))
        map_searching(mem, request, false, result);
}

static __attribute__((noinline)) void map_aligned_further(struct bounce_swiotlb *mem,
                                                          const struct bounce_map_request *request,
                                                          bool alloc,
                                                          struct bounce_map_result *result)
{
    if (!map_in_word(mem, request, alloc, false, true, result))
        map_searching(mem, request, alloc, result);
}

static __attribute__((noinline)) void map_aligned(struct bounce_swiotlb *mem,
                                                  const struct bounce_map_request *request,
                                                  bool alloc, struct bounce_map_result *result)
{
    if (!map_in_word(mem, request, alloc, false, false, result))
        map_aligned_further(mem, request, alloc, result);
}

static void map(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    if (!mem->pool)
        map_searching(mem, request, alloc, result);
    else if (request->alloc_align_mask | request->device->min_align_mask | alloc)
        map_aligned(mem, request, alloc, result);
    else if (!map_in_word(mem, request, false, true, false, result))
        map_plain_further(mem, request, result);
}

const struct bounce_policy policy_linux_6_12 = {
    .map = map,
    .find = find,
    .describe = linux_6_12_describe,
    .run_shape = linux_6_12_run_shape,
};
