/* SPDX-License-Identifier: Apache-2.0 */
#include "sized_pool.h"

#include "map_slots.h"
#include "sized_bits.h"

#include <stdlib.h>
#include <string.h>

static bool counts_as_whole(const struct sized_pool *pool, uint32_t set)
{
    return set < pool->whole_sets_end && pool->set_free[set] == sized_set_slots(pool);
}

void sized_pool_reset(struct sized_pool *pool)
{
    if (!pool->nslabs)
        return;
    memset(pool->free, 0, words_of(pool->nslabs) * sizeof(*pool->free));
    memset(pool->mapped, 0, words_of(pool->nslabs) * sizeof(*pool->mapped));
    bits_fill(pool->free, 0, pool->nslabs, true);
    for (uint32_t area = 0; area < pool->nareas; area++)
        pool->areas[area] = (struct sized_area){0, 0};
    if (pool->policy->reset)
        pool->policy->reset(pool);
    pool->counts->free_segments = 0;
    for (uint32_t set = 0; set < pool->nsets; set++) {
        uint32_t left = pool->nslabs - (set << pool->set_shift);

        pool->set_free[set] = left < sized_set_slots(pool) ? left : sized_set_slots(pool);
        pool->counts->free_segments += counts_as_whole(pool, set);
    }
    pool->counts->used = 0;
    pool->counts->internal_bytes = 0;
}

enum bounce_status sized_pool_init(struct sized_pool *pool)
{
    enum bounce_status status = BOUNCE_OK;

    pool->end = pool->start + ((uint64_t)pool->nslabs << pool->slot_shift);
    if (!pool->nslabs)
        return BOUNCE_OK;
    pool->area_nslabs = pool->nslabs / pool->nareas;
    pool->nsets = (pool->nslabs + sized_set_slots(pool) - 1) >> pool->set_shift;
    pool->whole_sets_end = pool->nsets;
    pool->boundary_mask = UINT32_MAX;
    pool->free = calloc(words_of(pool->nslabs), sizeof(*pool->free));
    pool->mapped = calloc(words_of(pool->nslabs), sizeof(*pool->mapped));
    pool->set_free = calloc(pool->nsets, sizeof(*pool->set_free));
    pool->areas = calloc(pool->nareas, sizeof(*pool->areas));
    pool->buffers = calloc(pool->nslabs, sizeof(*pool->buffers));
    if (!pool->free || !pool->mapped || !pool->set_free || !pool->areas || !pool->buffers)
        return BOUNCE_NO_MEMORY;
    if (pool->policy->create)
        status = pool->policy->create(pool);
    if (status)
        return status;
    sized_pool_reset(pool);
    pool->counts->nslabs = pool->nslabs;
    pool->counts->pools = 1;
    pool->counts->free_segments_min = pool->counts->free_segments;
    return BOUNCE_OK;
}

void sized_pool_free(struct sized_pool *pool)
{
    if (pool->policy->destroy)
        pool->policy->destroy(pool);
    free(pool->free);
    free(pool->mapped);
    free(pool->set_free);
    free(pool->areas);
    free(pool->buffers);
}

void sized_pool_take(struct sized_pool *pool, const struct sized_found *found,
                     struct sized_buffer buffer)
{
    uint32_t set = found->first >> pool->set_shift;
    uint32_t holder = found->slot + buffer.pad_slots;

    if (counts_as_whole(pool, set))
        map_count_segment(pool->counts);
    bits_fill(pool->free, found->first, found->taken, false);
    bit_put(pool->mapped, holder, true);
    pool->set_free[set] -= found->taken;
    pool->areas[found->area].used += found->taken;
    pool->areas[found->area].index = found->next;
    buffer.lead_slots = (uint16_t)(holder - found->first);
    buffer.taken = (uint16_t)found->taken;
    pool->buffers[holder] = buffer;
    map_count(pool->counts, found->taken,
              ((uint64_t)found->taken << pool->slot_shift) - buffer.size);
    if (pool->policy->taken)
        pool->policy->taken(pool, found->area, found->first, found->taken);
}

uint32_t sized_pool_release(struct sized_pool *pool, uint64_t tlb_addr)
{
    struct bounce_swiotlb_counts *counts = pool->counts;
    uint32_t slot, first, set, area;
    struct sized_buffer buffer;

    if (tlb_addr - pool->start >= pool->end - pool->start)
        return 0;
    slot = (uint32_t)((tlb_addr - pool->start) >> pool->slot_shift);
    buffer = pool->buffers[slot];
    if (!bit_is_set(pool->mapped, slot) ||
        buffer.offset != ((tlb_addr - pool->start) & ((1u << pool->slot_shift) - 1)))
        return 0;
    first = slot - buffer.lead_slots;
    set = slot >> pool->set_shift;
    area = slot / pool->area_nslabs;
    bits_fill(pool->free, first, buffer.taken, true);
    bit_put(pool->mapped, slot, false);
    pool->set_free[set] += buffer.taken;
    pool->areas[area].used -= buffer.taken;
    counts->used -= buffer.taken;
    counts->internal_bytes -= ((uint64_t)buffer.taken << pool->slot_shift) - buffer.size;
    counts->free_segments += counts_as_whole(pool, set);
    if (pool->policy->released)
        pool->policy->released(pool, area, first, buffer.taken);
    return buffer.taken;
}

uint32_t sized_pool_holder_of(const struct sized_pool *pool, uint32_t slot)
{
    uint32_t set_start = slot >> pool->set_shift << pool->set_shift;
    uint32_t holder = bits_previous_set(pool->mapped, slot, set_start);
    const struct sized_buffer *buffer;
    uint64_t nslots;

    if (holder == UINT32_MAX)
        return NO_SLOT;
    buffer = &pool->buffers[holder];
    /* Not the slots that a block has behind its request: the device does not know of them. */
    nslots = ((uint64_t)buffer->alloc_size + (1u << pool->slot_shift) - 1) >> pool->slot_shift;
    return slot < holder - buffer->pad_slots + nslots ? holder : NO_SLOT;
}

bool sized_pool_next_run(const struct sized_pool *pool, uint32_t from, uint32_t end, uint32_t least,
                         uint32_t *first, uint32_t *count)
{
    while (from < end) {
        uint32_t set = from >> pool->set_shift;
        uint32_t set_end = (set + 1) << pool->set_shift;

        if (set_end > end)
            set_end = end;
        if (pool->set_free[set] >= least && pool->set_free[set] > 0) {
            *first = bits_next_set(pool->free, from, set_end);
            if (*first < set_end) {
                *count = bits_next_clear(pool->free, *first, set_end) - *first;
                return true;
            }
        }
        from = set_end;
    }
    return false;
}

bool sized_pool_is_free(const struct sized_pool *pool, uint32_t slot, uint32_t count)
{
    uint32_t end = slot + count;

    return end <= pool->nslabs && slot >> pool->set_shift == (end - 1) >> pool->set_shift &&
           bits_next_clear(pool->free, slot, end) == end;
}

uint32_t sized_pool_longest_run(struct sized_pool *pool, uint32_t area)
{
    uint32_t from = area * pool->area_nslabs, end = from + pool->area_nslabs;
    uint32_t first, count, longest = 0;

    while (sized_pool_next_run(pool, from, end, longest + 1, &first, &count)) {
        if (count > longest)
            longest = count;
        from = first + count;
    }
    return longest;
}
