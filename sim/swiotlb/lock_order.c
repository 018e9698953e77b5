/* SPDX-License-Identifier: Apache-2.0 */
/* Which area locks a search takes, in their order: that of linux_6_12_dynamic.c, for who asks what
 * the search cost. */
#include "allocator.h"
#include "growth.h"

static const struct pool *pool_number(const struct bounce_swiotlb *mem, uint32_t number)
{
    return number ? mem->growth->grown[number - 1] : mem->pool;
}

static struct bounce_lock lock_at(const struct bounce_swiotlb *mem, uint32_t pool, uint32_t area)
{
    const struct bounce_lock lock = {pool, area & (pool_number(mem, pool)->nareas - 1)};

    return lock;
}

static const struct bounce_lock own_lock = {BOUNCE_OWN_LOCK, 0};

/* Newest pool first. */
static struct bounce_lock next_by_pool(const struct bounce_swiotlb *mem, uint32_t cpu,
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

static struct bounce_lock next_by_area(const struct bounce_swiotlb *mem, uint32_t cpu,
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

struct bounce_lock bounce_swiotlb_next_lock(const struct bounce_swiotlb *mem, uint32_t cpu,
                                            struct bounce_lock_walk *walk)
{
    if (!mem->pool || !mem->growth)
        return own_lock;
    return mem->policy->by_pool ? next_by_pool(mem, cpu, walk) : next_by_area(mem, cpu, walk);
}

static struct bounce_lock lock_in(uint32_t number, const struct pool *pool, uint64_t tlb_addr)
{
    uint64_t area_size = pool->size / pool->nareas;
    const struct bounce_lock lock = {number, (uint32_t)((tlb_addr - pool->start) / area_size)};

    return lock;
}

struct bounce_lock bounce_swiotlb_lock_of(const struct bounce_swiotlb *mem, uint64_t tlb_addr)
{
    if (!mem->pool || !mem->growth)
        return own_lock;
    if (pool_holds(mem->pool, tlb_addr))
        return lock_in(0, mem->pool, tlb_addr);
    for (uint32_t i = mem->growth->ngrown; i-- > 0;)
        if (pool_holds(mem->growth->grown[i], tlb_addr))
            return lock_in(i + 1, mem->growth->grown[i], tlb_addr);
    return own_lock;
}
