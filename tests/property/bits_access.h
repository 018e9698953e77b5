/* SPDX-License-Identifier: Apache-2.0 */
/* The inline functions of swiotlb/bits.h (C only), callable from C++. A set is its two words. */
#ifndef PROPERTY_BITS_ACCESS_H
#define PROPERTY_BITS_ACCESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void access_range(unsigned first, unsigned n, uint64_t out[2]);
void access_run_starts(const uint64_t set[2], unsigned n, uint64_t out[2]);
unsigned access_length_known(const uint64_t set[2], unsigned n);
uint64_t access_word_run_starts(uint64_t word, unsigned n);
unsigned access_run_from(const uint64_t set[2], unsigned bit);
unsigned access_longest_run(const uint64_t set[2]);
unsigned access_lowest(const uint64_t set[2]);
unsigned access_highest(const uint64_t set[2]);
unsigned access_log2_floor(uint64_t value);

#ifdef __cplusplus
}
#endif

#endif
