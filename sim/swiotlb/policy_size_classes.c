/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: the pool is cut up beforehand into blocks of 512 bytes, 2, 4, 16 and 512 KiB, and a
 * request gets one block of the smallest class that it fits in, the one freed last; an empty class
 * is a full event, whatever the others have. Proposed as cc-swiotlb for confidential guests (GuoRui
 * Yu, Alibaba, 2023-01-28), which adds blocks to a class that runs low; here the classes are fixed,
 * with the shares of memory that its watermarks give them. A probe is one block looked at, a lock
 * that of a class. Alignment, padding and seg_boundary as in Linux 6.12, but for the offset, which
 * lies within the block. */
#include "sized_config.h"
#include "sized_list.h"
#include "sized_pool.h"

#define NCLASSES 5u

/* Bytes of a block, and how many of them the patch keeps ready. */
static const struct {
    uint32_t size;
    uint32_t blocks;
} proposed[NCLASSES] = {{512, 256}, {2048, 16384}, {4096, 8192}, {16384, 1024}, {524288, 32}};

struct block_class {
    uint64_t share; /* bytes of the proposal */
    uint32_t slots; /* of a block: a power of two */
    uint32_t first; /* its blocks are in slots first .. end - 1, which may be none */
    uint32_t end;
};

struct classes {
    struct slot_lists lists; /* a list a class, of first slots of free blocks */
    uint32_t count;
    struct block_class class[NCLASSES]; /* smallest blocks first */
};

static void describe(const struct sized_pool *pool, const struct bounce_map_request *request,
                     bool alloc, struct slot_request *slots)
{
    uint32_t align = request->alloc_align_mask, offset;

    sized_describe(pool, request, alloc, slots);
    if (alloc)
        return;
    offset = (uint32_t)request->orig_addr & slots->min_align_mask;
    slots->alloc_size = (request->size + offset + align) & ~(uint64_t)align;
    slots->nslots = sized_nslots(pool, slots->alloc_size);
    slots->pad_slots = offset >> pool->slot_shift;
    slots->offset = offset & ((1u << pool->slot_shift) - 1);
}

/* Address bits that must be 0 where a block for the request begins. */
static uint32_t align_mask_of(const struct slot_request *slots)
{
    return slots->alloc_align_mask | slots->min_align_mask;
}

/* The class for a request, or the number of classes when there is none. */
static uint32_t class_of(const struct sized_pool *pool, const struct slot_request *slots)
{
    const struct classes *classes = pool->policy_state;
    uint32_t c = 0;

    while (c < classes->count &&
           (classes->class[c].slots < slots->nslots ||
            (uint64_t)classes->class[c].slots << pool->slot_shift <= align_mask_of(slots)))
        c++;
    return c;
}

static bool serves(const struct sized_pool *pool, const struct run_shape *run, uint32_t mask,
                   uint32_t slot)
{
    uint64_t at = run->phase + slot;

    if (at << pool->slot_shift & mask)
        return false;
    return !run->boundary_slots ||
           (at & (run->boundary_slots - 1)) + run->nslots <= run->boundary_slots;
}

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    const struct classes *classes = pool->policy_state;
    uint32_t c = class_of(pool, slots);
    struct run_shape run;

    (void)cpu;
    if (c == classes->count)
        return;
    found->locks++;
    sized_run_shape(pool, 0, slots, &run); /* for the boundary */
    for (uint32_t slot = slot_list_first(&classes->lists, c); slot < pool->nslabs;
         slot = slot_list_next(&classes->lists, slot)) {
        found->probes++;
        if (!serves(pool, &run, align_mask_of(slots), slot))
            continue;
        found->slot = found->first = slot;
        found->taken = classes->class[c].slots;
        return;
    }
}

static bool never_fits(struct sized_pool *pool, const struct slot_request *slots)
{
    const struct classes *classes = pool->policy_state;

    return class_of(pool, slots) == classes->count;
}

static uint32_t needed(struct sized_pool *pool, const struct slot_request *slots)
{
    const struct classes *classes = pool->policy_state;

    return classes->class[class_of(pool, slots)].slots;
}

/* A block of the request's own class: it could not have any other. */
static uint32_t largest_run(struct sized_pool *pool, uint32_t area,
                            const struct slot_request *slots)
{
    const struct classes *classes = pool->policy_state;
    uint32_t c = class_of(pool, slots);

    (void)area;
    if (c == classes->count || slot_list_first(&classes->lists, c) >= pool->nslabs)
        return 0;
    return classes->class[c].slots;
}

static void taken(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    struct classes *classes = pool->policy_state;

    (void)area;
    (void)count;
    slot_list_remove(&classes->lists, first);
}

static void released(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    struct classes *classes = pool->policy_state;
    uint32_t c = 0;

    (void)area;
    while (classes->class[c].slots != count)
        c++;
    slot_list_push(&classes->lists, c, first);
}

static void reset(struct sized_pool *pool)
{
    struct classes *classes = pool->policy_state;

    for (uint32_t c = 0; c < classes->count; c++) {
        const struct block_class *class = &classes->class[c];

        slot_list_clear(&classes->lists, c);
        for (uint32_t slot = class->first; slot + class->slots <= class->end; slot += class->slots)
            slot_list_append(&classes->lists, c, slot);
    }
}

/* The proposal's classes as far as slots and slot sets allow: blocks smaller than a slot leave
 * their share to the next larger ones, blocks larger than a slot set become slot sets. */
static void choose_classes(const struct sized_pool *pool, struct classes *classes)
{
    uint64_t left_over = 0;

    for (uint32_t c = 0; c < NCLASSES; c++) {
        uint64_t share = (uint64_t)proposed[c].size * proposed[c].blocks;
        uint32_t slots = proposed[c].size >> pool->slot_shift;

        if (slots > sized_set_slots(pool))
            slots = sized_set_slots(pool);
        if (slots == 0) {
            left_over += share;
        } else if (classes->count && classes->class[classes->count - 1].slots == slots) {
            classes->class[classes->count - 1].share += share;
        } else {
            classes->class[classes->count++] =
                (struct block_class){.share = left_over + share, .slots = slots};
            left_over = 0;
        }
    }
}

/* Whole slot sets in proportion to the shares, the largest blocks first in the pool and at least
 * one set each while one is left for the smallest blocks, which get the rest. */
static void share_out(struct sized_pool *pool, struct classes *classes)
{
    uint32_t sets = pool->nslabs >> pool->set_shift, next = 0;
    uint64_t total = 0;

    for (uint32_t c = 0; c < classes->count; c++)
        total += classes->class[c].share;
    for (uint32_t c = classes->count; c-- > 0;) {
        struct block_class *class = &classes->class[c];
        uint32_t own = (uint32_t)(sets * class->share / total);

        if (own == 0 && next + 1 < sets)
            own = 1;
        class->first = next << pool->set_shift;
        next += own;
        class->end = c ? next << pool->set_shift : pool->nslabs;
        if (c == classes->count - 1)
            pool->whole_sets_end = class->slots == sized_set_slots(pool) ? next : 0;
    }
}

static enum bounce_status create_classes(struct sized_pool *pool)
{
    struct classes *classes = calloc(1, sizeof(*classes));

    pool->policy_state = classes;
    if (!classes || slot_lists_create(&classes->lists, pool->nslabs, NCLASSES))
        return BOUNCE_NO_MEMORY;
    choose_classes(pool, classes);
    share_out(pool, classes);
    return BOUNCE_OK;
}

static void destroy(struct sized_pool *pool)
{
    struct classes *classes = pool->policy_state;

    if (classes)
        free(classes->lists.links);
    free(classes);
}

static const struct sized_policy policy = {
    .find = find,
    .describe = describe,
    .needed = needed,
    .never_fits = never_fits,
    .largest_run = largest_run,
    .create = create_classes,
    .destroy = destroy,
    .reset = reset,
    .taken = taken,
    .released = released,
    .one_area = true,
};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    (void)context;
    return sized_create(&policy, config, counts, backend, state, error);
}

const struct bounce_backend_factory factory_size_classes = {.create = create};
