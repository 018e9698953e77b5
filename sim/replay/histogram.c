/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/histogram.h"

#include <stdlib.h>

static uint32_t place(const struct bounce_histogram *h, uint64_t value)
{
    uint32_t at = (uint32_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (h->room - 1);

    while (h->bins[at].count && h->bins[at].value != value)
        at = (at + 1) & (h->room - 1);
    return at;
}

static enum bounce_status grow(struct bounce_histogram *h)
{
    struct bounce_bin *old = h->bins;
    uint32_t old_room = h->room, room = old_room ? 2 * old_room : 16;
    struct bounce_bin *bins = calloc(room, sizeof(*bins));

    if (!bins)
        return BOUNCE_NO_MEMORY;
    h->bins = bins;
    h->room = room;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].count)
            bins[place(h, old[i].value)] = old[i];
    free(old);
    return BOUNCE_OK;
}

/* Bits of a value that rounding drops. */
static unsigned dropped_bits(uint64_t value)
{
    unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;

    return bits > BOUNCE_HISTOGRAM_BITS ? bits - BOUNCE_HISTOGRAM_BITS : 0;
}

enum bounce_status bounce_histogram_add(struct bounce_histogram *h, uint64_t value, uint64_t times)
{
    uint64_t added;
    uint32_t at;

    if (!times)
        return BOUNCE_OK;
    if (4 * (uint64_t)h->used >= 3 * (uint64_t)h->room && grow(h))
        return BOUNCE_NO_MEMORY;
    at = place(h, value);
    if (!h->bins[at].count && h->used >= h->exact) {
        unsigned dropped = dropped_bits(value);

        at = place(h, value >> dropped << dropped);
        h->bins[at].value = value >> dropped << dropped;
    } else {
        h->bins[at].value = value;
    }
    h->used += !h->bins[at].count;
    h->bins[at].count += times;
    h->min = !h->count || value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->count += times;
    if (__builtin_mul_overflow(value, times, &added) ||
        __builtin_add_overflow(h->sum, added, &h->sum))
        h->sum = UINT64_MAX;
    return BOUNCE_OK;
}

static int by_value(const void *a, const void *b)
{
    const struct bounce_bin *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

struct bounce_bin *bounce_histogram_sorted(const struct bounce_histogram *h)
{
    struct bounce_bin *sorted = h->used ? malloc(h->used * sizeof(*sorted)) : NULL;
    uint32_t n = 0;

    if (!sorted)
        return NULL;
    for (uint32_t i = 0; i < h->room; i++)
        if (h->bins[i].count)
            sorted[n++] = h->bins[i];
    qsort(sorted, n, sizeof(*sorted), by_value);
    return sorted;
}

uint64_t bounce_histogram_at(const struct bounce_histogram *h, const struct bounce_bin *sorted,
                             uint64_t rank)
{
    uint64_t before = 0, value = 0;
    uint32_t i = 0;

    if (!sorted)
        return 0;
    while (i + 1 < h->used && before + sorted[i].count <= rank)
        before += sorted[i++].count;
    value = sorted[i].value;
    if (h->used > h->exact) /* some are rounded, and which is not known */
        value += (UINT64_C(1) << dropped_bits(value)) >> 1;
    if (value > h->max)
        value = h->max;
    return value < h->min ? h->min : value;
}

uint64_t bounce_histogram_percentile(const struct bounce_histogram *h,
                                     const struct bounce_bin *sorted, uint32_t per_mille)
{
    uint64_t wanted = h->count / 1000 * per_mille + (h->count % 1000 * per_mille + 999) / 1000;

    return bounce_histogram_at(h, sorted, wanted ? wanted - 1 : 0);
}

void bounce_histogram_free(struct bounce_histogram *h)
{
    free(h->bins);
    *h = (struct bounce_histogram){.exact = h->exact};
}
