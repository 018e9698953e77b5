/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses and pages, and what is copied and cleared at them. */
#ifndef KT_STUBS_ADDRESSES_H
#define KT_STUBS_ADDRESSES_H

#include "language.h"

#define PAGE_SHIFT             12
#define PAGE_SIZE              (1UL << PAGE_SHIFT)
#define PAGE_MASK              (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x)          ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGNED(x)        IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define PFN_DOWN(x)            ((x) >> PAGE_SHIFT)
#define PFN_UP(x)              (((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_PHYS(x)            ((phys_addr_t)(x) << PAGE_SHIFT)
#define PHYS_PFN(x)            ((unsigned long)((x) >> PAGE_SHIFT))
#define SMP_CACHE_BYTES        64
#define DMA_BIT_MASK(n)        ((n) == 64 ? ~0ULL : (1ULL << ((n)&63)) - 1)
#define DMA_MAPPING_ERROR      (~(dma_addr_t)0)
#define DMA_ATTR_SKIP_CPU_SYNC (1UL << 5)
#define DMA_ATTR_NO_WARN       (1UL << 8)
#define ARCH_LOW_ADDRESS_LIMIT 0xffffffffUL

#ifdef KT_THREADS /* the pool and the buffers are where their addresses say */
#define KT_VIRTUAL 0ULL
#else
#define KT_VIRTUAL (1ULL << 63)
#endif
#define kt_is_virtual(p)                   (((uintptr_t)(p)&KT_VIRTUAL) != 0)
#define phys_to_virt(phys)                 ((void *)(uintptr_t)((u64)(phys) | KT_VIRTUAL))
#define virt_to_phys(p)                    ((phys_addr_t)((uintptr_t)(p) & ~KT_VIRTUAL))
#define __pa(p)                            virt_to_phys(p)
#define __va(phys)                         phys_to_virt(phys)
#define pfn_to_page(pfn)                   ((struct page *)(uintptr_t)((u64)(pfn) << PAGE_SHIFT))
#define page_to_pfn(page)                  ((uintptr_t)(page) >> PAGE_SHIFT)
#define page_to_phys(page)                 ((phys_addr_t)(uintptr_t)(page))
#define virt_to_page(p)                    ((struct page *)(uintptr_t)virt_to_phys(p))
#define page_address(page)                 phys_to_virt(page_to_phys(page))
#define PageHighMem(page)                  ((void)(page), false)
#define high_memory                        ((char *)phys_to_virt(1ULL << 62))
#define phys_to_dma(dev, phys)             ((dma_addr_t)(phys))
#define phys_to_dma_unencrypted(dev, phys) ((dma_addr_t)(phys))
#define dma_to_phys(dev, addr)             ((phys_addr_t)(addr))
static u64 __maybe_unused zone_dma_limit = (1ULL << 24) - 1; /* from 6.12 on */
static unsigned int __maybe_unused zone_dma_bits = 24;       /* before */

#ifdef KT_THREADS
#define memcpy_from_page(dst, page, off, n)                                                        \
    memcpy(dst, (char *)phys_to_virt(page_to_phys(page)) + (off), n)
#define memcpy_to_page(page, off, src, n)                                                          \
    memcpy((char *)phys_to_virt(page_to_phys(page)) + (off), src, n)
#else
#define memcpy(dst, src, n) kt_note_copy((uintptr_t)(dst), (uintptr_t)(src), n)
#define memcpy_from_page(dst, page, off, n)                                                        \
    kt_note_copy((uintptr_t)(dst), page_to_phys(page) + (off), n)
#define memcpy_to_page(page, off, src, n)                                                          \
    kt_note_copy(page_to_phys(page) + (off), (uintptr_t)(src), n)
static inline void kt_note_copy(u64 dst, u64 src, u64 bytes)
{
    if (!kt.copied) {
        kt.copy_dst = dst;
        kt.copy_src = src;
        kt.copy_bytes = 0;
        kt.copied = true;
    }
    kt.copy_bytes += bytes;
}
#endif
static inline void *kt_memset(void *p, int byte, size_t n)
{
    if (!kt_is_virtual(p))
        (memset)(p, byte, n);
    return p;
}
#define memset(p, byte, n) kt_memset(p, byte, n)

#endif
