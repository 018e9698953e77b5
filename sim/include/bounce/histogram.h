/* SPDX-License-Identifier: Apache-2.0 */
/* How often each value occurred, in bounded memory: exact while there are few distinct ones, beyond
 * that to 7 leading bits (0.8 %). Count, sum, smallest and largest are exact always. */
#ifndef BOUNCE_HISTOGRAM_H
#define BOUNCE_HISTOGRAM_H

#include "bounce/export.h"
#include "bounce/status.h"

#include <stdint.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_HISTOGRAM_BITS 7u

struct bounce_bin {
    uint64_t value; /* of rounded ones: the lowest that falls into it */
    uint64_t count; /* 0: free */
};

/* All zero but `exact` is an empty one. Owned by the caller; at most exact + 7424 bins. */
struct bounce_histogram {
    uint32_t exact; /* distinct values that are kept as they are */
    uint32_t room;  /* a power of two */
    uint32_t used;
    struct bounce_bin *bins; /* open addressing */
    uint64_t count;
    uint64_t sum; /* saturates */
    uint64_t min;
    uint64_t max;
};

/* Amortised O(1). BOUNCE_NO_MEMORY: nothing was added. */
BOUNCE_API enum bounce_status bounce_histogram_add(struct bounce_histogram *histogram,
                                                   uint64_t value, uint64_t times);

/* All bins in ascending order, bounce_histogram.used of them, in memory that the caller frees. NULL
 * without memory or when it is empty. */
BOUNCE_API struct bounce_bin *bounce_histogram_sorted(const struct bounce_histogram *histogram);

/* The value of that rank (from 0) among all in ascending order; of rounded ones the middle of what
 * falls together, never outside min and max. `sorted` is what bounce_histogram_sorted() gave; 0
 * when it is NULL. Linear. */
BOUNCE_API uint64_t bounce_histogram_at(const struct bounce_histogram *histogram,
                                        const struct bounce_bin *sorted, uint64_t rank);

/* The smallest value that at least `per_mille` thousandths (1 to 1000) do not exceed. */
BOUNCE_API uint64_t bounce_histogram_percentile(const struct bounce_histogram *histogram,
                                                const struct bounce_bin *sorted,
                                                uint32_t per_mille);

BOUNCE_API void bounce_histogram_free(struct bounce_histogram *histogram);

BOUNCE_END_DECLS

#endif
