/* SPDX-License-Identifier: Apache-2.0 */
/* The DMA layer above the allocator: who bounces, and what is copied when.
 * Source: kernel/dma/direct.{h,c} and swiotlb_map() of 6.12.117. */
#ifndef BOUNCE_DMA_H
#define BOUNCE_DMA_H

#include "bounce/device.h"
#include "bounce/export.h"
#include "bounce/swiotlb.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_dma {
    struct bounce_swiotlb *mem; /* the caller's */
    bool force;                 /* swiotlb=force, a confidential guest, a restricted pool */
    bool allocator_calls;       /* every map goes to the allocator, whatever it can reach */
    uint64_t copies;
    uint64_t bytes_to_device;
    uint64_t bytes_from_device;
};

enum bounce_mapping_state {
    BOUNCE_UNMAPPED = 0,
    BOUNCE_DIRECT,   /* the device uses the buffer itself */
    BOUNCE_BOUNCED,  /* through the pool */
    BOUNCE_COHERENT, /* restricted pool, no original buffer */
};

struct bounce_mapping {
    uint64_t dma_addr;
    uint64_t orig_addr;
    uint64_t size;
    uint32_t slots;
    uint8_t dir;   /* enum bounce_dir */
    uint8_t state; /* enum bounce_mapping_state */
};

/* Whether a buffer must bounce: forced, or its last byte is above the device's mask. */
BOUNCE_API bool bounce_dma_must_bounce(const struct bounce_dma *dma,
                                       const struct bounce_device *device, uint64_t orig_addr,
                                       uint64_t size);

/* Maps one buffer; `mapping` is written only when it succeeds, `result` always (probes and locks of
 * 0 for a direct mapping). The bounce buffer is filled from the original for every direction,
 * SKIP_CPU_SYNC or not: a device may write only part of it. */
BOUNCE_API enum bounce_outcome bounce_dma_map(struct bounce_dma *dma,
                                              const struct bounce_map_request *request,
                                              enum bounce_dir dir, bool must_bounce,
                                              struct bounce_mapping *mapping,
                                              struct bounce_map_result *result);

/* The same by bounce_swiotlb_map_recorded(). */
BOUNCE_API enum bounce_outcome bounce_dma_map_recorded(struct bounce_dma *dma,
                                                       const struct bounce_map_request *request,
                                                       enum bounce_dir dir, uint64_t transient_addr,
                                                       struct bounce_mapping *mapping,
                                                       struct bounce_map_result *result);

/* Maps a buffer to just that bounce address (bounce_swiotlb_place()); false, and nothing done, when
 * its slots cannot be had. Copies as bounce_dma_map() does. */
BOUNCE_API bool bounce_dma_place(struct bounce_dma *dma, const struct bounce_map_request *request,
                                 enum bounce_dir dir, uint64_t tlb_addr, bool move_cursor,
                                 struct bounce_mapping *mapping, struct bounce_map_result *result);

/* Coherent memory from a restricted pool: nothing is copied. */
BOUNCE_API enum bounce_outcome bounce_dma_alloc(struct bounce_dma *dma,
                                                const struct bounce_map_request *request,
                                                struct bounce_mapping *mapping,
                                                struct bounce_map_result *result);

/* Copies back what the device may have written, unless SKIP_CPU_SYNC, and frees the slots. Returns
 * the bytes copied. A mapping that is not live is left alone. */
BOUNCE_API uint64_t bounce_dma_unmap(struct bounce_dma *dma, const struct bounce_device *device,
                                     struct bounce_mapping *mapping, unsigned attrs);

/* Copies `size` bytes from `offset` on, back (for the CPU) or out (for the device), if the
 * mapping's direction asks for it. Returns what was copied: cut at the end of the slots. */
BOUNCE_API struct bounce_copy bounce_dma_sync(struct bounce_dma *dma,
                                              const struct bounce_device *device,
                                              const struct bounce_mapping *mapping, uint64_t offset,
                                              uint64_t size, bool for_cpu);

BOUNCE_END_DECLS

#endif
