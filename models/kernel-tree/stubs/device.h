/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices and the DMA layer. */
#ifndef KT_STUBS_DEVICE_H
#define KT_STUBS_DEVICE_H

#include "addresses.h"

#define dma_get_min_align_mask(dev)                       ((dev)->min_align_mask)
#define dma_get_seg_boundary(dev)                         ((dev)->seg_boundary)
#define dma_get_mask(dev)                                 (*(dev)->dma_mask)
#define dma_capable(dev, addr, size, ram)                 ((addr) + (size)-1 <= *(dev)->dma_mask)
#define dev_is_dma_coherent(dev)                          ((void)(dev), true)
#define arch_sync_dma_for_device(phys, size, dir)         ((void)0)
#define dma_reset_need_sync(dev)                          ((void)(dev))
#define dma_alloc_from_pool(dev, size, vaddr, gfp, check) kt_alloc_atomic(dev, size, vaddr)
#define dma_free_from_pool(dev, vaddr, size)              kt_free_atomic(vaddr, size)
#define raw_smp_processor_id()                            ((int)kt.cpu)
#define smp_processor_id()                                ((int)kt.cpu)
#define num_possible_cpus()                               (kt.cpus)
#define num_online_cpus()                                 (kt.cpus)

/* The host says whether the guest is encrypted. */
#define force_dma_unencrypted(dev) ((void)(dev), kt.memory && kt.memory->encrypted)

/* The atomic coherent pool of an encrypted guest is the host's. */
static inline struct page *kt_alloc_atomic(const struct device *dev, u64 size, void **vaddr)
{
    u64 start = kt.memory ? kt.memory->alloc_atomic(kt.memory->context, size, *dev->dma_mask) : 0;
    kt.no_pages = !start;
    kt.fresh_block = 0;
    *vaddr = start ? phys_to_virt(start) : NULL;
    return (struct page *)(uintptr_t)start;
}
static inline bool kt_free_atomic(const void *vaddr, u64 size)
{
    return kt.memory && kt.memory->encrypted &&
           kt.memory->free_atomic(kt.memory->context, virt_to_phys(vaddr), size);
}

/* Whether nr slots from index on cross a multiple of boundary, shift slots in. */
static inline bool iommu_is_span_boundary(unsigned int index, unsigned int nr, unsigned long shift,
                                          unsigned long boundary)
{
    BUG_ON(!is_power_of_2(boundary));
    return ((shift + index) & (boundary - 1)) + nr > boundary;
}

enum cc_attr { CC_ATTR_MEM_ENCRYPT, CC_ATTR_GUEST_MEM_ENCRYPT };
#define cc_platform_has(attr)             ((void)(attr), false)
#define set_memory_decrypted(addr, pages) ((void)(addr), (void)(pages), 0)
#define set_memory_encrypted(addr, pages) ((void)(addr), (void)(pages), 0)
#define kmsan_unpoison_memory(p, n)       ((void)(p), (void)(n))
#define MEMREMAP_WB                       1
#define memremap(phys, size, flags)       phys_to_virt(phys)

#endif
