/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

#define HUGE_PAGE ((size_t)1 << 21)

/* One entry for each slot, zero. Those of a large pool are used all over: huge pages, where the
 * system has them, save a page walk an operation. */
static struct slot_meta *meta_create(uint32_t nslabs)
{
    size_t bytes = nslabs * sizeof(struct slot_meta);
    size_t whole = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    struct slot_meta *meta;

    if (bytes < HUGE_PAGE)
        return calloc(nslabs, sizeof(*meta));
    meta = aligned_alloc(HUGE_PAGE, whole);
    if (!meta)
        return NULL;
    (void)madvise(meta, whole, MADV_HUGEPAGE);
    memset(meta, 0, bytes);
    return meta;
}

static void place(struct pool *pool, uint64_t start, uint32_t nslabs)
{
    pool->start = start;
    pool->size = (uint64_t)nslabs << BOUNCE_SLOT_SHIFT;
    pool->nslabs = nslabs;
    pool->boundary_from = start ^ (start + pool->size - 1);
}

enum bounce_status pool_create(uint64_t start, uint32_t nslabs, uint32_t nareas, struct pool **out)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    uint32_t nsets = (nslabs + SET_SLOTS - 1) / SET_SLOTS;

    if (!pool)
        return BOUNCE_NO_MEMORY;
    place(pool, start, nslabs);
    pool->nareas = nareas;
    pool->area_nslabs = nslabs / nareas;
    pool->area_shift = nareas == 1 ? 31 : log2_floor(pool->area_nslabs);
    pool->nsets = nsets;
    pool->areas = calloc(nareas, sizeof(*pool->areas));
    pool->words = calloc(nsets, 2 * sizeof(*pool->words));
    pool->max_run = malloc(nsets);
    pool->meta = meta_create(nslabs);
    if (!pool->areas || !pool->words || !pool->max_run || !pool->meta) {
        pool_destroy(pool);
        return BOUNCE_NO_MEMORY;
    }
    pool_reset(pool);
    *out = pool;
    return BOUNCE_OK;
}

void pool_reuse(struct pool *pool, uint64_t start, uint32_t nslabs)
{
    place(pool, start, nslabs);
    pool->area_nslabs = nslabs;
    pool->nsets = (nslabs + SET_SLOTS - 1) / SET_SLOTS;
    pool_reset(pool);
}

void pool_reset(struct pool *pool)
{
    uint32_t last = pool->nsets - 1;

    for (uint32_t s = 0; s < pool->nsets; s++) {
        uint32_t slots = s < last ? SET_SLOTS : pool->nslabs - last * SET_SLOTS;

        bits128 free = bits_range(0, slots);

        pool->words[2 * s] = (struct slot_word){(uint64_t)free, 0};
        pool->words[2 * s + 1] = (struct slot_word){(uint64_t)(free >> 64), 0};
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
    free(pool->words);
    free(pool->max_run);
    free(pool->meta);
    free(pool);
}

bool pool_mark(struct pool *pool, uint32_t slot, uint32_t nslots, bool free)
{
    bits128 run = bits_range(slot % SET_SLOTS, nslots), slots;
    uint32_t set = slot >> SET_SHIFT;
    bool was_free = pool_set_is_free(pool, set);

    slots = pool_set_free(pool, set);
    slots = free ? slots | run : slots & ~run;
    pool->words[2 * set].free = (uint64_t)slots;
    pool->words[2 * set + 1].free = (uint64_t)(slots >> 64);
    return was_free || pool_set_is_free(pool, set);
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
    uint64_t every;

    if (period > WORD_SLOTS)
        return bit_at(residue);
    every = word_every(period) << residue;
    return bits_pair(every, every);
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
        bits128 free = pool_set_free(pool, set) & ahead, starts;
        unsigned length;

        starts = bits_run_starts_known(free, shape->nslots, &length);
        if (!starts && ahead == BITS_ALL)
            pool->max_run[set] = pool_known_run(length - 1);
        starts &= aligned;
        if (starts && shape->boundary_slots)
            starts &= unspanned_starts(shape->phase + index, shape->boundary_slots, shape->nslots);
        if (starts) {
            index += bits_lowest(starts);
            return index < to ? index : NO_SLOT; /* only the last set can reach past `to` */
        }
        ahead = BITS_ALL;
        set = next_promising(pool->max_run, set + 1, end_set, need);
    }
    return NO_SLOT;
}

uint32_t pool_holder_of(const struct pool *pool, uint32_t slot)
{
    unsigned bit = slot & (SET_SLOTS - 1);
    const struct slot_word *words = &pool->words[2 * (slot >> SET_SHIFT)];
    bits128 below = bits_pair(words[0].mapped, words[1].mapped) & bits_range(0, bit + 1);
    const struct slot_meta *meta;
    uint32_t holder;

    if (!below)
        return NO_SLOT;
    holder = slot - bit + bits_highest(below);
    meta = &pool->meta[holder];
    return slot < holder - meta->pad_slots + meta->nslots ? holder : NO_SLOT;
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
        run = bits_longest_run(pool_set_free(pool, set));
        pool->max_run[set] = pool_known_run(run);
        if (run > longest)
            longest = run;
        if (longest == SET_SLOTS)
            break;
    }
    return longest;
}
