/* SPDX-License-Identifier: GPL-2.0-only */
/* The one instance: the tree's code is included here, entered and left. Part of plugin.c. */
#ifndef KT_INSTANCE_H
#define KT_INSTANCE_H

#include "plugin.h"
#include "stubs.h"

#include <limits.h>
#include <stdio.h>
#include KT_TREE_FILE

struct bounce_kt {
    struct io_tlb_mem *mem;
    struct device **devices;
    uint32_t device_count;
    uint32_t device_room;
    bool restricted;
    bool natural_alloc;
    struct reserved_mem reserved;
    uint64_t used_hiwater; /* for trees that do not count it */
};
static struct bounce_kt the_instance;
static bool taken; /* the tree's statics are fresh only once */

static void enter(void)
{
    kt.probes = 0;
    kt.probe_limit = kt.search_bound;
    kt.ticks = 0;
    kt.locks = 0;
    kt.copied = false;
    kt.no_pages = false;
    kt.armed = true;
}

static void leave(void)
{
    while (unlikely(kt.rcu_pending)) {
        struct rcu_head *head = kt.rcu_pending;
        kt.rcu_pending = head->next;
        head->func(head);
    }
    kt.armed = false;
}

/* As setjmp(): 0, or why the tree's code was left. */
#ifdef KT_PLAIN
#define way_back() (kt.armed = false) /* nobody leaves: a BUG_ON ends the process */
#else
#define way_back() setjmp(kt.way_out)
#endif

/* For an argument that only the tree's own code could judge. */
static enum bounce_kt_status refuse(void)
{
    leave();
    return BOUNCE_KT_INVALID;
}

static enum bounce_kt_status left_because(int why)
{
    leave();
    /* The guard is as long as a pool, for trees that search beyond an area. It is told as what it
     * takes to see that a search of one area never ends: a candidate more than the area has. */
    if (why == KT_LEFT_SEARCH && kt.probes > kt.search_bound)
        kt.probes -= kt.search_bound - kt.area_slots;
    return why == KT_LEFT_SEARCH ? BOUNCE_KT_LOCKUP
           : why == KT_LEFT_BUG  ? BOUNCE_KT_BUG
                                 : BOUNCE_KT_NO_MEMORY;
}

static bool is_low_mask(uint64_t mask)
{
    return (mask & (mask + 1)) == 0;
}

/* The tree's own pool at `index`, or the one that holds an address; NULL when there is none. */
#ifdef KT_HAVE_POOLS
typedef struct io_tlb_pool tree_pool;
#define POOL_OF(dev, addr) swiotlb_find_pool(dev, addr)
#else
typedef struct io_tlb_mem tree_pool;
#define POOL_OF(dev, addr) (is_swiotlb_buffer(dev, addr) ? (dev)->dma_io_tlb_mem : NULL)
#endif

static tree_pool *pool_number(const struct bounce_kt *self, uint32_t index)
{
#ifdef KT_DYNAMIC
    struct io_tlb_pool *pool;
    list_for_each_entry(pool, &self->mem->pools, node)
    {
        if (index-- == 0)
            return pool;
    }
    return NULL;
#elif defined(KT_HAVE_POOLS)
    return index ? NULL : &self->mem->defpool;
#else
    return index ? NULL : self->mem;
#endif
}

#endif
