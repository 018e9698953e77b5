/* SPDX-License-Identifier: Apache-2.0 */
#include "sizes.h"

#include <stdlib.h>

struct size_count {
    uint64_t size; /* 0: free */
    uint64_t count;
};

#define LEADING_BITS 7u

static struct size_count *find(const struct sizes *sizes, uint64_t size)
{
    uint32_t at = (uint32_t)((size * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (sizes->room - 1);

    while (sizes->table[at].size && sizes->table[at].size != size)
        at = (at + 1) & (sizes->room - 1);
    return &sizes->table[at];
}

static bool grow(struct sizes *sizes)
{
    struct sizes bigger = *sizes;

    bigger.room = sizes->room ? 2 * sizes->room : 64;
    bigger.table = calloc(bigger.room, sizeof(*bigger.table));
    if (!bigger.table)
        return false;
    for (uint32_t i = 0; i < sizes->room; i++)
        if (sizes->table[i].size)
            *find(&bigger, sizes->table[i].size) = sizes->table[i];
    free(sizes->table);
    *sizes = bigger;
    return true;
}

static uint64_t rounded(uint64_t size)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(size);

    return bits <= LEADING_BITS ? size : size >> (bits - LEADING_BITS) << (bits - LEADING_BITS);
}

enum bounce_status sizes_add(struct sizes *sizes, uint64_t size, enum bounce_dir dir)
{
    struct bounce_request_counts *counts = &sizes->counts;
    struct size_count *entry;

    if (2 * sizes->used >= sizes->room && !grow(sizes))
        return BOUNCE_NO_MEMORY;
    entry = find(sizes, size);
    if (!entry->size && sizes->used >= SIZES_EXACT)
        entry = find(sizes, size = rounded(size));
    sizes->used += !entry->size;
    entry->size = size;
    entry->count++;
    counts->size_min = !counts->count || size < counts->size_min ? size : counts->size_min;
    counts->size_max = size > counts->size_max ? size : counts->size_max;
    counts->count++;
    counts->bytes += size;
    counts->reads += dir == BOUNCE_FROM_DEVICE;
    counts->writes += dir == BOUNCE_TO_DEVICE;
    return BOUNCE_OK;
}

static int by_size(const void *a, const void *b)
{
    const struct size_count *x = a, *y = b;

    return (x->size > y->size) - (x->size < y->size);
}

struct bounce_request_counts sizes_counts(const struct sizes *sizes)
{
    struct bounce_request_counts counts = sizes->counts;
    struct size_count *sorted = sizes->used ? malloc(sizes->used * sizeof(*sorted)) : NULL;
    uint64_t before = 0;
    uint32_t n = 0;

    if (!sorted)
        return counts;
    for (uint32_t i = 0; i < sizes->room; i++)
        if (sizes->table[i].size)
            sorted[n++] = sizes->table[i];
    qsort(sorted, n, sizeof(*sorted), by_size);
    for (uint32_t i = 0; i < n && before <= counts.count / 2; i++) {
        counts.size_median = sorted[i].size;
        before += sorted[i].count;
    }
    free(sorted);
    return counts;
}

void sizes_free(struct sizes *sizes)
{
    free(sizes->table);
    *sizes = (struct sizes){0};
}
