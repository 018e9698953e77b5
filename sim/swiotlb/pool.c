/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define SET_SHIFT 7u
#define SET_SLOTS (1u << SET_SHIFT)
_Static_assert(SET_SLOTS == BOUNCE_SEGMENT_SLOTS, "a slot set is one pair of words");

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint8_t known_run(unsigned run)
{
    return (uint8_t)(run < MAX_RUN_KNOWN ? run : MAX_RUN_KNOWN);
}

static bool wholly_free(struct bits128 free)
{
    return (free.word[0] & free.word[1]) == ~UINT64_C(0);
}

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
    *out = pool;
    return BOUNCE_OK;
}

void pool_reset(struct pool *pool)
{
    uint32_t last = pool->nsets - 1;

    for (uint32_t s = 0; s < pool->nsets; s++) {
        uint32_t slots = s < last ? SET_SLOTS : pool->nslabs - last * SET_SLOTS;

        pool->sets[s] = (struct slot_set){.free = bits_range(0, slots)};
        pool->max_run[s] = known_run(slots);
    }
    pool->free_sets = pool->nslabs / SET_SLOTS;
    pool->used = 0;
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

/* Starts p of one 64-slot word whose nslots do not span a boundary. `first` is the distance of the
 * word's first slot from a boundary. */
static uint64_t unspanned_starts(uint64_t first, uint64_t boundary_slots, uint32_t nslots)
{
    uint64_t allowed = ~UINT64_C(0);
    uint64_t next = (UINT64_C(0) - first) & (boundary_slots - 1); /* next boundary, from the word */

    for (; next < 64u + nslots; next += boundary_slots) {
        uint64_t from = next >= nslots ? next - nslots + 1 : 0;

        if (from >= next || from >= 64)
            continue;
        allowed &= ~(ones_below(next < 64 ? (unsigned)next : 64) & ~ones_below((unsigned)from));
    }
    return allowed;
}

static struct bits128 aligned_starts(uint32_t period, uint32_t residue)
{
    static const uint64_t every[] = {
        UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
        UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
        UINT64_C(0x0000000000000001),
    };

    if (period <= 64) {
        uint64_t word = every[log2_floor(period)] << residue;

        return (struct bits128){{word, word}};
    }
    return bits_range(residue, 1);
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
    uint32_t nslots = shape->nslots;
    uint32_t need = known_run(nslots);
    uint32_t base = area * pool->area_nslabs;
    uint32_t first_set = (base + from) >> SET_SHIFT;
    uint32_t end_set, set;
    struct bits128 aligned;

    if (from >= to || nslots > SET_SLOTS)
        return NO_SLOT;
    end_set = ((base + to - 1) >> SET_SHIFT) + 1;
    aligned = aligned_starts(shape->period, shape->residue);
    for (set = next_promising(pool->max_run, first_set, end_set, need); set < end_set;
         set = next_promising(pool->max_run, set + 1, end_set, need)) {
        struct bits128 starts = bits_run_starts(pool->sets[set].free, nslots);
        uint32_t index = (set << SET_SHIFT) - base;

        if (!bits_any(starts)) {
            pool->max_run[set] = known_run(bits_longest_run(pool->sets[set].free));
            continue;
        }
        if (shape->period > 1)
            starts = bits_and(starts, aligned);
        if (shape->boundary_slots) {
            uint64_t at = shape->phase + index;

            starts.word[0] &= unspanned_starts(at, shape->boundary_slots, nslots);
            starts.word[1] &= unspanned_starts(at + 64, shape->boundary_slots, nslots);
        }
        if (set == first_set)
            starts = bits_and(starts, bits_range(from - index, SET_SLOTS - (from - index)));
        if (!bits_any(starts))
            continue;
        index += bits_lowest(starts);
        if (index >= to)
            return NO_SLOT; /* only the last set can reach past `to` */
        return index;
    }
    return NO_SLOT;
}

bool pool_run_is_free(const struct pool *pool, uint32_t slot, uint32_t nslots)
{
    return nslots <= SET_SLOTS &&
           bits_run_from(pool->sets[slot >> SET_SHIFT].free, slot & (SET_SLOTS - 1)) >= nslots;
}

void pool_take(struct pool *pool, uint32_t slot, uint32_t nslots)
{
    struct slot_set *set = &pool->sets[slot >> SET_SHIFT];
    unsigned bit = slot & (SET_SLOTS - 1);
    struct bits128 taken = bits_range(bit, nslots);

    pool->free_sets -= wholly_free(set->free);
    set->free.word[0] &= ~taken.word[0];
    set->free.word[1] &= ~taken.word[1];
    set->head.word[bit >> 6] |= UINT64_C(1) << (bit & 63);
    pool->areas[pool_area_of(pool, slot)].used += nslots;
    pool->used += nslots;
}

void pool_release(struct pool *pool, uint32_t slot, uint32_t nslots)
{
    uint32_t index = slot >> SET_SHIFT;
    struct slot_set *set = &pool->sets[index];
    unsigned bit = slot & (SET_SLOTS - 1);
    struct bits128 given = bits_range(bit, nslots);
    unsigned run = bits_run_below(set->free, bit) + nslots + bits_run_from(set->free, bit + nslots);

    set->free.word[0] |= given.word[0];
    set->free.word[1] |= given.word[1];
    set->head.word[bit >> 6] &= ~(UINT64_C(1) << (bit & 63));
    if (known_run(run) > pool->max_run[index])
        pool->max_run[index] = known_run(run);
    pool->free_sets += wholly_free(set->free);
    pool->areas[pool_area_of(pool, slot)].used -= nslots;
    pool->used -= nslots;
}

uint32_t pool_head_of(const struct pool *pool, uint32_t slot)
{
    const struct slot_set *set = &pool->sets[slot >> SET_SHIFT];
    unsigned bit = slot & (SET_SLOTS - 1);
    struct bits128 below = bits_and(set->head, bits_range(0, bit + 1));
    uint32_t head = slot - bit;

    if (!bits_any(below))
        return NO_SLOT;
    head += below.word[1] ? 64 + log2_floor(below.word[1]) : log2_floor(below.word[0]);
    return slot < head + pool->meta[head].nslots ? head : NO_SLOT;
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
        run = bits_longest_run(pool->sets[set].free);
        pool->max_run[set] = known_run(run);
        if (run > longest)
            longest = run;
        if (longest == SET_SLOTS)
            break;
    }
    return longest;
}
