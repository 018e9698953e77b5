/* SPDX-License-Identifier: Apache-2.0 */
/* How many candidates the kernel looks at, without looking at them.
 *
 * The kernel steps by one slot while a candidate is unaligned and by `stride` after an aligned one
 * that does not serve. Aligned candidates repeat every `period` slots (a power of two, at least
 * `stride`), so the steps between two of them are known: one, and then period - stride single ones.
 */
#ifndef SWIOTLB_WALK_H
#define SWIOTLB_WALK_H

#include <stdint.h>

struct walk {
    uint32_t period;
    uint32_t stride;
    uint32_t residue; /* aligned indices are residue modulo period */
};

static inline uint64_t walk_first_aligned(const struct walk *walk, uint64_t from)
{
    return from + ((walk->residue - from) & (walk->period - 1));
}

/* Candidates up to and including the aligned one `to` slots ahead, when the first aligned one is
 * `first` slots ahead. */
static inline uint64_t walk_probes_ahead(const struct walk *walk, uint64_t first, uint64_t to)
{
    uint64_t misses = (to - first) >> __builtin_ctz(walk->period);

    return first + misses * (1 + walk->period - walk->stride) + 1;
}

/* Candidates from index `from` up to and including the aligned index `to`. */
static inline uint64_t walk_probes_to(const struct walk *walk, uint64_t from, uint64_t to)
{
    return walk_probes_ahead(walk, walk_first_aligned(walk, from) - from, to - from);
}

/* Candidates of a walk from `from` that finds nothing below `end`; *overshoot becomes how far its
 * last step reaches past `end`. */
static inline uint64_t walk_probes_through(const struct walk *walk, uint64_t from, uint64_t end,
                                           uint64_t *overshoot)
{
    uint64_t first = walk_first_aligned(walk, from);
    uint64_t last, landing, probes;

    *overshoot = 0;
    if (from >= end)
        return 0;
    if (first >= end)
        return end - from;
    last = first + ((end - 1 - first) & ~(uint64_t)(walk->period - 1));
    probes = walk_probes_to(walk, from, last);
    landing = last + walk->stride;
    if (landing >= end) {
        *overshoot = landing - end;
        return probes;
    }
    return probes + (end - landing);
}

#endif
