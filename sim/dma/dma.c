/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/dma.h"

static bool reaches(const struct bounce_device *device, uint64_t addr, uint64_t size)
{
    uint64_t last;

    return !__builtin_add_overflow(addr, size - 1, &last) && last <= device->dma_mask;
}

static bool copies_back(enum bounce_dir dir)
{
    return dir == BOUNCE_FROM_DEVICE || dir == BOUNCE_BIDIRECTIONAL;
}

static void count_copy(struct bounce_dma *dma, bool to_device, uint64_t bytes)
{
    dma->copies++;
    if (to_device)
        dma->bytes_to_device += bytes;
    else
        dma->bytes_from_device += bytes;
}

bool bounce_dma_must_bounce(const struct bounce_dma *dma, const struct bounce_device *device,
                            uint64_t orig_addr, uint64_t size)
{
    return dma->force || dma->allocator_calls || !reaches(device, orig_addr, size);
}

enum bounce_outcome bounce_dma_map(struct bounce_dma *dma, const struct bounce_map_request *request,
                                   enum bounce_dir dir, bool must_bounce,
                                   struct bounce_mapping *mapping, struct bounce_map_result *result)
{
    struct bounce_mapping made = {
        .orig_addr = request->orig_addr, .size = request->size, .dir = (uint8_t)dir};

    if (!must_bounce) {
        *result = (struct bounce_map_result){.outcome = BOUNCE_MAP_OK};
        made.dma_addr = request->orig_addr;
        made.state = BOUNCE_DIRECT;
        *mapping = made;
        return BOUNCE_MAP_OK;
    }
    bounce_swiotlb_map(dma->mem, request, result);
    if (result->outcome != BOUNCE_MAP_OK)
        return result->outcome;
    count_copy(dma, true, request->size);
    if (!dma->allocator_calls && !reaches(request->device, result->tlb_addr, request->size)) {
        bounce_swiotlb_unmap(dma->mem, request->device, result->tlb_addr);
        result->tlb_addr = 0;
        result->slots = 0;
        return result->outcome = BOUNCE_MAP_UNREACHABLE;
    }
    made.dma_addr = result->tlb_addr;
    made.slots = result->slots;
    made.state = BOUNCE_BOUNCED;
    *mapping = made;
    return BOUNCE_MAP_OK;
}

enum bounce_outcome bounce_dma_map_recorded(struct bounce_dma *dma,
                                            const struct bounce_map_request *request,
                                            enum bounce_dir dir, uint64_t transient_addr,
                                            struct bounce_mapping *mapping,
                                            struct bounce_map_result *result)
{
    bounce_swiotlb_map_recorded(dma->mem, request, transient_addr, result);
    if (result->outcome != BOUNCE_MAP_OK)
        return result->outcome;
    count_copy(dma, true, request->size);
    *mapping = (struct bounce_mapping){.dma_addr = result->tlb_addr,
                                       .orig_addr = request->orig_addr,
                                       .size = request->size,
                                       .slots = result->slots,
                                       .dir = (uint8_t)dir,
                                       .state = BOUNCE_BOUNCED};
    return BOUNCE_MAP_OK;
}

bool bounce_dma_place(struct bounce_dma *dma, const struct bounce_map_request *request,
                      enum bounce_dir dir, uint64_t tlb_addr, bool move_cursor,
                      struct bounce_mapping *mapping, struct bounce_map_result *result)
{
    uint64_t used = bounce_swiotlb_get_counts(dma->mem)->used;

    if (!bounce_swiotlb_place(dma->mem, request, tlb_addr, move_cursor))
        return false;
    count_copy(dma, true, request->size);
    *result = (struct bounce_map_result){
        .tlb_addr = tlb_addr,
        .slots = (uint32_t)(bounce_swiotlb_get_counts(dma->mem)->used - used),
        .outcome = BOUNCE_MAP_OK,
    };
    *mapping = (struct bounce_mapping){
        .dma_addr = tlb_addr,
        .orig_addr = request->orig_addr,
        .size = request->size,
        .slots = result->slots,
        .dir = (uint8_t)dir,
        .state = BOUNCE_BOUNCED,
    };
    return true;
}

enum bounce_outcome bounce_dma_alloc(struct bounce_dma *dma,
                                     const struct bounce_map_request *request,
                                     struct bounce_mapping *mapping,
                                     struct bounce_map_result *result)
{
    bounce_swiotlb_alloc(dma->mem, request, result);
    if (result->outcome == BOUNCE_MAP_OK)
        *mapping = (struct bounce_mapping){
            .dma_addr = result->tlb_addr,
            .size = request->size,
            .slots = result->slots,
            .dir = BOUNCE_DIR_NONE,
            .state = BOUNCE_COHERENT,
        };
    return result->outcome;
}

uint64_t bounce_dma_unmap(struct bounce_dma *dma, const struct bounce_device *device,
                          struct bounce_mapping *mapping, unsigned attrs)
{
    uint64_t copied = 0;

    if (mapping->state == BOUNCE_BOUNCED && !(attrs & BOUNCE_ATTR_SKIP_CPU_SYNC) &&
        copies_back((enum bounce_dir)mapping->dir)) {
        copied = mapping->size;
        count_copy(dma, false, copied);
    }
    if (mapping->state == BOUNCE_BOUNCED || mapping->state == BOUNCE_COHERENT)
        bounce_swiotlb_unmap(dma->mem, device, mapping->dma_addr);
    mapping->state = BOUNCE_UNMAPPED;
    return copied;
}

struct bounce_copy bounce_dma_sync(struct bounce_dma *dma, const struct bounce_device *device,
                                   const struct bounce_mapping *mapping, uint64_t offset,
                                   uint64_t size, bool for_cpu)
{
    struct bounce_copy copy = {0, 0};
    bool wanted = for_cpu
                      ? copies_back((enum bounce_dir)mapping->dir)
                      : mapping->dir == BOUNCE_TO_DEVICE || mapping->dir == BOUNCE_BIDIRECTIONAL;

    if (mapping->state != BOUNCE_BOUNCED || !wanted)
        return copy;
    copy = bounce_swiotlb_sync(dma->mem, device, mapping->dma_addr + offset, size);
    if (copy.bytes)
        count_copy(dma, !for_cpu, copy.bytes);
    return copy;
}
