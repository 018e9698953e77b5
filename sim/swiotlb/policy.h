/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel generation or policy: a constant table of functions. All counters stay in swiotlb.c. */
#ifndef SWIOTLB_POLICY_H
#define SWIOTLB_POLICY_H

#include "pool.h"

#include "bounce/swiotlb.h"

/* One request, as the search of a generation sees it. */
struct slot_request {
    uint64_t orig_addr; /* 0 also for coherent allocations: no address bits to keep then */
    uint64_t alloc_size;
    uint32_t nslots;
    uint32_t alloc_align_mask;
    uint32_t min_align_mask;
    uint64_t boundary_mask;
    uint64_t dma_mask;
    uint32_t cpu;
    uint16_t pad_slots; /* slots before the returned address's own */
    uint16_t offset;    /* of the returned address in its slot */
    bool has_orig;
};

struct slot_found {
    struct pool *pool;
    uint32_t slot; /* NO_SLOT: nothing */
    uint32_t next; /* the area's cursor after it, relative to the area */
    uint64_t probes;
    uint32_t locks;
    bool lockup;
};

struct bounce_policy {
    /* Sizes, offset and padding of a mapping of request->size bytes. */
    void (*shape)(const struct bounce_map_request *request, struct slot_request *slots);
    /* Which starts in `area` would do for the request. */
    void (*run_shape)(const struct pool *pool, uint32_t area, const struct slot_request *slots,
                      struct run_shape *run);
    /* Searches one area; adds to found->probes, sets slot and next on success. */
    void (*search_area)(struct pool *pool, uint32_t area, const struct slot_request *slots,
                        struct slot_found *found);
    bool grows;           /* SWIOTLB_DYNAMIC */
    bool oversize_early;  /* more than a slot set fails before any area is looked at */
};

extern const struct bounce_policy policy_linux_6_12;

#endif
