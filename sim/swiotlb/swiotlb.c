/* SPDX-License-Identifier: Apache-2.0 */
/* One io_tlb_mem: its pools, its counters, and the calls that the DMA layer makes. */
#include "bounce/swiotlb.h"

#include "allocator.h"

#include <assert.h>
#include <stdlib.h>

static enum bounce_status check(const struct bounce_swiotlb_config *config,
                                struct bounce_error *error)
{
    if (config->nslabs > BOUNCE_MAX_NSLABS)
        return bounce_refuse(error, BOUNCE_INVALID, 0, "a pool of %llu slots; at most %u are modelled",
                             (unsigned long long)config->nslabs, BOUNCE_MAX_NSLABS);
    if (config->start % PAGE_SIZE_4K ||
        config->start > UINT64_MAX / 2 - (config->nslabs << BOUNCE_SLOT_SHIFT))
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "pool start %llx; it must be page-aligned and below 2^63",
                             (unsigned long long)config->start);
    if (!is_power_of_2(config->nareas) ||
        (config->nareas > 1 && config->nslabs % ((uint64_t)config->nareas * BOUNCE_SEGMENT_SLOTS)))
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "%u areas of a pool of %llu slots; areas are a power of two and whole "
                             "slot sets of %u",
                             config->nareas, (unsigned long long)config->nslabs,
                             BOUNCE_SEGMENT_SLOTS);
    return BOUNCE_OK;
}

enum bounce_status bounce_swiotlb_create(const struct bounce_swiotlb_config *config,
                                         struct bounce_swiotlb **out, struct bounce_error *error)
{
    struct bounce_swiotlb *mem;
    enum bounce_status status = check(config, error);

    if (status)
        return status;
    mem = calloc(1, sizeof(*mem));
    if (!mem)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    mem->policy = config->kernel->policy;
    if (config->nslabs) {
        status = pool_create(config->start, (uint32_t)config->nslabs, config->nareas, &mem->pool);
        if (status) {
            free(mem);
            return bounce_refuse(error, status, 0, "out of memory for a pool of %llu slots",
                                 (unsigned long long)config->nslabs);
        }
        mem->counts.nslabs = config->nslabs;
        mem->counts.pools = 1;
        mem->counts.free_segments = mem->pool->free_sets;
        mem->counts.free_segments_min = mem->pool->free_sets;
    }
    *out = mem;
    return BOUNCE_OK;
}

void bounce_swiotlb_destroy(struct bounce_swiotlb *mem)
{
    if (!mem)
        return;
    pool_destroy(mem->pool);
    free(mem);
}

void allocator_describe(const struct bounce_swiotlb *mem,
                        const struct bounce_map_request *request, bool alloc,
                        struct slot_request *slots)
{
    const struct bounce_device *device = request->device;

    *slots = (struct slot_request){
        .orig_addr = alloc ? 0 : request->orig_addr,
        .alloc_size = request->size,
        .alloc_align_mask = request->alloc_align_mask,
        .min_align_mask = device->min_align_mask,
        .boundary_mask = device->seg_boundary,
        .dma_mask = device->dma_mask,
        .cpu = request->cpu,
        .has_orig = !alloc,
    };
    if (alloc) {
        uint64_t pages = (request->size + PAGE_SIZE_4K - 1) >> PAGE_SHIFT;
        uint64_t order_pages = pages <= 1 ? 1 : UINT64_C(2) << log2_floor(pages - 1);

        /* Orders beyond a slot set are out of reach whatever the mask says. */
        slots->alloc_align_mask =
            order_pages < (1u << 20) ? (uint32_t)((order_pages << PAGE_SHIFT) - 1) : UINT32_MAX;
    } else {
        mem->policy->shape(request, slots);
    }
    uint64_t nslots = (slots->alloc_size + SLOT_SIZE - 1) >> BOUNCE_SLOT_SHIFT;
    slots->nslots = nslots < UINT32_MAX ? (uint32_t)nslots : UINT32_MAX;
}

static void find(struct bounce_swiotlb *mem, const struct slot_request *slots,
                 struct slot_found *found)
{
    struct pool *pool = mem->pool;
    uint32_t start, area;

    *found = (struct slot_found){.slot = NO_SLOT};
    if (!pool)
        return;
    area = start = slots->cpu & (pool->nareas - 1);
    do {
        found->locks++;
        mem->policy->search_area(pool, area, slots, found);
        if (found->slot != NO_SLOT || found->lockup)
            return;
        area = (area + 1) & (pool->nareas - 1);
    } while (area != start);
}

static void count_map(struct bounce_swiotlb_counts *counts, const struct pool *pool,
                      uint32_t nslots, uint64_t wasted)
{
    counts->used += nslots;
    if (counts->used > counts->used_hiwater)
        counts->used_hiwater = counts->used;
    counts->internal_bytes += wasted;
    if (counts->internal_bytes > counts->internal_bytes_hiwater)
        counts->internal_bytes_hiwater = counts->internal_bytes;
    counts->free_segments = pool->free_sets;
    if (counts->free_segments < counts->free_segments_min)
        counts->free_segments_min = counts->free_segments;
}

static void map_slots(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                      const struct slot_request *slots, struct bounce_map_result *result)
{
    struct slot_found found;
    struct pool *pool;

    assert(request->size > 0);
    find(mem, slots, &found);
    *result = (struct bounce_map_result){
        .alloc_size = slots->alloc_size, .probes = found.probes, .locks = found.locks};
    mem->counts.probes += found.probes;
    mem->counts.locks += found.locks;
    if (found.slot == NO_SLOT) {
        result->outcome = found.lockup                           ? BOUNCE_MAP_LOCKUP
                          : allocator_never_fits(mem, slots) ? BOUNCE_MAP_OVERSIZE
                                                             : BOUNCE_MAP_FULL;
        return;
    }
    pool = found.pool;
    pool_take(pool, found.slot, slots->nslots);
    pool->areas[pool_area_of(pool, found.slot)].index = found.next;
    pool->meta[found.slot] = (struct slot_meta){
        .orig_addr = slots->has_orig ? slots->orig_addr : NO_ORIG_ADDR,
        .alloc_size = (uint32_t)slots->alloc_size,
        .size = (uint32_t)request->size,
        .nslots = (uint8_t)slots->nslots,
        .pad_slots = (uint8_t)slots->pad_slots,
        .offset = slots->offset,
    };
    count_map(&mem->counts, pool, slots->nslots,
              ((uint64_t)slots->nslots << BOUNCE_SLOT_SHIFT) - request->size);
    result->slots = slots->nslots;
    result->tlb_addr = pool->start +
                       ((uint64_t)(found.slot + slots->pad_slots) << BOUNCE_SLOT_SHIFT) +
                       slots->offset;
}

void bounce_swiotlb_map(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                        struct bounce_map_result *result)
{
    struct slot_request slots;

    allocator_describe(mem, request, false, &slots);
    map_slots(mem, request, &slots, result);
}

void bounce_swiotlb_alloc(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          struct bounce_map_result *result)
{
    struct slot_request slots;

    allocator_describe(mem, request, true, &slots);
    map_slots(mem, request, &slots, result);
}

/* The allocation that holds an address: its pool and first slot, NO_SLOT when there is none. */
static uint32_t lookup(const struct bounce_swiotlb *mem, uint64_t tlb_addr, struct pool **pool)
{
    *pool = mem->pool;
    if (!*pool || tlb_addr < (*pool)->start || tlb_addr >= (*pool)->end)
        return NO_SLOT;
    return pool_head_of(*pool, (uint32_t)((tlb_addr - (*pool)->start) >> BOUNCE_SLOT_SHIFT));
}

uint32_t bounce_swiotlb_unmap(struct bounce_swiotlb *mem, const struct bounce_device *device,
                              uint64_t tlb_addr)
{
    struct pool *pool;
    uint32_t head = lookup(mem, tlb_addr, &pool);
    const struct slot_meta *meta;
    uint32_t nslots;

    (void)device;
    if (head == NO_SLOT)
        return 0;
    meta = &pool->meta[head];
    if (tlb_addr !=
        pool->start + ((uint64_t)(head + meta->pad_slots) << BOUNCE_SLOT_SHIFT) + meta->offset)
        return 0;
    nslots = meta->nslots;
    pool_release(pool, head, nslots);
    mem->counts.used -= nslots;
    mem->counts.internal_bytes -= ((uint64_t)nslots << BOUNCE_SLOT_SHIFT) - meta->size;
    mem->counts.free_segments = pool->free_sets;
    return nslots;
}

struct bounce_copy bounce_swiotlb_sync(const struct bounce_swiotlb *mem,
                                       const struct bounce_device *device, uint64_t tlb_addr,
                                       uint64_t size)
{
    struct pool *pool;
    uint32_t head = lookup(mem, tlb_addr, &pool);
    struct bounce_copy copy = {0, 0};
    const struct slot_meta *meta;
    uint64_t into, left;
    uint32_t slot;

    if (head == NO_SLOT)
        return copy;
    meta = &pool->meta[head];
    slot = (uint32_t)((tlb_addr - pool->start) >> BOUNCE_SLOT_SHIFT);
    if (meta->orig_addr == NO_ORIG_ADDR || slot < head + meta->pad_slots)
        return copy;
    /* The offset that the kernel takes off is the device's, so it may reach before the buffer. */
    into = tlb_addr - pool->start - ((uint64_t)head << BOUNCE_SLOT_SHIFT);
    left = meta->alloc_size - into; /* wraps past the end, as the kernel's size_t does */
    copy.orig_addr = meta->orig_addr + into -
                     ((uint64_t)meta->pad_slots << BOUNCE_SLOT_SHIFT) -
                     (meta->orig_addr & device->min_align_mask & (SLOT_SIZE - 1));
    copy.bytes = size < left ? size : left;
    return copy;
}

void bounce_swiotlb_restart(struct bounce_swiotlb *mem)
{
    if (!mem->pool)
        return;
    pool_reset(mem->pool);
    mem->counts.used = 0;
    mem->counts.internal_bytes = 0;
    mem->counts.free_segments = mem->pool->free_sets;
}

bool bounce_swiotlb_run_worker(struct bounce_swiotlb *mem)
{
    (void)mem;
    return false;
}

const struct bounce_swiotlb_counts *bounce_swiotlb_get_counts(const struct bounce_swiotlb *mem)
{
    return &mem->counts;
}

uint32_t bounce_swiotlb_nareas(const struct bounce_swiotlb *mem)
{
    return mem->pool ? mem->pool->nareas : 0;
}

uint64_t bounce_swiotlb_area_used(const struct bounce_swiotlb *mem, uint32_t area)
{
    return area < bounce_swiotlb_nareas(mem) ? mem->pool->areas[area].used : 0;
}

uint64_t bounce_swiotlb_max_mapping_size(uint32_t min_align_mask)
{
    uint64_t lost = ((uint64_t)min_align_mask + SLOT_SIZE - 1) & ~(uint64_t)(SLOT_SIZE - 1);
    uint64_t most = (uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT;

    return lost < most ? most - lost : 0;
}
