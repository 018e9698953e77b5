/* SPDX-License-Identifier: Apache-2.0 */
/* Buddy blocks: slots are taken in blocks of a power of two, halved on demand and joined with their
 * other half when both are free; the largest block is a slot set. Asked for on the iommu list in
 * 2019-07 (NVMe above 4 GiB, mappings of 520 KiB), and what the kernel's page allocator does. The
 * smallest block that serves is taken, the lowest of equals. Areas in Linux 6.12's order. A probe
 * is one free block looked at. */
#include "sized_bits.h"
#include "sized_config.h"
#include "sized_pool.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ORDERS 13u /* a slot set has at most 4096 slots */

/* Bit i of an order: the block from slot i << order on is free, and not part of a larger one. */
struct buddy {
    uint64_t *free[MAX_ORDERS];
    size_t words[MAX_ORDERS];
};

static uint32_t no_larger(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The order of block that holds the request behind its first aligned slot; above set_shift: none
 * does. */
static uint32_t order_of(const struct sized_pool *pool, const struct run_shape *run)
{
    uint32_t order = 0;

    while (order <= pool->set_shift) {
        uint32_t lead = run->residue & (no_larger(1u << order, run->period) - 1);

        if (run->nslots <= 1u << order && lead + run->nslots <= 1u << order)
            break;
        order++;
    }
    return order;
}

/* A start in the free block of `size` slots from `index` on, such that the request lies within one
 * block of `wanted` slots; NO_SLOT when seg_boundary or the alignment allow none. */
static uint32_t place_in_block(const struct run_shape *run, uint32_t index, uint32_t size,
                               uint32_t wanted)
{
    for (uint32_t sub = index; sub < index + size; sub += wanted) {
        uint32_t at = sized_place_in_run(run, sub, wanted);

        if (at != NO_SLOT)
            return at;
    }
    return NO_SLOT;
}

static void search(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                   struct sized_found *found)
{
    const struct buddy *buddy = pool->policy_state;
    uint32_t base = area * pool->area_nslabs, end = base + pool->area_nslabs;
    struct run_shape run;
    uint32_t wanted;

    found->locks++;
    sized_run_shape(pool, area, slots, &run);
    wanted = order_of(pool, &run);
    if (wanted > pool->set_shift || 1u << wanted > sized_area_free(pool, area))
        return;
    for (uint32_t order = wanted; order <= pool->set_shift; order++)
        for (uint32_t block = bits_next_set(buddy->free[order], base >> order, end >> order);
             block < end >> order;
             block = bits_next_set(buddy->free[order], block + 1, end >> order)) {
            uint32_t at = place_in_block(&run, (block << order) - base, 1u << order, 1u << wanted);

            found->probes++;
            if (at == NO_SLOT)
                continue;
            found->area = area;
            found->slot = base + at;
            found->first = found->slot >> wanted << wanted;
            found->taken = 1u << wanted;
            return;
        }
}

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    sized_search_areas(pool, cpu, slots, found, search);
}

static bool never_fits(struct sized_pool *pool, const struct slot_request *slots)
{
    struct run_shape run;

    sized_run_shape(pool, 0, slots, &run);
    return order_of(pool, &run) > pool->set_shift;
}

static uint32_t needed(struct sized_pool *pool, const struct slot_request *slots)
{
    struct run_shape run;

    sized_run_shape(pool, 0, slots, &run);
    return 1u << order_of(pool, &run);
}

static uint32_t largest_run(struct sized_pool *pool, uint32_t area,
                            const struct slot_request *slots)
{
    const struct buddy *buddy = pool->policy_state;
    uint32_t base = area * pool->area_nslabs, end = base + pool->area_nslabs;

    (void)slots;
    for (uint32_t order = pool->set_shift + 1; order-- > 0;)
        if (bits_next_set(buddy->free[order], base >> order, end >> order) < end >> order)
            return 1u << order;
    return 0;
}

/* Splits the free block around the one taken until that is left. */
static void taken(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    struct buddy *buddy = pool->policy_state;
    uint32_t order = log2_floor(count), wanted = order;

    (void)area;
    while (!bit_is_set(buddy->free[order], first >> order))
        order++;
    bit_put(buddy->free[order], first >> order, false);
    while (order-- > wanted)
        bit_put(buddy->free[order], first >> order ^ 1, true);
}

static void released(struct sized_pool *pool, uint32_t area, uint32_t first, uint32_t count)
{
    struct buddy *buddy = pool->policy_state;
    uint32_t order = log2_floor(count);

    (void)area;
    while (order < pool->set_shift && bit_is_set(buddy->free[order], first >> order ^ 1)) {
        bit_put(buddy->free[order], first >> order ^ 1, false);
        order++;
    }
    bit_put(buddy->free[order], first >> order, true);
}

/* The largest aligned blocks from slot 0 on: slot sets, and the rest of the pool in pieces. */
static void reset(struct sized_pool *pool)
{
    struct buddy *buddy = pool->policy_state;
    uint32_t slot = 0;

    for (uint32_t order = 0; order <= pool->set_shift; order++)
        memset(buddy->free[order], 0, buddy->words[order] * sizeof(*buddy->free[order]));
    while (slot < pool->nslabs) {
        uint32_t order = no_larger(pool->set_shift, log2_floor(pool->nslabs - slot));

        bit_put(buddy->free[order], slot >> order, true);
        slot += 1u << order;
    }
}

static enum bounce_status create_blocks(struct sized_pool *pool)
{
    struct buddy *buddy = calloc(1, sizeof(*buddy));

    pool->policy_state = buddy;
    if (!buddy)
        return BOUNCE_NO_MEMORY;
    for (uint32_t order = 0; order <= pool->set_shift; order++) {
        /* With room for the other half of the last block. */
        buddy->words[order] = words_of((pool->nslabs >> order) + 2);
        buddy->free[order] = calloc(buddy->words[order], sizeof(*buddy->free[order]));
        if (!buddy->free[order])
            return BOUNCE_NO_MEMORY;
    }
    return BOUNCE_OK;
}

static void destroy(struct sized_pool *pool)
{
    struct buddy *buddy = pool->policy_state;

    for (uint32_t order = 0; buddy && order < MAX_ORDERS; order++)
        free(buddy->free[order]);
    free(buddy);
}

static const struct sized_policy policy = {
    .find = find,
    .needed = needed,
    .never_fits = never_fits,
    .largest_run = largest_run,
    .create = create_blocks,
    .destroy = destroy,
    .reset = reset,
    .taken = taken,
    .released = released,
};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    (void)context;
    return sized_create(&policy, config, counts, backend, state, error);
}

const struct bounce_backend_factory factory_buddy = {.create = create};
