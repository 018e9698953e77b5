/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps, unmaps and syncs. Part of plugin.c. */
#ifndef KT_MAPPING_H
#define KT_MAPPING_H

#include "instance.h"

/* Bytes the tree looks for, alignment included: to tell "never fits" from "no room now". */
static uint64_t bytes_needed(const struct device *dev, uint64_t orig, uint64_t size, uint32_t align)
{
#ifdef KT_MAP_TAKES_ALLOC_SIZE
    uint64_t offset = orig & dev->min_align_mask & (IO_TLB_SIZE - 1);
    return ALIGN(size, (uint64_t)align + 1) + offset;
#else
    uint64_t offset = orig & dev->min_align_mask & (align | (IO_TLB_SIZE - 1));
    return ALIGN(size + offset, (uint64_t)align + 1);
#endif
}

static enum bounce_kt_status finish_map(struct bounce_kt *self, struct bounce_kt_map_result *result,
                                        enum bounce_kt_status status, uint64_t tlb_addr)
{
#ifndef KT_HAVE_HIWATER
    if (status == BOUNCE_KT_OK) {
        uint64_t used = mem_used(self->mem);
        if (used > self->used_hiwater)
            self->used_hiwater = used;
    }
#else
    (void)self;
#endif
    result->status = status;
    result->locks = kt.locks;
#ifdef KT_PROBES
    result->probes = kt.probes;
#else
    result->probes = 0;
#endif
    result->tlb_addr = tlb_addr;
    result->alloc_size = 0;
    result->pad_slots = 0;
    result->no_pages = kt.no_pages;
    return status;
}

static uint32_t padding_before(struct device *dev, uint64_t tlb_addr)
{
#ifdef KT_HAVE_PADDING
    const tree_pool *pool = POOL_OF(dev, tlb_addr);
    return pool ? pool->slots[(tlb_addr - pool->start) >> IO_TLB_SHIFT].pad_slots : 0;
#else
    (void)dev;
    (void)tlb_addr;
    return 0;
#endif
}

/* What a request amounts to, found out without the search. */
static void explain(struct bounce_kt_map_result *result, struct device *dev, uint64_t bytes)
{
#ifdef KT_PLAIN
    if (likely(result->status == BOUNCE_KT_OK))
        return;
#endif
    result->alloc_size = bytes;
    if (result->status == BOUNCE_KT_OK)
        result->pad_slots = padding_before(dev, result->tlb_addr);
    else if (result->status == BOUNCE_KT_FULL && bytes > IO_TLB_SEGSIZE * IO_TLB_SIZE)
        result->status = BOUNCE_KT_OVERSIZE;
}

static bool map_is_sane(const struct bounce_kt *self, uint32_t device, uint32_t cpu, uint64_t size)
{
    return device < self->device_count && cpu <= 1u << 20 && size > 0 && size <= 1ULL << 40;
}

static enum bounce_kt_status kt_map(struct bounce_kt *self, uint32_t device, uint32_t cpu,
                                    uint64_t orig, uint64_t size, uint32_t align,
                                    enum bounce_kt_dir dir, uint32_t attrs,
                                    struct bounce_kt_map_result *result)
{
    enter();
    if (!map_is_sane(self, device, cpu, size) || orig >= 1ULL << 62 || !is_low_mask(align) ||
        align > INT_MAX || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return finish_map(self, result, BOUNCE_KT_INVALID, 0);
    struct device *dev = self->devices[device];
    kt.cpu = cpu;
    int why = way_back();
    if (unlikely(why))
        return finish_map(self, result, left_because(why), 0);
#ifdef KT_MAP_TAKES_ALLOC_SIZE
    phys_addr_t tlb = swiotlb_tbl_map_single(dev, orig, size, ALIGN(size, (size_t)align + 1), align,
                                             (enum dma_data_direction)dir, attrs);
#else
    phys_addr_t tlb =
        swiotlb_tbl_map_single(dev, orig, size, align, (enum dma_data_direction)dir, attrs);
#endif
    leave();
    if (likely(tlb != DMA_MAPPING_ERROR))
        finish_map(self, result, BOUNCE_KT_OK, tlb);
    else
        finish_map(self, result, BOUNCE_KT_FULL, 0);
    explain(result, dev, bytes_needed(dev, orig, size, align));
    return result->status;
}

static struct page *allocate(const struct bounce_kt *self, struct device *dev, uint64_t size)
{
#ifdef KT_ALLOC_ALIGNS_NOT
    if (self->natural_alloc) {
        int index =
            swiotlb_find_slots(dev, 0, size, (unsigned int)(PAGE_SIZE << get_order(size)) - 1);
        if (index < 0)
            return NULL;
        return pfn_to_page(PFN_DOWN(slot_addr(self->mem->start, (phys_addr_t)index)));
    }
#else
    (void)self;
#endif
    return swiotlb_alloc(dev, size);
}

static enum bounce_kt_status kt_alloc(struct bounce_kt *self, uint32_t device, uint32_t cpu,
                                      uint64_t size, struct bounce_kt_map_result *result)
{
    enter();
    if (!map_is_sane(self, device, cpu, size) || size > 1u << 30)
        return finish_map(self, result, BOUNCE_KT_INVALID, 0);
    kt.cpu = cpu;
    int why = way_back();
    if (unlikely(why))
        return finish_map(self, result, left_because(why), 0);
    struct page *page = allocate(self, self->devices[device], size);
    leave();
    if (likely(page))
        finish_map(self, result, BOUNCE_KT_OK, page_to_phys(page));
    else
        finish_map(self, result, BOUNCE_KT_FULL, 0);
    explain(result, self->devices[device], size);
    return result->status;
}

static void tell_copy(struct bounce_kt_copy *copy, bool to_device)
{
    if (!copy)
        return;
    copy->copied = kt.copied;
    copy->orig = 0;
    copy->bytes = 0;
    if (kt.copied) {
        copy->orig = (to_device ? kt.copy_src : kt.copy_dst) & ~KT_VIRTUAL;
        copy->bytes = kt.copy_bytes;
    }
}

static enum bounce_kt_status kt_unmap(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                      uint64_t size, enum bounce_kt_dir dir, uint32_t attrs,
                                      struct bounce_kt_copy *copy)
{
    if (device >= self->device_count || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return BOUNCE_KT_INVALID;
    struct device *dev = self->devices[device];
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
#ifdef KT_UNMAP_TAKES_POOL
    struct io_tlb_pool *pool = swiotlb_find_pool(dev, tlb_addr);
    if (!pool)
        return refuse();
    __swiotlb_tbl_unmap_single(dev, tlb_addr, size, (enum dma_data_direction)dir, attrs, pool);
#else
    if (!is_swiotlb_buffer(dev, tlb_addr))
        return refuse();
    swiotlb_tbl_unmap_single(dev, tlb_addr, size, (enum dma_data_direction)dir, attrs);
#endif
    tell_copy(copy, false);
    leave();
    return BOUNCE_KT_OK;
}

static enum bounce_kt_status kt_free(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                     uint64_t size)
{
    if (device >= self->device_count || tlb_addr % PAGE_SIZE != 0)
        return BOUNCE_KT_INVALID;
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
    bool ours = swiotlb_free(self->devices[device], pfn_to_page(tlb_addr >> PAGE_SHIFT), size);
    leave();
    return ours ? BOUNCE_KT_OK : BOUNCE_KT_INVALID;
}

static enum bounce_kt_status kt_sync(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                     uint64_t size, enum bounce_kt_dir dir, bool for_cpu,
                                     struct bounce_kt_copy *copy)
{
    if (device >= self->device_count || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return BOUNCE_KT_INVALID;
    struct device *dev = self->devices[device];
    enum dma_data_direction direction = (enum dma_data_direction)dir;
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
#ifdef KT_UNMAP_TAKES_POOL
    struct io_tlb_pool *pool = swiotlb_find_pool(dev, tlb_addr);
    if (!pool)
        return refuse();
    if (for_cpu)
        __swiotlb_sync_single_for_cpu(dev, tlb_addr, size, direction, pool);
    else
        __swiotlb_sync_single_for_device(dev, tlb_addr, size, direction, pool);
#else
    if (!is_swiotlb_buffer(dev, tlb_addr))
        return refuse();
    if (for_cpu)
        swiotlb_sync_single_for_cpu(dev, tlb_addr, size, direction);
    else
        swiotlb_sync_single_for_device(dev, tlb_addr, size, direction);
#endif
    tell_copy(copy, !for_cpu);
    leave();
    return BOUNCE_KT_OK;
}

#endif
