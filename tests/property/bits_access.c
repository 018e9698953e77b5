/* SPDX-License-Identifier: Apache-2.0 */
#include "bits_access.h"

#include "swiotlb/bits.h"

static struct bits128 set_of(const uint64_t set[2])
{
    return (struct bits128){{set[0], set[1]}};
}

static void put(struct bits128 set, uint64_t out[2])
{
    out[0] = set.word[0];
    out[1] = set.word[1];
}

void access_range(unsigned first, unsigned n, uint64_t out[2])
{
    put(bits_range(first, n), out);
}

void access_run_starts(const uint64_t set[2], unsigned n, uint64_t out[2])
{
    put(bits_run_starts(set_of(set), n), out);
}

void access_shift_down(const uint64_t set[2], unsigned s, uint64_t out[2])
{
    put(bits_shift_down(set_of(set), s), out);
}

unsigned access_run_below(const uint64_t set[2], unsigned bit)
{
    return bits_run_below(set_of(set), bit);
}

unsigned access_run_from(const uint64_t set[2], unsigned bit)
{
    return bits_run_from(set_of(set), bit);
}

unsigned access_longest_run(const uint64_t set[2])
{
    return bits_longest_run(set_of(set));
}

unsigned access_lowest(const uint64_t set[2])
{
    return bits_lowest(set_of(set));
}

unsigned access_log2_floor(uint64_t value)
{
    return log2_floor(value);
}
