/* SPDX-License-Identifier: Apache-2.0 */
/* The search of Linux 6.9 and later, read in kernel/dma/swiotlb.c of 6.12.117:
 * swiotlb_tbl_map_single() and swiotlb_alloc() for sizes, swiotlb_search_pool_area() for the
 * search, swiotlb_find_slots() for the order of areas. */
#include "linux_6_12.h"

#include "map_slots.h"
#include "walk.h"

#define max_u32(a, b) ((a) > (b) ? (a) : (b))

static inline __attribute__((always_inline)) void describe(const struct bounce_map_request *request,
                                                           bool alloc, struct slot_request *slots)
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

static inline bool run_spans_boundary(const struct pool *pool, uint64_t boundary_mask,
                                      uint32_t slot, uint64_t nslots)
{
    uint64_t last = boundary_mask >> BOUNCE_SLOT_SHIFT;

    return pool_is_spanned(pool, boundary_mask) &&
           ((pool_dma_base(pool, boundary_mask) + slot) & last) + nslots > last + 1;
}

/* Where, in the word that holds the cursor, a request would start. */
struct in_word {
    struct pool *pool;
    struct area *area;
    uint32_t slot;   /* the cursor's */
    uint32_t cursor; /* the same, within the area */
    uint32_t period; /* of aligned slots, a power of two up to 64 */
    uint32_t first;  /* how far behind the cursor the first aligned one lies */
    uint64_t nslots;
};

/* Slots behind the cursor of the first run that serves, or NO_SLOT. The first aligned slot is the
 * one, as a rule. Runs that reach into the next word lie behind those that do not. */
static inline __attribute__((always_inline)) uint32_t ahead_in_word(const struct in_word *at,
                                                                    uint64_t boundary_mask)
{
    uint64_t free = at->pool->words[at->slot / WORD_SLOTS].free >> at->slot % WORD_SLOTS, starts;

    if (at->first + at->nslots > WORD_SLOTS - at->slot % WORD_SLOTS)
        return NO_SLOT;
    if (!(ones((unsigned)at->nslots) << at->first & ~free) &&
        !run_spans_boundary(at->pool, boundary_mask, at->slot + at->first, at->nslots))
        return at->first;
    starts = word_run_starts(free, (unsigned)at->nslots) & word_every(at->period) << at->first;
    while (starts && run_spans_boundary(at->pool, boundary_mask,
                                        at->slot + (uint32_t)__builtin_ctzll(starts), at->nslots))
        starts &= starts - 1;
    return starts ? (uint32_t)__builtin_ctzll(starts) : NO_SLOT;
}

static inline __attribute__((always_inline)) void
take_in_word(struct bounce_swiotlb *mem, const struct in_word *at, uint32_t ahead)
{
    uint32_t next = at->cursor + ahead + (uint32_t)at->nslots;

    at->area->index = next < at->pool->area_nslabs ? next : 0;
    if (pool_take_word(at->pool, at->slot + ahead,
                       word_run(at->slot + ahead, (uint32_t)at->nslots))) {
        at->pool->free_sets--;
        map_count_segment(&mem->counts);
    }
}

static inline __attribute__((always_inline)) void
cursor_of(const struct bounce_swiotlb *mem, const struct bounce_map_request *request,
          struct in_word *at)
{
    uint32_t number = request->cpu & (mem->pool->nareas - 1);

    at->pool = mem->pool;
    at->area = &at->pool->areas[number];
    at->cursor = at->area->index;
    at->slot = (number << at->pool->area_shift) + at->cursor;
}

/* For those who map only if the answer is one that they know; ANYWHERE for all others, for whom
 * this comes to nothing. */
#define ANYWHERE UINT64_MAX

static inline __attribute__((always_inline)) bool
is_wanted(uint64_t wanted, const struct pool *pool, uint32_t slot, uint32_t offset)
{
    return wanted == ANYWHERE || wanted == pool_address_of(pool, slot) + offset;
}

/* Most searches end in the word that holds the own area's cursor, and this is tried before anything
 * is set up for a longer search. Changes nothing when none serves there, or when its address is not
 * the one wanted. This one is for what most requests are: no mask asks for anything. Pool and areas
 * begin at a page, so slot numbers tell of alignment to pages. */
static inline __attribute__((always_inline)) bool
map_plain_in_word(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                  uint64_t wanted, struct bounce_map_result *result)
{
    uint32_t page = request->size >= PAGE_SIZE_4K, ahead;
    struct slot_request slots;
    struct in_word at;

    cursor_of(mem, request, &at);
    at.nslots = (request->size + SLOT_SIZE - 1) >> BOUNCE_SLOT_SHIFT;
    at.period = 1 + page;
    at.first = at.cursor & page;
    ahead = ahead_in_word(&at, request->device->seg_boundary);
    if (ahead == NO_SLOT || !is_wanted(wanted, at.pool, at.slot + ahead, 0))
        return false;
    take_in_word(mem, &at, ahead);
    slots.orig_addr = request->orig_addr;
    slots.alloc_size = request->size;
    slots.nslots = (uint32_t)at.nslots;
    slots.pad_slots = slots.offset = 0;
    pool_note(at.pool, at.area, at.slot + ahead, map_meta(request, false, &slots));
    map_answer(mem, request, &slots, at.pool, at.slot + ahead,
               at.first + ((ahead - at.first) >> page) + 1, 1, result);
    return true;
}

/* The same for any request. */
static inline __attribute__((always_inline)) bool
map_in_word(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
            uint64_t wanted, struct bounce_map_result *result)
{
    struct slot_request slots;
    struct in_word at;
    struct search s;
    uint32_t ahead;

    cursor_of(mem, request, &at);
    describe(request, alloc, &slots);
    prepare(at.pool, request->cpu & (at.pool->nareas - 1), &slots, &s);
    if (s.walk.period > WORD_SLOTS || s.walk.stride > s.walk.period)
        return false;
    at.nslots = slots.nslots;
    at.period = s.walk.period;
    at.first = (s.walk.residue - at.cursor) & (s.walk.period - 1);
    ahead = ahead_in_word(&at, slots.boundary_mask);
    if (ahead == NO_SLOT ||
        !is_wanted(wanted, at.pool, at.slot + ahead + slots.pad_slots, slots.offset))
        return false;
    take_in_word(mem, &at, ahead);
    pool_note(at.pool, at.area, at.slot + ahead, map_meta(request, alloc, &slots));
    map_answer(mem, request, &slots, at.pool, at.slot + ahead,
               walk_probes_ahead(&s.walk, at.first, ahead), 1, result);
    return true;
}

/* What each of these does not finish it hands on to the next, which begins anew: what it knows
 * would have to be in memory, not in registers, on the way that most maps go, too. */
static __attribute__((noinline)) void map_searching(struct bounce_swiotlb *mem,
                                                    const struct bounce_map_request *request,
                                                    bool alloc, struct bounce_map_result *result)
{
    struct slot_request slots;

    describe(request, alloc, &slots);
    map_slots(mem, request, alloc, false, &slots, find, result);
}

static __attribute__((noinline)) void map_aligned(struct bounce_swiotlb *mem,
                                                  const struct bounce_map_request *request,
                                                  bool alloc, struct bounce_map_result *result)
{
    if (!map_in_word(mem, request, alloc, ANYWHERE, result))
        map_searching(mem, request, alloc, result);
}

static void map(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    if (!mem->pool)
        map_searching(mem, request, alloc, result);
    else if (request->alloc_align_mask | request->device->min_align_mask | alloc)
        map_aligned(mem, request, alloc, result);
    else if (!map_plain_in_word(mem, request, ANYWHERE, result))
        map_searching(mem, request, false, result);
}

static bool map_as(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                   uint64_t tlb_addr)
{
    struct bounce_map_result ignored;

    return request->alloc_align_mask | request->device->min_align_mask
               ? map_in_word(mem, request, false, tlb_addr, &ignored)
               : map_plain_in_word(mem, request, tlb_addr, &ignored);
}

const struct bounce_policy policy_linux_6_12 = {
    .map = map,
    .find = find,
    .describe = linux_6_12_describe,
    .map_as = map_as,
    .run_shape = linux_6_12_run_shape,
};
