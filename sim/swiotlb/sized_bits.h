/* SPDX-License-Identifier: Apache-2.0 */
/* Bit sets of any length: bit i is bit i % 64 of word i / 64. */
#ifndef SWIOTLB_SIZED_BITS_H
#define SWIOTLB_SIZED_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t words_of(uint64_t bits)
{
    return (size_t)((bits + 63) / 64);
}

static inline bool bit_is_set(const uint64_t *words, uint32_t bit)
{
    return words[bit / 64] >> (bit % 64) & 1;
}

static inline void bit_put(uint64_t *words, uint32_t bit, bool value)
{
    uint64_t mask = UINT64_C(1) << (bit % 64);

    words[bit / 64] = value ? words[bit / 64] | mask : words[bit / 64] & ~mask;
}

/* The first bit in [from, end) that is set in the words after `flip` is applied, or end. */
static inline uint32_t bits_next(const uint64_t *words, uint32_t from, uint32_t end, uint64_t flip)
{
    uint32_t w = from / 64;
    uint64_t word;

    if (from >= end)
        return end;
    word = (words[w] ^ flip) >> (from % 64) << (from % 64);
    while (!word) {
        if (++w * 64 >= end)
            return end;
        word = words[w] ^ flip;
    }
    w = w * 64 + (uint32_t)__builtin_ctzll(word);
    return w < end ? w : end;
}

static inline uint32_t bits_next_set(const uint64_t *words, uint32_t from, uint32_t end)
{
    return bits_next(words, from, end, 0);
}

static inline uint32_t bits_next_clear(const uint64_t *words, uint32_t from, uint32_t end)
{
    return bits_next(words, from, end, ~UINT64_C(0));
}

/* The last set bit in [low, from], or UINT32_MAX. */
static inline uint32_t bits_previous_set(const uint64_t *words, uint32_t from, uint32_t low)
{
    uint32_t w = from / 64;
    uint64_t word = words[w] << (63 - from % 64) >> (63 - from % 64);

    while (!word) {
        if (w * 64 <= low)
            return UINT32_MAX;
        word = words[--w];
    }
    w = w * 64 + 63 - (uint32_t)__builtin_clzll(word);
    return w >= low ? w : UINT32_MAX;
}

static inline void bits_fill(uint64_t *words, uint32_t first, uint32_t count, bool value)
{
    while (count) {
        uint32_t room = 64 - first % 64;
        uint32_t n = count < room ? count : room;
        uint64_t mask = ~UINT64_C(0) >> (64 - n) << (first % 64);

        words[first / 64] = value ? words[first / 64] | mask : words[first / 64] & ~mask;
        first += n;
        count -= n;
    }
}

#endif
