/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

enum bounce_status pool_create(uint64_t start, uint32_t nslabs, uint32_t nareas, struct pool **out)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    uint32_t nsets = (nslabs + SET_SLOTS - 1) / SET_SLOTS;

    if (!pool)
        return BOUNCE_NO_MEMORY;
    pool->start = start;
    pool->end = start + ((uint64_t)nslabs << BOUNCE_SLOT_SHIFT);
    pool->nslabs = nslabs;
    pool->nareas = nareas;
    pool->area_nslabs = nslabs / nareas;
    pool->area_shift = log2_floor(pool->area_nslabs);
    pool->nsets = nsets;
    pool->areas = calloc(nareas, sizeof(*pool->areas));
    pool->sets = calloc(nsets, sizeof(*pool->sets));
    pool->max_run = malloc(nsets);
    pool->meta = calloc(nslabs, sizeof(*pool->meta));
    if (!pool->areas || !pool->sets || !pool->max_run || !pool->meta) {
        pool_destroy(pool);
        return BOUNCE_NO_MEMORY;
    }
    pool_reset(pool);
    pool_see_boundary(pool, UINT32_MAX);
    *out = pool;
    return BOUNCE_OK;
}

void pool_reuse(struct pool *pool, uint64_t start, uint32_t nslabs)
{
    pool->start = start;
    pool->end = start + ((uint64_t)nslabs << BOUNCE_SLOT_SHIFT);
    pool->nslabs = nslabs;
    pool->area_nslabs = nslabs;
    pool->nsets = (nslabs + SET_SLOTS - 1) / SET_SLOTS;
    pool_see_boundary(pool, pool->boundary_mask);
    pool_reset(pool);
}

void pool_reset(struct pool *pool)
{
    uint32_t last = pool->nsets - 1;

    for (uint32_t s = 0; s < pool->nsets; s++) {
        uint32_t slots = s < last ? SET_SLOTS : pool->nslabs - last * SET_SLOTS;

        bits128 free = bits_range(0, slots);

        pool->sets[s] = (struct slot_set){.free = {(uint64_t)free, (uint64_t)(free >> 64)}};
        pool->max_run[s] = pool_known_run(slots);
    }
    pool->free_sets = pool->nslabs / SET_SLOTS;
    for (uint32_t area = 0; area < pool->nareas; area++)
        pool->areas[area] = (struct area){0, 0};
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    free(pool->areas);
    free(pool->sets);
    free(pool->max_run);
    free(pool->meta);
    free(pool);
}

void pool_see_boundary(struct pool *pool, uint64_t boundary_mask)
{
    uint64_t boundary_slots = (boundary_mask >> BOUNCE_SLOT_SHIFT) + 1;

    pool->boundary_mask = boundary_mask;
    pool->dma_base = (pool->start & boundary_mask) >> BOUNCE_SLOT_SHIFT;
    pool->unspanned = pool->dma_base + pool->nslabs <= boundary_slots;
}

/* Starts in a slot set from which nslots do not span a boundary. `first` is the distance of the
 * set's first slot from a boundary. */
static bits128 unspanned_starts(uint64_t first, uint64_t boundary_slots, uint32_t nslots)
{
    bits128 allowed = BITS_ALL;
    uint64_t next = (UINT64_C(0) - first) & (boundary_slots - 1); /* next boundary, from the set */

    for (; next < SET_SLOTS + nslots; next += boundary_slots) {
        uint64_t from = next >= nslots ? next - nslots + 1 : 0;
        uint64_t end = next < SET_SLOTS ? next : SET_SLOTS;

        if (from < end)
            allowed &= ~bits_range((unsigned)from, (unsigned)(end - from));
    }
    return allowed;
}

static bits128 aligned_starts(uint32_t period, uint32_t residue)
{
    static const uint64_t every[] = {
        UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
        UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
        UINT64_C(0x0000000000000001),
    };
    unsigned log = log2_floor(period);

    return log < 7 ? bits_pair(every[log] << residue, every[log] << residue) : bit_at(residue);
}

/* The next set in [set, end) whose bound allows a run of `need`: eight bounds a step. */
static uint32_t next_promising(const uint8_t *max_run, uint32_t set, uint32_t end, uint32_t need)
{
    uint64_t lift = EACH_BYTE * (128 - need);

    for (; set + 8 <= end; set += 8) {
        uint64_t bounds, enough;

        memcpy(&bounds, max_run + set, sizeof(bounds));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        bounds = __builtin_bswap64(bounds);
#endif
        enough = (bounds + lift) & HIGH_BITS;
        if (enough)
            return set + (uint32_t)__builtin_ctzll(enough) / 8;
    }
    while (set < end && max_run[set] < need)
        set++;
    return set;
}

/* Starts of the shape among `free` slots of the set whose first slot is `index` in the area. */
static inline bits128 usable_starts(bits128 free, uint32_t index, const struct run_shape *shape)
{
    bits128 starts = bits_run_starts(free, shape->nslots);

    if (shape->boundary_slots && starts)
        starts &= unspanned_starts(shape->phase + index, shape->boundary_slots, shape->nslots);
    return starts;
}

uint32_t pool_find_run(struct pool *pool, uint32_t area, uint32_t from, uint32_t to,
                       const struct run_shape *shape)
{
    uint32_t need = pool_known_run(shape->nslots);
    uint32_t base = area * pool->area_nslabs;
    uint32_t set = (base + from) >> SET_SHIFT, end_set;
    bits128 aligned = aligned_starts(shape->period, shape->residue);
    bits128 ahead = BITS_ALL << (from & (SET_SLOTS - 1)); /* slots of the first set to look at */

    if (from >= to || shape->nslots > SET_SLOTS)
        return NO_SLOT;
    end_set = ((base + to - 1) >> SET_SHIFT) + 1;
    while (set < end_set) {
        uint32_t index = (set << SET_SHIFT) - base;
        bits128 starts = usable_starts(pool_set_free(&pool->sets[set]) & ahead, index, shape);

        if (starts & aligned) {
            index += bits_lowest(starts & aligned);
            return index < to ? index : NO_SLOT; /* only the last set can reach past `to` */
        }
        if (!starts && ahead == BITS_ALL && !shape->boundary_slots)
            pool->max_run[set] = pool_known_run(shape->nslots - 1);
        ahead = BITS_ALL;
        set = next_promising(pool->max_run, set + 1, end_set, need);
    }
    return NO_SLOT;
}

uint32_t pool_holder_of(const struct pool *pool, uint32_t slot)
{
    unsigned bit = slot & (SET_SLOTS - 1);
    const struct slot_set *set = &pool->sets[slot >> SET_SHIFT];
    bits128 below = bits_pair(set->mapped[0], set->mapped[1]) & bits_range(0, bit + 1);
    const struct slot_meta *meta;
    uint32_t holder;

    if (!below)
        return NO_SLOT;
    holder = slot - bit + bits_highest(below);
    meta = &pool->meta[holder];
    return slot < holder - meta->pad_slots + pool_meta_nslots(meta) ? holder : NO_SLOT;
}

uint32_t pool_longest_run(struct pool *pool, uint32_t area)
{
    uint32_t first = area * pool->area_nslabs >> SET_SHIFT;
    uint32_t end = (area * pool->area_nslabs + pool->area_nslabs + SET_SLOTS - 1) >> SET_SHIFT;
    uint32_t longest = 0;

    for (uint32_t set = first; set < end; set++) {
        unsigned run;

        if (pool->max_run[set] <= longest && pool->max_run[set] < MAX_RUN_KNOWN)
            continue;
        run = bits_longest_run(pool_set_free(&pool->sets[set]));
        pool->max_run[set] = pool_known_run(run);
        if (run > longest)
            longest = run;
        if (longest == SET_SLOTS)
            break;
    }
    return longest;
}
