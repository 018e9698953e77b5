/* SPDX-License-Identifier: Apache-2.0 */
/* How often each request size occurred, for an exact median. */
#ifndef TRACE_SIZES_H
#define TRACE_SIZES_H

#include "bounce/histogram.h"
#include "bounce/trace.h"

#define SIZES_EXACT 65536u /* distinct sizes; from there on others are taken to 7 leading bits */

struct sizes {
    struct bounce_histogram histogram;
    uint64_t reads;
    uint64_t writes;
};

/* Adds a request of `size` bytes. BOUNCE_NO_MEMORY. */
enum bounce_status sizes_add(struct sizes *sizes, uint64_t size, enum bounce_dir dir);

/* With the median worked out. */
struct bounce_request_counts sizes_counts(const struct sizes *sizes);

void sizes_free(struct sizes *sizes);

#endif
