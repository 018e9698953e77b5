/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit sets: one bit a slot of a slot set, bit 0 the lowest slot. */
#ifndef SWIOTLB_BITS_H
#define SWIOTLB_BITS_H

#include <stdbool.h>
#include <stdint.h>

struct bits128 {
    uint64_t word[2];
};

static inline unsigned log2_floor(uint64_t value) /* value != 0 */
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static inline bool is_power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline uint64_t ones_below(unsigned n)
{
    return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

/* Bits first .. first + n - 1; n >= 1 and the range inside the set. */
static inline struct bits128 bits_range(unsigned first, unsigned n)
{
    unsigned end = first + n;
    struct bits128 r;

    r.word[0] = ones_below(end) & ~ones_below(first);
    r.word[1] = end > 64 ? ones_below(end - 64) & ~ones_below(first > 64 ? first - 64 : 0) : 0;
    return r;
}

static inline bool bits_any(struct bits128 a)
{
    return (a.word[0] | a.word[1]) != 0;
}

static inline struct bits128 bits_and(struct bits128 a, struct bits128 b)
{
    return (struct bits128){{a.word[0] & b.word[0], a.word[1] & b.word[1]}};
}

static inline struct bits128 bits_shift_down(struct bits128 a, unsigned s) /* 1 <= s <= 64 */
{
    if (s == 64)
        return (struct bits128){{a.word[1], 0}};
    return (struct bits128){{(a.word[0] >> s) | (a.word[1] << (64 - s)), a.word[1] >> s}};
}

static inline unsigned bits_lowest(struct bits128 a) /* any bit set */
{
    return a.word[0] ? (unsigned)__builtin_ctzll(a.word[0])
                     : 64u + (unsigned)__builtin_ctzll(a.word[1]);
}

/* Positions from which n (1..128) bits in a row are set: n is doubled up to, not counted up to. */
static inline struct bits128 bits_run_starts(struct bits128 a, unsigned n)
{
    unsigned have = 1;

    while (have < n) {
        unsigned step = have < n - have ? have : n - have;

        a = bits_and(a, bits_shift_down(a, step));
        have += step;
    }
    return a;
}

/* Set bits that follow each other directly below `bit` / from `bit` on. */
static inline unsigned bits_run_below(struct bits128 a, unsigned bit)
{
    if (bit <= 64) {
        uint64_t clear = bit ? ~a.word[0] << (64 - bit) : 0;

        return bit == 0 ? 0 : clear ? (unsigned)__builtin_clzll(clear) : bit;
    }
    uint64_t clear = ~a.word[1] << (128 - bit);
    if (clear)
        return (unsigned)__builtin_clzll(clear);
    clear = ~a.word[0];
    return bit - 64 + (clear ? (unsigned)__builtin_clzll(clear) : 64);
}

static inline unsigned bits_run_from(struct bits128 a, unsigned bit) /* bit <= 128 */
{
    if (bit >= 128)
        return 0;
    if (bit >= 64) {
        uint64_t clear = ~a.word[1] >> (bit - 64);

        return clear ? (unsigned)__builtin_ctzll(clear) : 128 - bit;
    }
    uint64_t clear = ~a.word[0] >> bit;
    if (clear)
        return (unsigned)__builtin_ctzll(clear);
    clear = ~a.word[1];
    return 64 - bit + (clear ? (unsigned)__builtin_ctzll(clear) : 64);
}

/* Length of the longest run of set bits. */
static inline unsigned bits_longest_run(struct bits128 a)
{
    struct bits128 doubled[8];
    unsigned top = 0, length;

    if (!bits_any(a))
        return 0;
    doubled[0] = a;
    while (top < 7) {
        struct bits128 next =
            bits_and(doubled[top], bits_shift_down(doubled[top], 1u << top));

        if (!bits_any(next))
            break;
        doubled[++top] = next;
    }
    length = 1u << top;
    a = doubled[top];
    while (top-- > 0 && length < 128) {
        struct bits128 longer = doubled[top];

        longer = length >= 64 ? bits_shift_down(longer, 64) : bits_shift_down(longer, length);
        if (length > 64)
            longer = bits_shift_down(longer, length - 64);
        longer = bits_and(a, longer);
        if (bits_any(longer)) {
            a = longer;
            length += 1u << top;
        }
    }
    return length;
}

#endif
