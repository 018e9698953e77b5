/* SPDX-License-Identifier: Apache-2.0 */
/* From 64-bit keys to small numbers (handles, lists). Several values may share a key; they are
 * found oldest first. */
#ifndef TRACE_INDEX_H
#define TRACE_INDEX_H

#include "bounce/status.h"

#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index {
    uint64_t *keys;    /* by value */
    uint32_t *next;    /* by value: the next younger of the same bucket */
    uint32_t *buckets; /* oldest of each */
    uint32_t *tails;   /* youngest of each */
    uint32_t capacity; /* values 0 .. capacity - 1 have room; as many buckets */
};

void index_free(struct index *index);
void index_clear(struct index *index);

/* Adds value under key; a value may be in at most once. Amortised O(1). BOUNCE_NO_MEMORY. */
enum bounce_status index_insert(struct index *index, uint64_t key, uint32_t value);

/* Oldest value with that key, and the next one after `value`, or INDEX_NONE. */
uint32_t index_find(const struct index *index, uint64_t key);
uint32_t index_find_next(const struct index *index, uint32_t value);

/* Takes a value out that was inserted under `key`. */
void index_remove(struct index *index, uint64_t key, uint32_t value);

#endif
