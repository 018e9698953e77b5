/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory: of the kernel's own tables, which is real, remembered and freed with the instance; and of
 * pools, which is addresses. */
#ifndef KT_STUBS_MEMORY_H
#define KT_STUBS_MEMORY_H

#include "addresses.h"

struct kt_allocation {
    struct kt_allocation *next, *prev;
};
static void *kt_allocate(size_t n, size_t size)
{
    size_t bytes;
    struct kt_allocation *a = NULL;
    if (!__builtin_mul_overflow(n, size, &bytes) && bytes <= SIZE_MAX - sizeof(*a))
        a = calloc(1, sizeof(*a) + bytes);
    if (!a)
        kt_leave(KT_LEFT_MEMORY); /* not the simulated kernel's shortage: no answer is right */
    kt.fresh_block = 0;
    a->next = kt.allocations;
    if (a->next)
        a->next->prev = a;
    kt.allocations = a;
    return a + 1;
}
static void kt_release(const void *p)
{
    if (!p)
        return;
    struct kt_allocation *a = (struct kt_allocation *)(uintptr_t)p - 1;
    if (a->next)
        a->next->prev = a->prev;
    if (a->prev)
        a->prev->next = a->next;
    else
        kt.allocations = a->next;
    free(a);
}

#define GFP_KERNEL                   0x01u
#define GFP_ATOMIC                   0x02u
#define GFP_NOWAIT                   0x04u
#define __GFP_NOWARN                 0x08u
#define __GFP_ZERO                   0x10u
#define __GFP_DMA                    0x20u
#define __GFP_DMA32                  0x40u
#define GFP_DMA                      __GFP_DMA
#define GFP_DMA32                    __GFP_DMA32
#define GFP_ZONEMASK                 (__GFP_DMA | __GFP_DMA32)
#define gfpflags_allow_blocking(gfp) (((gfp)&GFP_KERNEL) != 0)

#define kzalloc(size, gfp)          kt_allocate(1, size)
#define kmalloc(size, gfp)          kt_allocate(1, size)
#define kcalloc(n, size, gfp)       kt_allocate(n, size)
#define kmalloc_array(n, size, gfp) kt_allocate(n, size)
#define kvcalloc(n, size, gfp)      kt_allocate(n, size)
#define kfree(p)                    kt_release(p)
#define kvfree(p)                   kt_release(p)
#define kt_known_pointer(p)         (kt_is_virtual(p) ? NULL : (const void *)(uintptr_t)(p))
#define memblock_free(p, size)      kt_release(kt_known_pointer(p))
#define memblock_free_late(a, size) ((void)(a)) /* only at shutdown; destroy frees everything */

/* Page order that holds `size` bytes. */
static inline unsigned int get_order(unsigned long size)
{
    return size <= PAGE_SIZE ? 0 : 64 - __builtin_clzl((size - 1) >> PAGE_SHIFT);
}
#define MAX_PAGE_ORDER               10
#define MAX_ORDER                    10
#define __get_free_pages(gfp, order) ((unsigned long)kt_allocate(PAGE_SIZE, 1UL << (order)))
#define free_pages(p, order)         kt_release(kt_known_pointer(p))

/*
 * Page allocator, for pools only: the host's, or one that never fails and never reuses; there a
 * block lies at the next address aligned to its own size, starting after the default pool. A block
 * that is given back before anything else was allocated lay above a limit and was never taken.
 */
static inline struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
    u64 size = PAGE_SIZE << order;
    u64 start;
    (void)gfp;
    if (kt.memory) {
        start = kt.memory->take_block(kt.memory->context, order);
    } else {
        start = ALIGN(kt.next_block, size);
        kt.before_block = kt.next_block;
        kt.next_block = start + size;
    }
    kt.fresh_block = start;
    kt.no_pages = !start;
    return (struct page *)(uintptr_t)start;
}
static inline void kt_free_pages(u64 start, unsigned int order)
{
    bool unused = start == kt.fresh_block;
    if (unused)
        kt.no_pages = true;
    if (kt.memory)
        kt.memory->give_block(kt.memory->context, start, order, unused);
    else if (unused)
        kt.next_block = kt.before_block;
    kt.fresh_block = 0;
}
#define __free_pages(page, order) kt_free_pages(page_to_phys(page), order)

/* Boot memory: pools come from the low allocator and get the configured address, tables do not. */
static inline void *memblock_alloc_low(size_t size, size_t align)
{
    (void)align;
    if (kt.pool_given)
        return NULL;
    kt.pool_given = true;
    kt.next_block = ALIGN(kt.pool_start + size, 4UL << 20);
    return phys_to_virt(kt.pool_start);
}
#define memblock_alloc(size, align) kt_allocate(1, size)

#endif
