/* SPDX-License-Identifier: Apache-2.0 */
#include "slot_bytes.h"

#include <stdlib.h>
#include <string.h>

void bitmap_arena_destroy(struct bitmap_arena *arena)
{
    for (uint32_t i = 0; i < arena->nblocks; i++)
        free(arena->blocks[i]);
    free(arena->blocks);
    *arena = (struct bitmap_arena){0};
}

size_t bitmap_arena_memory(const struct bitmap_arena *arena)
{
    return arena->nblocks * (sizeof(struct bitmap_block) + sizeof(struct bitmap_block *));
}

static uint64_t *words_of(const struct bitmap_arena *arena, uint32_t bitmap)
{
    return arena->blocks[(bitmap - 1) / BITMAPS_A_BLOCK]->words[(bitmap - 1) % BITMAPS_A_BLOCK];
}

static bool add_block(struct bitmap_arena *arena)
{
    struct bitmap_block **more =
        realloc(arena->blocks, (arena->nblocks + 1) * sizeof(struct bitmap_block *));

    if (!more)
        return false;
    arena->blocks = more;
    more[arena->nblocks] = malloc(sizeof(struct bitmap_block));
    if (!more[arena->nblocks])
        return false;
    arena->nblocks++;
    return true;
}

static uint32_t take_bitmap(struct bitmap_arena *arena)
{
    uint32_t bitmap = arena->freed;

    if (bitmap) {
        arena->freed = (uint32_t)words_of(arena, bitmap)[0];
        return bitmap;
    }
    if (arena->made == arena->nblocks * BITMAPS_A_BLOCK && !add_block(arena))
        return NO_BITMAP;
    return ++arena->made;
}

static void give_bitmap(struct bitmap_arena *arena, uint32_t bitmap)
{
    words_of(arena, bitmap)[0] = arena->freed;
    arena->freed = bitmap;
}

/* The bits of word `word` that lie in [begin, end). */
static uint64_t part(uint32_t word, uint32_t begin, uint32_t end)
{
    uint32_t first = 64 * word;
    uint64_t bits = ~UINT64_C(0);

    if (begin >= first + 64 || end <= first)
        return 0;
    if (begin > first)
        bits &= ~UINT64_C(0) << (begin - first);
    if (end < first + 64)
        bits &= ~UINT64_C(0) >> (first + 64 - end);
    return bits;
}

static uint32_t count_bits(const uint64_t *words, uint32_t begin, uint32_t end)
{
    uint32_t count = 0;

    for (uint32_t w = begin / 64; 64 * w < end; w++)
        count += (uint32_t)__builtin_popcountll(words[w] & part(w, begin, end));
    return count;
}

uint32_t slot_bytes_count(const struct bitmap_arena *arena, const struct slot_bytes *set,
                          uint32_t begin, uint32_t end)
{
    if (begin < set->begin)
        begin = set->begin;
    if (end > set->end)
        end = set->end;
    if (begin >= end)
        return 0;
    return set->bitmap ? count_bits(words_of(arena, set->bitmap), begin, end) : end - begin;
}

/* Gives the set a bit map if it has none. */
static bool spread(struct bitmap_arena *arena, struct slot_bytes *set)
{
    uint64_t *words;

    if (set->bitmap)
        return true;
    set->bitmap = take_bitmap(arena);
    if (!set->bitmap)
        return false;
    words = words_of(arena, set->bitmap);
    for (uint32_t w = 0; w < SLOT_WORDS; w++)
        words[w] = part(w, set->begin, set->end);
    return true;
}

/* Makes the hull tight, and the bit map go when there is nothing in it to say. */
static void settle(struct bitmap_arena *arena, struct slot_bytes *set)
{
    const uint64_t *words = words_of(arena, set->bitmap);
    uint32_t low = 0, high = SLOT_WORDS;

    while (low < SLOT_WORDS && !words[low])
        low++;
    while (high > low && !words[high - 1])
        high--;
    if (low == high) {
        set->begin = set->end = 0;
    } else {
        set->begin = (uint16_t)(64 * low + (uint32_t)__builtin_ctzll(words[low]));
        set->end = (uint16_t)(64 * high - (uint32_t)__builtin_clzll(words[high - 1]));
    }
    if (count_bits(words, set->begin, set->end) == (uint32_t)(set->end - set->begin)) {
        give_bitmap(arena, set->bitmap);
        set->bitmap = NO_BITMAP;
    }
}

static void set_interval(struct bitmap_arena *arena, struct slot_bytes *set, uint32_t begin,
                         uint32_t end)
{
    if (set->bitmap)
        give_bitmap(arena, set->bitmap);
    *set = (struct slot_bytes){.begin = (uint16_t)begin, .end = (uint16_t)end};
}

bool slot_bytes_add(struct bitmap_arena *arena, struct slot_bytes *set, uint32_t begin,
                    uint32_t end)
{
    uint64_t *words;

    if (begin >= end)
        return true;
    if (set->begin == set->end || (begin <= set->begin && end >= set->end)) {
        set_interval(arena, set, begin, end);
        return true;
    }
    if (!set->bitmap && begin <= set->end && end >= set->begin) {
        set->begin = (uint16_t)(begin < set->begin ? begin : set->begin);
        set->end = (uint16_t)(end > set->end ? end : set->end);
        return true;
    }
    if (!spread(arena, set))
        return false;
    words = words_of(arena, set->bitmap);
    for (uint32_t w = begin / 64; 64 * w < end; w++)
        words[w] |= part(w, begin, end);
    settle(arena, set);
    return true;
}

bool slot_bytes_remove(struct bitmap_arena *arena, struct slot_bytes *set, uint32_t begin,
                       uint32_t end)
{
    uint64_t *words;

    if (begin >= end || end <= set->begin || begin >= set->end)
        return true;
    if (begin <= set->begin && end >= set->end) {
        set_interval(arena, set, 0, 0);
        return true;
    }
    if (!set->bitmap && (begin <= set->begin || end >= set->end)) {
        if (begin <= set->begin)
            set->begin = (uint16_t)end;
        else
            set->end = (uint16_t)begin;
        return true;
    }
    if (!spread(arena, set))
        return false;
    words = words_of(arena, set->bitmap);
    for (uint32_t w = begin / 64; 64 * w < end; w++)
        words[w] &= ~part(w, begin, end);
    settle(arena, set);
    return true;
}
