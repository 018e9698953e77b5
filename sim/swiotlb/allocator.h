/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct bounce_swiotlb, for the files that implement it. */
#ifndef SWIOTLB_ALLOCATOR_H
#define SWIOTLB_ALLOCATOR_H

#include "policy.h"

#include "bounce/swiotlb.h"

struct bounce_swiotlb {
    struct bounce_swiotlb_counts counts;
    const struct bounce_policy *policy;
    struct pool *pool; /* the default pool; NULL when there is none */
};

/* The request in the terms of the searches. */
void allocator_describe(const struct bounce_swiotlb *mem,
                        const struct bounce_map_request *request, bool alloc,
                        struct slot_request *slots);

/* Whether no pool of any size could serve it: it is longer than what is left of a slot set after
 * the first aligned slot. */
bool allocator_never_fits(const struct bounce_swiotlb *mem, const struct slot_request *slots);

#endif
