/* SPDX-License-Identifier: Apache-2.0 */
/* What every generation does around its search: counters, the slots' book-keeping, the result. Kept
 * in a header so that a generation's search is compiled into it: this is the hottest path there is.
 */
#ifndef SWIOTLB_MAP_SLOTS_H
#define SWIOTLB_MAP_SLOTS_H

#include "allocator.h"

/* Looks through areas and pools; `found` comes zeroed, with NO_SLOT. */
typedef void find_function(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                           const struct slot_request *slots, struct slot_found *found);

/* Counters of a buffer that got a transient pool, and the result of one that got nothing. */
void map_count_transient(struct bounce_swiotlb_counts *counts, const struct pool *pool);
void map_failed(struct bounce_swiotlb *mem, const struct slot_request *slots,
                const struct slot_found *found, struct bounce_map_result *result);

static inline void map_count(struct bounce_swiotlb_counts *counts, uint32_t nslots, uint64_t wasted)
{
    counts->used += nslots;
    if (counts->used > counts->used_hiwater)
        counts->used_hiwater = counts->used;
    counts->internal_bytes += wasted;
    if (counts->internal_bytes > counts->internal_bytes_hiwater)
        counts->internal_bytes_hiwater = counts->internal_bytes;
}

static inline void map_count_segment(struct bounce_swiotlb_counts *counts)
{
    counts->free_segments--;
    if (counts->free_segments < counts->free_segments_min)
        counts->free_segments_min = counts->free_segments;
}

static inline struct slot_meta map_meta(const struct bounce_map_request *request, bool alloc,
                                        const struct slot_request *slots)
{
    struct slot_meta meta = {
        .orig_addr = alloc ? NO_ORIG_ADDR : slots->orig_addr,
        .size = request->size & 0xfffff,
        .offset = slots->offset & 0xfffu,
        .tail = (uint16_t)(((uint64_t)slots->nslots << BOUNCE_SLOT_SHIFT) - slots->alloc_size),
        .pad_slots = (uint8_t)slots->pad_slots,
        .nslots = (uint8_t)slots->nslots,
    };

    return meta;
}

/* What was found, counted and told. */
static inline __attribute__((always_inline)) void
map_answer(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
           const struct slot_request *slots, const struct pool *pool, uint32_t slot,
           uint64_t probes, uint32_t locks, struct bounce_map_result *result)
{
    map_count(&mem->counts, slots->nslots,
              ((uint64_t)slots->nslots << BOUNCE_SLOT_SHIFT) - request->size);
    mem->counts.probes += probes;
    mem->counts.locks += locks;
    result->alloc_size = slots->alloc_size;
    result->probes = probes;
    result->locks = locks;
    result->outcome = BOUNCE_MAP_OK;
    result->slots = slots->nslots;
    result->tlb_addr = pool_address_of(pool, slot + slots->pad_slots) + slots->offset;
}

/* Takes the slots found and says so. */
static inline __attribute__((always_inline)) void
map_found(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
          bool can_grow, const struct slot_request *slots, const struct slot_found *found,
          struct bounce_map_result *result)
{
    struct pool *pool = found->pool;
    bool whole = pool_mark(pool, found->slot, slots->nslots, false);

    pool_note(pool, &pool->areas[found->area], found->slot, map_meta(request, alloc, slots));
    pool->areas[found->area].index = found->next;
    pool->free_sets -= whole;
    if (can_grow && pool->transient)
        map_count_transient(&mem->counts, pool);
    else if (whole)
        map_count_segment(&mem->counts);
    map_answer(mem, request, slots, pool, found->slot, found->probes, found->locks, result);
}

static inline __attribute__((always_inline)) void
map_slots(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
          bool can_grow, const struct slot_request *slots, find_function *find,
          struct bounce_map_result *result)
{
    struct slot_found found = {.slot = NO_SLOT};

    if (mem->pool)
        find(mem, request, slots, &found);
    if (found.slot == NO_SLOT)
        map_failed(mem, slots, &found, result);
    else
        map_found(mem, request, alloc, can_grow, slots, &found, result);
}

#endif
