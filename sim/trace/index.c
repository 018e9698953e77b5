/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <stdlib.h>

static uint32_t bucket_of(const struct index *index, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (index->capacity - 1);
}

void index_free(struct index *index)
{
    free(index->keys);
    free(index->next);
    free(index->buckets);
    free(index->tails);
    *index = (struct index){0};
}

void index_clear(struct index *index)
{
    for (uint32_t i = 0; i < index->capacity; i++)
        index->buckets[i] = INDEX_NONE;
}

static void link_value(struct index *index, uint64_t key, uint32_t value)
{
    uint32_t bucket = bucket_of(index, key);

    index->keys[value] = key;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it takes the bigger arrays for the old ones
    index->next[value] = INDEX_NONE;
    if (index->buckets[bucket] == INDEX_NONE)
        index->buckets[bucket] = value;
    else
        index->next[index->tails[bucket]] = value;
    index->tails[bucket] = value;
}

static enum bounce_status grow(struct index *index, uint32_t value)
{
    struct index bigger = {.capacity = index->capacity ? index->capacity : 64};

    while (bigger.capacity <= value)
        bigger.capacity *= 2;
    bigger.keys = malloc(bigger.capacity * sizeof(*bigger.keys));
    bigger.next = malloc(bigger.capacity * sizeof(*bigger.next));
    bigger.buckets = malloc(bigger.capacity * sizeof(*bigger.buckets));
    bigger.tails = malloc(bigger.capacity * sizeof(*bigger.tails));
    if (!bigger.keys || !bigger.next || !bigger.buckets || !bigger.tails) {
        index_free(&bigger);
        return BOUNCE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < bigger.capacity; i++)
        bigger.buckets[i] = INDEX_NONE;
    for (uint32_t i = 0; i < index->capacity; i++)
        for (uint32_t v = index->buckets[i]; v != INDEX_NONE; v = index->next[v])
            link_value(&bigger, index->keys[v], v);
    index_free(index);
    *index = bigger;
    return BOUNCE_OK;
}

enum bounce_status index_insert(struct index *index, uint64_t key, uint32_t value)
{
    if (value >= index->capacity) {
        enum bounce_status status = grow(index, value);

        if (status)
            return status;
    }
    link_value(index, key, value);
    return BOUNCE_OK;
}

uint32_t index_find(const struct index *index, uint64_t key)
{
    uint32_t value;

    if (!index->capacity)
        return INDEX_NONE;
    value = index->buckets[bucket_of(index, key)];
    while (value != INDEX_NONE && index->keys[value] != key)
        value = index->next[value];
    return value;
}

uint32_t index_find_next(const struct index *index, uint32_t value)
{
    uint64_t key = index->keys[value];

    do
        value = index->next[value];
    while (value != INDEX_NONE && index->keys[value] != key);
    return value;
}

void index_remove(struct index *index, uint64_t key, uint32_t value)
{
    uint32_t bucket = bucket_of(index, key);
    uint32_t *link = &index->buckets[bucket];
    uint32_t before = INDEX_NONE;

    while (*link != value) {
        before = *link;
        link = &index->next[before];
    }
    *link = index->next[value];
    if (index->tails[bucket] == value)
        index->tails[bucket] = before;
}
