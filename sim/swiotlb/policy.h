/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel generation or policy: a constant table of functions. All counters stay in swiotlb.c. */
#ifndef SWIOTLB_POLICY_H
#define SWIOTLB_POLICY_H

#include "pool.h"

#include "bounce/swiotlb.h"

/* One request, as the search of a generation sees it. */
struct slot_request {
    uint64_t orig_addr; /* 0 for coherent allocations: no address bits to keep then */
    uint64_t alloc_size;
    uint64_t boundary_mask;
    uint32_t nslots;
    uint32_t alloc_align_mask;
    uint32_t min_align_mask;
    uint32_t pad_slots; /* slots before the one that holds the returned address */
    uint32_t offset;    /* of the returned address in that slot */
};

struct slot_found {
    uint64_t probes;
    struct pool *pool;
    uint32_t slot; /* NO_SLOT: nothing */
    uint32_t area;
    uint32_t next; /* the area's cursor after it, relative to the area */
    uint32_t locks;
    bool lockup;
    bool no_pages; /* a transient pool was wanted and the page allocator had none */
};

struct bounce_policy {
    /* A whole request: made of map_slots() in map_slots.h, with the generation's own functions
     * inlined into it. */
    void (*map)(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result);
    /* The request in the terms of the search: sizes, offset and padding. */
    void (*describe)(const struct bounce_map_request *request, bool alloc,
                     struct slot_request *slots);
    /* The search alone: `found` comes zeroed, with NO_SLOT; nothing is taken. NULL: not offered. */
    void (*find)(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                 const struct slot_request *slots, struct slot_found *found);
    /* The request, if a short look tells that its answer is `tlb_addr`; false, and nothing done,
     * where it does not tell. NULL: not offered. */
    bool (*map_as)(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                   uint64_t tlb_addr);
    /* Which starts in `area` would do. */
    void (*run_shape)(struct pool *pool, uint32_t area, const struct slot_request *slots,
                      struct run_shape *run);
    bool grows;       /* SWIOTLB_DYNAMIC */
    bool by_pool;     /* all areas of a pool before the next one */
    bool strict_sync; /* 6.1: an address in the first `offset` bytes of any slot syncs nothing */
};

extern const struct bounce_policy policy_linux_6_12;
extern const struct bounce_policy policy_linux_6_12_dynamic;
extern const struct bounce_policy policy_pool_by_pool;
extern const struct bounce_policy policy_linux_6_1;

#endif
