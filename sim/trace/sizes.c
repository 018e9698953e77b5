/* SPDX-License-Identifier: Apache-2.0 */
#include "sizes.h"

#include <stdlib.h>

enum bounce_status sizes_add(struct sizes *sizes, uint64_t size, enum bounce_dir dir)
{
    sizes->histogram.exact = SIZES_EXACT;
    sizes->reads += dir == BOUNCE_FROM_DEVICE;
    sizes->writes += dir == BOUNCE_TO_DEVICE;
    return bounce_histogram_add(&sizes->histogram, size, 1);
}

struct bounce_request_counts sizes_counts(const struct sizes *sizes)
{
    const struct bounce_histogram *h = &sizes->histogram;
    struct bounce_bin *sorted = bounce_histogram_sorted(h);
    struct bounce_request_counts counts = {
        .count = h->count,
        .reads = sizes->reads,
        .writes = sizes->writes,
        .bytes = h->sum,
        .size_min = h->min,
        .size_median = bounce_histogram_at(h, sorted, h->count / 2),
        .size_max = h->max,
    };

    free(sorted);
    return counts;
}

void sizes_free(struct sizes *sizes)
{
    bounce_histogram_free(&sizes->histogram);
}
