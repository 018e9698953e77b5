/* SPDX-License-Identifier: Apache-2.0 */
/* A pool with any slot size and any slot-set size, and the policies that place buffers in it.
 *
 * What the core does for Linux's own searches (pool.c, map_slots.h) this does for everything else:
 * which slots are free, where buffers begin, what each holds, and all counting. A policy only says
 * where a request goes. Bounds: a slot is 512 bytes to 64 KiB, a slot set 32 to 4096 slots. */
#ifndef SWIOTLB_SIZED_POOL_H
#define SWIOTLB_SIZED_POOL_H

#include "policy.h"

#include "bounce/backend.h"

struct sized_policy;

/* A buffer, kept at the slot that holds the address returned. */
struct sized_buffer {
    uint64_t orig_addr;  /* NO_ORIG_ADDR for coherent allocations */
    uint32_t alloc_size; /* bytes, offset and rounding included */
    uint32_t size;       /* bytes the caller asked for */
    uint16_t offset;     /* of the address returned in this slot */
    uint16_t pad_slots;  /* slots before this one that the request asked for */
    uint16_t lead_slots; /* slots taken before this one: padding, and what a block has in front */
    uint16_t taken;      /* slots taken in all */
};

struct sized_area {
    uint32_t used;
    uint32_t index; /* where the next search starts, relative to the area */
};

struct sized_pool {
    struct bounce_swiotlb_counts *counts;
    const struct sized_policy *policy;
    void *policy_state; /* the policy's own */
    uint64_t start;
    uint64_t end;
    uint32_t slot_shift;
    uint32_t set_shift;
    uint32_t nslabs; /* 0: there is no pool, and nothing below */
    uint32_t nareas;
    uint32_t area_nslabs;
    uint32_t nsets;
    uint32_t whole_sets_end; /* sets from it on never count as wholly free; normally nsets */
    bool unspanned;          /* no multiple of the seg_boundary seen last lies within the pool */
    uint64_t boundary_mask;
    uint64_t dma_base;  /* DMA slot number of slot 0, counted from a boundary */
    uint64_t *free;     /* a bit a slot */
    uint64_t *mapped;   /* a bit a slot: it holds an address returned */
    uint32_t *set_free; /* free slots a set */
    struct sized_area *areas;
    struct sized_buffer *buffers;
};

struct sized_found {
    uint64_t probes;
    uint32_t locks;
    uint32_t area;
    uint32_t slot;  /* NO_SLOT, or the first slot of the request, its padding included */
    uint32_t first; /* slots taken for it: first .. first + taken - 1, within one slot set */
    uint32_t taken;
    uint32_t next; /* the area's cursor after it */
};

/* Places buffers. All but `find` may be NULL. */
struct sized_policy {
    /* Where the request goes; `found` comes zeroed, with NO_SLOT. It counts locks and probes. */
    void (*find)(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found);
    /* The request in slots; otherwise as Linux 6.12. */
    void (*describe)(const struct sized_pool *pool, const struct bounce_map_request *request,
                     bool alloc, struct slot_request *slots);
    /* Slots in a row that must be free for it; otherwise those of the request. */
    uint32_t (*needed)(struct sized_pool *pool, const struct slot_request *slots);
    /* Whether no pool of any size could serve it; otherwise as Linux 6.12. */
    bool (*never_fits)(struct sized_pool *pool, const struct slot_request *slots);
    /* The longest run that the request could have in an area if nothing but length mattered;
     * otherwise the longest free run. */
    uint32_t (*largest_run)(struct sized_pool *pool, uint32_t area,
                            const struct slot_request *slots);
    /* State of its own, made once the pool is there; BOUNCE_NO_MEMORY. */
    enum bounce_status (*create)(struct sized_pool *pool);
    void (*destroy)(struct sized_pool *pool);
    void (*reset)(struct sized_pool *pool); /* all slots are free again; also after create */
    /* Slots first .. first + count - 1 were taken, or are free again. */
    void (*taken)(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count);
    void (*released)(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count);
    bool one_area; /* whatever the configuration says */
};

/* A backend that places with `policy`; the contract of bounce_backend_factory.create. */
enum bounce_status sized_create(const struct sized_policy *policy,
                                const struct bounce_swiotlb_config *config,
                                struct bounce_swiotlb_counts *counts,
                                const struct bounce_backend **backend, void **state,
                                struct bounce_error *error);

/* ---- sized_pool.c: the book-keeping ---- */

/* `pool` comes zeroed but for counts, policy, start, shifts, nslabs and nareas. */
enum bounce_status sized_pool_init(struct sized_pool *pool);
void sized_pool_free(struct sized_pool *pool);
void sized_pool_reset(struct sized_pool *pool);

/* Takes what was found for a buffer, of which `slot` + pad_slots holds the address. */
void sized_pool_take(struct sized_pool *pool, const struct sized_found *found,
                     struct sized_buffer buffer);

/* The slots given back, 0 when no buffer has its address at exactly `tlb_addr`. */
uint32_t sized_pool_release(struct sized_pool *pool, uint64_t tlb_addr);

/* The slot that holds the address of the buffer to which `slot` belongs, or NO_SLOT. */
uint32_t sized_pool_holder_of(const struct sized_pool *pool, uint32_t slot);

uint32_t sized_pool_longest_run(struct sized_pool *pool, uint32_t area);

/* The next run of free slots in [from, end), at most to the end of its slot set; false at the end.
 * Sets with fewer than `least` free slots are passed over. */
bool sized_pool_next_run(const struct sized_pool *pool, uint32_t from, uint32_t end, uint32_t least,
                         uint32_t *first, uint32_t *count);

/* Whether count slots from `slot` on are free and within one slot set. */
bool sized_pool_is_free(const struct sized_pool *pool, uint32_t slot, uint32_t count);

static inline uint32_t sized_set_slots(const struct sized_pool *pool)
{
    return 1u << pool->set_shift;
}

static inline uint32_t sized_area_free(const struct sized_pool *pool, uint32_t area)
{
    return pool->area_nslabs - pool->areas[area].used;
}

/* ---- sized_search.c: Linux 6.12's rules with other constants ---- */

/* Slots of that many bytes; sizes out of all reach saturate. */
uint32_t sized_nslots(const struct sized_pool *pool, uint64_t bytes);

void sized_describe(const struct sized_pool *pool, const struct bounce_map_request *request,
                    bool alloc, struct slot_request *slots);

/* Which starts in `area` keep the rules of alignment and seg_boundary. */
void sized_run_shape(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                     struct run_shape *run);

/* The first start that keeps them in a free run of `count` slots from `index` in the area on, or
 * NO_SLOT. */
uint32_t sized_place_in_run(const struct run_shape *run, uint32_t index, uint32_t count);

/* Searches one area; called for each from the CPU's own on until something is found. */
typedef void sized_search_area(struct sized_pool *pool, uint32_t area,
                               const struct slot_request *slots, struct sized_found *found);
void sized_search_areas(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                        struct sized_found *found, sized_search_area *search);

/* swiotlb_search_pool_area() of 6.12. */
void sized_search_6_12(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                       struct sized_found *found);

#endif
