/* SPDX-License-Identifier: Apache-2.0 */
/* One contiguous pool: which slots are free, where allocations begin, what each one holds.
 *
 * A slot set is two 128-bit maps instead of the kernel's free count a slot, so that taking and
 * giving back a buffer costs the same for 1 slot and for 128. */
#ifndef SWIOTLB_POOL_H
#define SWIOTLB_POOL_H

#include "bits.h"

#include "bounce/boot.h"
#include "bounce/status.h"

#include <stdint.h>

#define NO_SLOT         UINT32_MAX
#define NO_ORIG_ADDR    UINT64_MAX
#define SLOT_SIZE       (1u << BOUNCE_SLOT_SHIFT)
#define PAGE_SHIFT      12u
#define PAGE_SIZE_4K    (1u << PAGE_SHIFT)
#define MAX_RUN_KNOWN   127u /* what fits the byte-wise search; 127 stands for 127 and 128 */

struct slot_set {
    struct bits128 free;
    struct bits128 head; /* first slot of each allocation */
};

/* What the kernel keeps a slot, kept once an allocation, at its first slot. */
struct slot_meta {
    uint64_t orig_addr;  /* NO_ORIG_ADDR for coherent allocations */
    uint32_t alloc_size; /* bytes, offset and rounding included */
    uint32_t size;       /* bytes the caller asked for */
    uint8_t nslots;      /* 1..128 */
    uint8_t pad_slots;   /* slots before the one that the address returned lies in */
    uint16_t offset;     /* of that address in its slot */
};

struct area {
    uint32_t used;
    uint32_t index; /* the cursor: where the next search starts, relative to the area */
};

struct pool {
    uint64_t start;
    uint64_t end; /* first address past it */
    uint32_t nslabs;
    uint32_t nareas;
    uint32_t area_nslabs;
    uint32_t area_shift; /* slot >> area_shift is its area */
    uint32_t nsets;
    uint32_t free_sets; /* wholly free ones */
    uint32_t used;
    struct area *areas;
    struct slot_set *sets;
    uint8_t *max_run; /* a set: upper bound of its longest free run, exact after a miss */
    struct slot_meta *meta;
};

/* Which starts a request may use, within one area. Indices are relative to the area. */
struct run_shape {
    uint32_t nslots;
    uint32_t period;         /* power of two, 1..128: every such slot is aligned */
    uint32_t residue;        /* aligned indices are residue modulo period */
    uint64_t boundary_slots; /* 0: no seg_boundary can be spanned here */
    uint64_t phase;          /* slots between a boundary and the area's first slot */
};

/* nslabs >= 1; areas as bounce_swiotlb_create() checked them. BOUNCE_NO_MEMORY. */
enum bounce_status pool_create(uint64_t start, uint32_t nslabs, uint32_t nareas, struct pool **out);
void pool_destroy(struct pool *pool);

/* All slots free, cursors at 0. */
void pool_reset(struct pool *pool);

static inline uint32_t pool_area_of(const struct pool *pool, uint32_t slot)
{
    return pool->nareas == 1 ? 0 : slot >> pool->area_shift;
}

static inline uint32_t pool_free(const struct pool *pool)
{
    return pool->nslabs - pool->used;
}

/* Lowest index in [from, to) of `area` where a run of the shape fits, or NO_SLOT. */
uint32_t pool_find_run(struct pool *pool, uint32_t area, uint32_t from, uint32_t to,
                       const struct run_shape *shape);

/* Whether nslots from `slot` on are free and within one slot set. */
bool pool_run_is_free(const struct pool *pool, uint32_t slot, uint32_t nslots);

/* Marks nslots from `slot` on as one allocation, or gives an allocation back; the meta entry at the
 * head stays the caller's business. */
void pool_take(struct pool *pool, uint32_t slot, uint32_t nslots);
void pool_release(struct pool *pool, uint32_t slot, uint32_t nslots);

/* First slot of the allocation that holds `slot`, or NO_SLOT when it is free. */
uint32_t pool_head_of(const struct pool *pool, uint32_t slot);

/* Longest free run within a slot set of `area`; makes the bounds exact on its way. */
uint32_t pool_longest_run(struct pool *pool, uint32_t area);

#endif
