/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a search goes through the areas of all pools with SWIOTLB_DYNAMIC: newest pool
 * first, the CPU's own area first. Read in swiotlb_search_area() and swiotlb_find_slots() of
 * 6.12.117. The search follows it, and so does who asks which locks that took. */
#ifndef SWIOTLB_LOCK_ORDER_H
#define SWIOTLB_LOCK_ORDER_H

#include "allocator.h"
#include "growth.h"

static inline struct pool *pool_number(const struct bounce_swiotlb *mem, uint32_t number)
{
    return number ? mem->growth->grown[number - 1] : mem->pool;
}

static inline struct bounce_lock lock_at(const struct bounce_swiotlb *mem, uint32_t pool,
                                         uint32_t area)
{
    const struct bounce_lock lock = {pool, area & (pool_number(mem, pool)->nareas - 1)};

    return lock;
}

static const struct bounce_lock own_lock = {BOUNCE_OWN_LOCK, 0};

/* All areas of a pool before the next one: how 6.6 and 6.7 searched, before commit 55c543865b76. */
static inline struct bounce_lock next_by_pool(const struct bounce_swiotlb *mem, uint32_t cpu,
                                              struct bounce_lock_walk *walk)
{
    uint32_t npools = mem->growth->ngrown + 1;

    while (walk->pools < npools) {
        uint32_t pool = npools - 1 - walk->pools;

        if (walk->number < pool_number(mem, pool)->nareas)
            return lock_at(mem, pool, cpu + walk->number++);
        walk->number = 0;
        walk->pools++;
    }
    return own_lock;
}

/* The next area of every pool that has one of that number. */
static inline struct bounce_lock next_by_area(const struct bounce_swiotlb *mem, uint32_t cpu,
                                              struct bounce_lock_walk *walk)
{
    uint32_t npools = mem->growth->ngrown + 1;

    while (walk->number < mem->growth->default_nareas) {
        while (walk->pools < npools) {
            uint32_t pool = npools - 1 - walk->pools++;

            if (walk->number < pool_number(mem, pool)->nareas)
                return lock_at(mem, pool, cpu + walk->number);
        }
        walk->pools = 0;
        walk->number++;
    }
    return own_lock;
}

/* Of a search that found nothing before; own_lock when it is through. */
static inline struct bounce_lock lock_order_next(const struct bounce_swiotlb *mem, uint32_t cpu,
                                                 struct bounce_lock_walk *walk, bool by_pool)
{
    return by_pool ? next_by_pool(mem, cpu, walk) : next_by_area(mem, cpu, walk);
}

#endif
