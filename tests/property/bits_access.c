/* SPDX-License-Identifier: Apache-2.0 */
#include "bits_access.h"

#include "swiotlb/bits.h"

static bits128 set_of(const uint64_t set[2]) {
    return bits_pair(set[0], set[1]);
}

static void put(bits128 set, uint64_t out[2]) {
    out[0] = (uint64_t)set;
    out[1] = (uint64_t)(set >> 64);
}

void access_range(unsigned first, unsigned n, uint64_t out[2]) {
    put(bits_range(first, n), out);
}

void access_run_starts(const uint64_t set[2], unsigned n, uint64_t out[2]) {
    put(bits_run_starts(set_of(set), n), out);
}

unsigned access_length_known(const uint64_t set[2], unsigned n) {
    unsigned length;

    bits_run_starts_known(set_of(set), n, &length);
    return length;
}

uint64_t access_word_run_starts(uint64_t word, unsigned n) {
    return word_run_starts(word, n);
}

unsigned access_run_from(const uint64_t set[2], unsigned bit) {
    return bits_run_from(set_of(set), bit);
}

unsigned access_longest_run(const uint64_t set[2]) {
    return bits_longest_run(set_of(set));
}

unsigned access_lowest(const uint64_t set[2]) {
    return bits_lowest(set_of(set));
}

unsigned access_highest(const uint64_t set[2]) {
    return bits_highest(set_of(set));
}

unsigned access_log2_floor(uint64_t value) {
    return log2_floor(value);
}
