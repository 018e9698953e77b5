/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct bounce_swiotlb, for the files that implement it. */
#ifndef SWIOTLB_ALLOCATOR_H
#define SWIOTLB_ALLOCATOR_H

#include "policy.h"

#include "bounce/backend.h"
#include "bounce/swiotlb.h"

struct bounce_swiotlb {
    struct bounce_swiotlb_counts counts;
    const struct bounce_policy *policy;
    struct pool *pool;                    /* the default pool; NULL when there is none */
    struct growth *growth;                /* NULL unless the policy grows */
    bool last_no_pages;                   /* the last failure: a transient pool found no pages */
    const struct bounce_backend *backend; /* everything above but counts is unused then */
    void *backend_state;
};

/* Slots of a request of that many bytes; sizes out of all reach saturate. */
static inline uint32_t request_nslots(uint64_t alloc_size)
{
    uint64_t nslots = (alloc_size + SLOT_SIZE - 1) >> BOUNCE_SLOT_SHIFT;

    return nslots < UINT32_MAX ? (uint32_t)nslots : UINT32_MAX;
}

/* A coherent allocation: aligned to its size rounded up to a power-of-two number of pages. */
static inline void request_describe_alloc(const struct bounce_map_request *request,
                                          struct slot_request *slots)
{
    uint64_t pages = (request->size + PAGE_SIZE_4K - 1) >> PAGE_SHIFT;
    uint64_t block = pages <= 1 ? 1 : UINT64_C(2) << log2_floor(pages - 1);

    slots->orig_addr = 0;
    slots->alloc_size = request->size;
    slots->nslots = request_nslots(request->size);
    /* Blocks beyond a slot set are out of reach whatever the mask says. */
    slots->alloc_align_mask = block < (1u << 20) ? (uint32_t)(block << PAGE_SHIFT) - 1 : UINT32_MAX;
    slots->pad_slots = 0;
    slots->offset = 0;
}

/* Whether no pool of any size could serve it: it is longer than what is left of a slot set after
 * the first aligned slot. */
bool allocator_never_fits(const struct bounce_swiotlb *mem, const struct slot_request *slots);

#endif
