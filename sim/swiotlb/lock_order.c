/* SPDX-License-Identifier: Apache-2.0 */
/* Which area locks a search takes, for who asks what it cost. */
#include "lock_order.h"

struct bounce_lock bounce_swiotlb_next_lock(const struct bounce_swiotlb *mem, uint32_t cpu,
                                            struct bounce_lock_walk *walk)
{
    if (!mem->pool || !mem->growth)
        return own_lock;
    return lock_order_next(mem, cpu, walk, mem->policy->by_pool);
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
