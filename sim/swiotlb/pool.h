/* SPDX-License-Identifier: Apache-2.0 */
/* One contiguous pool: which slots are free, where buffers begin, what each one holds.
 *
 * A slot is a bit instead of the kernel's free count a slot, so that taking and giving back a
 * buffer costs the same for 1 slot and for 128. */
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
#define WORD_SLOTS    64u  /* half a slot set: what one word tells of */
#define MAX_RUN_KNOWN 127u /* what fits the byte-wise search; 127 stands for 127 and 128 */

_Static_assert(SET_SLOTS == BOUNCE_SEGMENT_SLOTS, "a slot set is one pair of words");

/* What the kernel keeps a slot, kept once a buffer, at the slot that holds the address returned. */
struct slot_meta {
    uint64_t orig_addr;   /* NO_ORIG_ADDR for coherent allocations */
    uint32_t size : 20;   /* bytes the caller asked for; at most 256 KiB */
    uint32_t offset : 12; /* of the address returned in this slot */
    uint16_t tail;        /* bytes of the last slot that not even offset and rounding asked for */
    uint8_t pad_slots;    /* slots of the buffer before this one */
    uint8_t nslots;       /* all of its slots, at most 128 */
};

_Static_assert(sizeof(struct slot_meta) == 16, "four to a cache line");

/* Half a slot set. What a map or an unmap changes of it lies side by side. */
struct slot_word {
    uint64_t free;   /* a bit a slot, bit 0 the lowest */
    uint64_t mapped; /* likewise: the slot that holds the address returned, a bit a buffer */
};

struct area {
    uint32_t used;
    uint32_t index; /* the cursor: where the next search starts, relative to the area */
};

struct pool {
    uint64_t start;
    uint64_t size;          /* bytes */
    uint64_t boundary_from; /* no run spans a seg_boundary from this mask on */
    uint32_t nslabs;
    uint32_t nareas;
    uint32_t area_nslabs;
    uint32_t area_shift; /* slot >> area_shift is its area; 31 when there is only one */
    uint32_t nsets;
    uint32_t free_sets; /* wholly free ones */
    bool transient;     /* holds one buffer and goes with it */
    bool placed;        /* a transient one whose pages were not asked for: it was recorded there */
    struct area *areas;
    struct slot_word *words; /* two a set, the lower slots first */
    uint8_t *max_run;        /* a set: upper bound of its longest free run */
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

/* The pool as a device of that seg_boundary sees it: slots from one boundary to the next; the DMA
 * slot number of slot 0, counted from a boundary; whether a boundary lies within the pool. */
static inline uint64_t pool_boundary_slots(uint64_t boundary_mask)
{
    return (boundary_mask >> BOUNCE_SLOT_SHIFT) + 1;
}

static inline uint64_t pool_dma_base(const struct pool *pool, uint64_t boundary_mask)
{
    return (pool->start & boundary_mask) >> BOUNCE_SLOT_SHIFT;
}

static inline bool pool_is_spanned(const struct pool *pool, uint64_t boundary_mask)
{
    return boundary_mask < pool->boundary_from;
}

static inline uint32_t pool_area_of(const struct pool *pool, uint32_t slot)
{
    return slot >> pool->area_shift;
}

static inline uint64_t pool_address_of(const struct pool *pool, uint32_t slot)
{
    return pool->start + ((uint64_t)slot << BOUNCE_SLOT_SHIFT);
}

static inline uint32_t pool_slot_of(const struct pool *pool, uint64_t addr)
{
    return (uint32_t)((addr - pool->start) >> BOUNCE_SLOT_SHIFT);
}

static inline bool pool_holds(const struct pool *pool, uint64_t addr)
{
    return addr - pool->start < pool->size;
}

/* Lowest index in [from, to) of `area` where a run of the shape fits, or NO_SLOT. The period is at
 * most 128. */
uint32_t pool_find_run(struct pool *pool, uint32_t area, uint32_t from, uint32_t to,
                       const struct run_shape *shape);

/* Bytes taken by the search: offset and rounding included. */
static inline uint32_t pool_meta_alloc_size(const struct slot_meta *meta)
{
    return ((uint32_t)meta->nslots << BOUNCE_SLOT_SHIFT) - meta->tail;
}

static inline bits128 pool_set_free(const struct pool *pool, uint32_t set)
{
    return bits_pair(pool->words[2 * set].free, pool->words[2 * set + 1].free);
}

static inline bool pool_set_is_free(const struct pool *pool, uint32_t set)
{
    return (pool->words[2 * set].free & pool->words[2 * set + 1].free) == ~UINT64_C(0);
}

/* A run of slots is within one word as a rule; which word, and where in it, is as good as random,
 * so there is one branch for the rule and none besides. */
static inline bool run_in_word(uint32_t slot, uint32_t nslots)
{
    return nslots <= WORD_SLOTS - slot % WORD_SLOTS;
}

static inline uint64_t word_run(uint32_t slot, uint32_t nslots) /* run_in_word() */
{
    return ones(nslots) << slot % WORD_SLOTS;
}

/* Whether nslots (1..128) from `slot` on are free and within one slot set. */
static inline bool pool_run_is_free(const struct pool *pool, uint32_t slot, uint32_t nslots)
{
    uint64_t run;

    if (!run_in_word(slot, nslots))
        return bits_run_from(pool_set_free(pool, slot >> SET_SHIFT), slot % SET_SLOTS) >= nslots;
    run = word_run(slot, nslots);
    return (pool->words[slot / WORD_SLOTS].free & run) == run;
}

static inline uint8_t pool_known_run(unsigned run)
{
    return (uint8_t)(run < MAX_RUN_KNOWN ? run : MAX_RUN_KNOWN);
}

/* Takes or gives back nslots from `slot` on; returns whether the slot set is wholly free after or
 * was so before. */
bool pool_mark(struct pool *pool, uint32_t slot, uint32_t nslots, bool free);

/* The same for slots of one word. */
static inline bool pool_take_word(struct pool *pool, uint32_t slot, uint64_t run)
{
    struct slot_word *word = &pool->words[slot / WORD_SLOTS];
    uint64_t had = word->free;

    word->free = had & ~run;
    return had == ~UINT64_C(0) && pool->words[slot / WORD_SLOTS ^ 1].free == ~UINT64_C(0);
}

static inline bool pool_give_word(struct pool *pool, uint32_t slot, uint64_t run)
{
    struct slot_word *word = &pool->words[slot / WORD_SLOTS];

    word->free |= run;
    return word->free == ~UINT64_C(0) && pool->words[slot / WORD_SLOTS ^ 1].free == ~UINT64_C(0);
}

/* Notes a buffer that begins at `slot`, whose slots are taken. */
static inline void pool_note(struct pool *pool, struct area *area, uint32_t slot,
                             struct slot_meta meta)
{
    uint32_t mapped = slot + meta.pad_slots;

    pool->words[mapped / WORD_SLOTS].mapped |= UINT64_C(1) << mapped % WORD_SLOTS;
    pool->meta[mapped] = meta;
    area->used += meta.nslots;
}

static inline bool pool_is_mapped(const struct pool *pool, uint32_t slot)
{
    return pool->words[slot / WORD_SLOTS].mapped >> slot % WORD_SLOTS & 1;
}

/* Forgets the buffer whose address lies in `slot`, which pool_is_mapped(); its slots are given
 * back.
 */
static inline void pool_forget(struct pool *pool, uint32_t slot, uint32_t nslots)
{
    uint8_t *max_run = &pool->max_run[slot >> SET_SHIFT];

    pool->words[slot / WORD_SLOTS].mapped &= ~(UINT64_C(1) << slot % WORD_SLOTS);
    /* The run given back joins at most two others; how long it has really become is found out when
     * a search comes by. */
    *max_run = pool_known_run(2u * *max_run + nslots);
    pool->areas[pool_area_of(pool, slot)].used -= nslots;
}

/* The slot that holds the address of the buffer to which `slot` belongs (its own slots, without
 * padding before it), or NO_SLOT. */
uint32_t pool_holder_of(const struct pool *pool, uint32_t slot);

/* Longest free run within a slot set of `area`; makes the bounds exact on its way. */
uint32_t pool_longest_run(struct pool *pool, uint32_t area);

#endif
