/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit sets: one bit a slot of a slot set, bit 0 the lowest slot. */
#ifndef SWIOTLB_BITS_H
#define SWIOTLB_BITS_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 bits128;

#define BITS_ALL (~(bits128)0)

static inline unsigned log2_floor(uint64_t value) /* value != 0 */
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static inline bool is_power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline uint64_t ones(unsigned n) /* 1 <= n <= 64 */
{
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it tries n = 0
    return ~UINT64_C(0) >> (64 - n);
}

static inline bits128 bits_pair(uint64_t low, uint64_t high)
{
    return (bits128)high << 64 | low;
}

static inline bits128 bit_at(unsigned bit) /* bit < 128 */
{
    return (bits128)1 << bit;
}

/* Bits first .. first + n - 1; n >= 1 and the range inside the set. */
static inline bits128 bits_range(unsigned first, unsigned n)
{
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it tries n = 0
    return BITS_ALL >> (128 - n) << first;
}

static inline unsigned bits_lowest(bits128 a) /* any bit set */
{
    uint64_t low = (uint64_t)a;

    return low ? (unsigned)__builtin_ctzll(low)
               : 64u + (unsigned)__builtin_ctzll((uint64_t)(a >> 64));
}

static inline unsigned bits_highest(bits128 a) /* any bit set */
{
    uint64_t high = (uint64_t)(a >> 64);

    return high ? 64u + log2_floor(high) : log2_floor((uint64_t)a);
}

/* Set bits in a row from `bit` (0..127) on. */
static inline unsigned bits_run_from(bits128 a, unsigned bit)
{
    bits128 clear = ~(a >> bit); /* bits shifted in count as clear */

    return clear ? bits_lowest(clear) : 128u;
}

/* a & a >> step; step 0..63. A shift of known reach is a third of the general one. */
static inline bits128 bits_and_shifted(bits128 a, unsigned step)
{
    uint64_t low = (uint64_t)a, high = (uint64_t)(a >> 64);

    return bits_pair(low & (low >> step | high << 1 << (63 - step)), high & high >> step);
}

/* Positions from which n (1..128) bits in a row are set: n is doubled up to, not counted up to.
 * *have becomes n, or, when there are none, some length from 1 to n of which there are none. Short
 * runs, which most are, go the same way whatever their length: a length in a row of requests is as
 * good as random. */
static inline bits128 bits_run_starts_known(bits128 a, unsigned n, unsigned *have)
{
    unsigned step;

    *have = 1;
    for (unsigned round = 0; round < 3; round++) {
        step = *have < n - *have ? *have : n - *have;
        a = bits_and_shifted(a, step);
        *have += step;
    }
    while (*have < n && a) {
        step = *have < n - *have ? *have : n - *have;
        a = step < 64 ? bits_and_shifted(a, step) : a & a >> 64;
        *have += step;
    }
    return a;
}

static inline bits128 bits_run_starts(bits128 a, unsigned n)
{
    unsigned have;

    return bits_run_starts_known(a, n, &have);
}

/* The same in a word, n in 1..64. */
static inline uint64_t word_run_starts(uint64_t a, unsigned n)
{
    unsigned have = 1, step;

    for (unsigned round = 0; round < 3; round++) {
        step = have < n - have ? have : n - have;
        a &= a >> step;
        have += step;
    }
    for (; have < n; have += step) {
        step = have < n - have ? have : n - have;
        a &= a >> step;
    }
    return a;
}

/* One bit in every `period` (a power of two up to 64), from bit 0 on. */
static inline uint64_t word_every(uint32_t period)
{
    static const uint64_t every[] = {
        UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
        UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
        UINT64_C(0x0000000000000001),
    };

    return every[__builtin_ctz(period)];
}

/* Length of the longest run of set bits. */
static inline unsigned bits_longest_run(bits128 a)
{
    bits128 doubled[8];
    unsigned top = 0, length;

    if (!a)
        return 0;
    doubled[0] = a;
    for (bits128 next; top < 7 && (next = doubled[top] & doubled[top] >> (1u << top)); top++)
        doubled[top + 1] = next;
    length = 1u << top;
    a = doubled[top];
    while (top-- > 0 && length < 128) {
        bits128 longer = a & doubled[top] >> length;

        if (longer) {
            a = longer;
            length += 1u << top;
        }
    }
    return length;
}

#endif
