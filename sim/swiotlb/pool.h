/* SPDX-License-Identifier: Apache-2.0 */
/* One contiguous pool: which slots are free, where buffers begin, what each one holds.
 *
 * A slot set is two 128-bit maps instead of the kernel's free count a slot, so that taking and
 * giving back a buffer costs the same for 1 slot and for 128. */
#ifndef SWIOTLB_POOL_H
#define SWIOTLB_POOL_H

#include "bits.h"

#include "bounce/boot.h"
#include "bounce/status.h"

#include <stdint.h>

#define NO_SLOT       UINT32_MAX
#define NO_ORIG_ADDR  UINT64_MAX
#define SLOT_SIZE     (1u << BOUNCE_SLOT_SHIFT)
#define PAGE_SHIFT    12u
#define PAGE_SIZE_4K  (1u << PAGE_SHIFT)
#define SET_SHIFT     7u
#define SET_SLOTS     (1u << SET_SHIFT)
#define MAX_RUN_KNOWN 127u /* what fits the byte-wise search; 127 stands for 127 and 128 */

_Static_assert(SET_SLOTS == BOUNCE_SEGMENT_SLOTS, "a slot set is one pair of words");

/* Word 0 has the set's lower 64 slots. */
struct slot_set {
    uint64_t free[2];
    uint64_t mapped[2]; /* the slot that holds the address returned, one bit a buffer */
};

/* What the kernel keeps a slot, kept once a buffer, at the slot that holds the address returned. */
struct slot_meta {
    uint64_t orig_addr;       /* NO_ORIG_ADDR for coherent allocations */
    uint32_t alloc_size : 20; /* bytes, offset and rounding included; at most 256 KiB */
    uint32_t offset : 12;     /* of the address returned in this slot */
    uint32_t size : 20;       /* bytes the caller asked for */
    uint32_t pad_slots : 12;  /* slots of the buffer before this one */
};

_Static_assert(sizeof(struct slot_meta) == 16, "four to a cache line");

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
    bool transient;     /* holds one buffer and goes with it */
    bool placed;        /* a transient one whose pages were not asked for: it was recorded there */
    /* The pool as devices of one seg_boundary see it, of the device seen last. */
    bool unspanned; /* no boundary lies within the pool */
    uint64_t boundary_mask;
    uint64_t dma_base; /* DMA slot number of slot 0, counted from a boundary */
    struct area *areas;
    struct slot_set *sets;
    uint8_t *max_run; /* a set: upper bound of its longest free run */
    struct slot_meta *meta;
    struct pool *next_spare;
};

/* Which starts a request may use, within one area. Indices are relative to the area. */
struct run_shape {
    uint32_t nslots;
    uint32_t period;         /* power of two: every such slot is aligned */
    uint32_t residue;        /* aligned indices are residue modulo period */
    uint64_t boundary_slots; /* 0: no seg_boundary can be spanned here */
    uint64_t phase;          /* slots between a boundary and the area's first slot */
};

/* nslabs >= 1; areas as bounce_swiotlb_create() checked them. BOUNCE_NO_MEMORY. */
enum bounce_status pool_create(uint64_t start, uint32_t nslabs, uint32_t nareas, struct pool **out);
void pool_destroy(struct pool *pool);

/* All slots free, cursors at 0. */
void pool_reset(struct pool *pool);

/* The same at another place and with fewer slots than it was created with, in one area. */
void pool_reuse(struct pool *pool, uint64_t start, uint32_t nslabs);

/* Sets the view of devices with that seg_boundary. */
void pool_see_boundary(struct pool *pool, uint64_t boundary_mask);

static inline uint32_t pool_area_of(const struct pool *pool, uint32_t slot)
{
    return pool->nareas == 1 ? 0 : slot >> pool->area_shift;
}

static inline uint32_t pool_slot_of(const struct pool *pool, uint64_t addr)
{
    return (uint32_t)((addr - pool->start) >> BOUNCE_SLOT_SHIFT);
}

static inline bool pool_holds(const struct pool *pool, uint64_t addr)
{
    return addr - pool->start < pool->end - pool->start;
}

/* Lowest index in [from, to) of `area` where a run of the shape fits, or NO_SLOT. The period is at
 * most 128. */
uint32_t pool_find_run(struct pool *pool, uint32_t area, uint32_t from, uint32_t to,
                       const struct run_shape *shape);

static inline uint32_t pool_meta_nslots(const struct slot_meta *meta)
{
    return (meta->alloc_size + SLOT_SIZE - 1) >> BOUNCE_SLOT_SHIFT;
}

static inline bits128 pool_set_free(const struct slot_set *set)
{
    return bits_pair(set->free[0], set->free[1]);
}

/* A run of slots is within one word as a rule; which word, and where in it, is as good as random,
 * so there is one branch for the rule and none besides. */
static inline bool run_in_word(uint32_t slot, uint32_t nslots)
{
    return (slot & 63) + nslots <= 64;
}

/* Whether nslots (1..128) from `slot` on are free and within one slot set. */
static inline bool pool_run_is_free(const struct pool *pool, uint32_t slot, uint32_t nslots)
{
    const struct slot_set *set = &pool->sets[slot >> SET_SHIFT];

    if (run_in_word(slot, nslots))
        return (~set->free[(slot >> 6) & 1] >> (slot & 63) & ones(nslots)) == 0;
    return bits_run_from(pool_set_free(set), slot & (SET_SLOTS - 1)) >= nslots;
}

static inline uint8_t pool_known_run(unsigned run)
{
    return (uint8_t)(run < MAX_RUN_KNOWN ? run : MAX_RUN_KNOWN);
}

static inline bool pool_set_is_free(const struct slot_set *set)
{
    return (set->free[0] & set->free[1]) == ~UINT64_C(0);
}

static inline void pool_mark(struct slot_set *set, uint32_t slot, uint32_t nslots, bool free)
{
    uint64_t *word = &set->free[(slot >> 6) & 1];

    if (run_in_word(slot, nslots)) {
        uint64_t run = ones(nslots) << (slot & 63);

        *word = free ? *word | run : *word & ~run;
    } else {
        bits128 run = bits_range(slot & (SET_SLOTS - 1), nslots);

        set->free[0] = free ? set->free[0] | (uint64_t)run : set->free[0] & ~(uint64_t)run;
        run >>= 64;
        set->free[1] = free ? set->free[1] | (uint64_t)run : set->free[1] & ~(uint64_t)run;
    }
}

/* Takes nslots from `slot` on for one buffer and says what it holds. */
static inline void pool_take(struct pool *pool, uint32_t area, uint32_t slot, uint32_t nslots,
                             struct slot_meta meta)
{
    struct slot_set *set = &pool->sets[slot >> SET_SHIFT];
    uint32_t mapped = slot + meta.pad_slots;

    pool->free_sets -= pool_set_is_free(set);
    pool_mark(set, slot, nslots, false);
    set->mapped[(mapped >> 6) & 1] |= UINT64_C(1) << (mapped & 63);
    pool->areas[area].used += nslots;
    pool->meta[mapped] = meta;
}

static inline bool pool_is_mapped(const struct pool *pool, uint32_t slot)
{
    return pool->sets[slot >> SET_SHIFT].mapped[(slot >> 6) & 1] >> (slot & 63) & 1;
}

/* Gives back the buffer of nslots whose address lies in `slot`, which pool_is_mapped(). */
static inline void pool_release(struct pool *pool, uint32_t slot, uint32_t nslots,
                                uint32_t pad_slots)
{
    struct slot_set *set = &pool->sets[slot >> SET_SHIFT];

    pool_mark(set, slot - pad_slots, nslots, true);
    set->mapped[(slot >> 6) & 1] &= ~(UINT64_C(1) << (slot & 63));
    /* The run given back joins at most two others; how long it has really become is found out when
     * a search comes by. */
    pool->max_run[slot >> SET_SHIFT] =
        pool_known_run(2u * pool->max_run[slot >> SET_SHIFT] + nslots);
    pool->free_sets += pool_set_is_free(set);
    pool->areas[pool_area_of(pool, slot)].used -= nslots;
}

/* The slot that holds the address of the buffer to which `slot` belongs (its own slots, without
 * padding before it), or NO_SLOT. */
uint32_t pool_holder_of(const struct pool *pool, uint32_t slot);

/* Longest free run within a slot set of `area`; makes the bounds exact on its way. */
uint32_t pool_longest_run(struct pool *pool, uint32_t area);

#endif
