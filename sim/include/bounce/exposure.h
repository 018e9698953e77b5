/* SPDX-License-Identifier: Apache-2.0 */
/* Stale-data exposure: of the bytes that a device can reach through a mapping, which hold something
 * else than that mapping's buffer. Swiotlb hands slots out again without clearing them, and a map
 * copies no more than the buffer's own bytes.
 *
 * Two views are counted side by side, each with its own contents of the pool:
 *   direct     the device reaches all bytes of the mapping's slots, padding slots included; nothing
 *              is zeroed. So it is with dma-direct.
 *   untrusted  behind an IOMMU the device reaches the whole granules around [tlb_addr, tlb_addr +
 *              size). The granule is 4 KiB, or alloc_align_mask + 1 when that is more. A mapping
 *              whose alloc_align_mask covers the granule was made by the DMA layer for such a
 *              device: what its granules hold before and after the buffer is zeroed first. Of any
 *              other mapping nothing is zeroed - its granules may hold slots of other mappings.
 *
 * What the bytes of a pool hold:
 *   clean    zero: never written since the pool was made (the kernel clears new pools, transient
 *            ones too), or zeroed since
 *   own      [tlb_addr, tlb_addr + size) of the mapping looked at: the map copies the buffer there
 *   live     the own bytes of another mapping that is live
 *   stale    the own bytes of mappings that have ended, until they are zeroed or become own bytes
 *   unknown  a granule's bytes outside every pool: behind a transient pool of an odd number of
 * slots Who wrote them, CPU or device, does not matter. Coherent memory is zeroed when it is
 * allocated.
 *
 * When it counts: a mapping's bytes are looked at once, when it is made. Live bytes count for both
 * mappings: for the later one then, and for the earlier one too, whose device finds them from then
 * on. Which direction the device may transfer in does not matter.
 *
 * Source: swiotlb_tbl_map_single(), swiotlb_init_io_tlb_pool() (kernel/dma/swiotlb.c),
 * iommu_dma_map_page() (drivers/iommu/dma-iommu.c), dma_direct_alloc() of 6.12.117.
 * Exact to the byte, but for: a map that failed with BOUNCE_MAP_UNREACHABLE leaves its data in
 * slots that are not told (not followed); a sync that reaches past the buffer (not followed);
 * granules above 4 KiB that reach past the mapping's own slots, as those of linux-6.1 can: a later
 * mapping in them counts for itself alone; pools of an allocator that is not the core: a transient
 * one is taken for memory that stays. */
#ifndef BOUNCE_EXPOSURE_H
#define BOUNCE_EXPOSURE_H

#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/swiotlb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* X(name, kind, unit, meaning); kind SUM or MAX says how rows make a total. Columns of the CSV and
 * keys of the JSON in this order. */
/* clang-format off */
#define BOUNCE_EXPOSURE(X) \
    X(mappings, SUM, "maps", "maps and coherent allocations that got slots") \
    X(mapped_bytes, SUM, "bytes", "asked for by them") \
    X(direct_reachable_bytes, SUM, "bytes", "of their slots") \
    X(direct_exposed_mappings, SUM, "maps", "with at least one stale byte in their slots") \
    X(direct_stale_bytes, SUM, "bytes", "in their slots, left over from mappings that have ended") \
    X(direct_stale_bytes_max, MAX, "bytes", "of these, most in one mapping") \
    X(untrusted_reachable_bytes, SUM, "bytes", "of their IOMMU granules") \
    X(untrusted_exposed_mappings, SUM, "maps", "with at least one stale or live byte of others in their granules") \
    X(untrusted_stale_bytes, SUM, "bytes", "in their granules, left over from mappings that have ended") \
    X(untrusted_live_bytes, SUM, "bytes", "in their granules, of other mappings that are live") \
    X(untrusted_unknown_bytes, SUM, "bytes", "in their granules, outside every pool") \
    X(untrusted_zeroed_bytes, SUM, "bytes", "zeroed before the device may use the granules")
/* clang-format on */

struct bounce_exposure_row {
#define BOUNCE_EXPOSURE_FIELD(name, kind, unit, meaning) uint64_t name;
    BOUNCE_EXPOSURE(BOUNCE_EXPOSURE_FIELD)
#undef BOUNCE_EXPOSURE_FIELD
};

#define BOUNCE_EXPOSURE_GRANULE 4096u

struct bounce_exposure;

/* Whether pools of that configuration can be followed: slots of 2 KiB, slot sets of at most 128. */
BOUNCE_API bool bounce_exposure_supports(const struct bounce_swiotlb_config *config);

/* Of pools in which nothing has been mapped yet; owned by the caller. NULL: no memory.
 * Memory: 32 bytes a slot of every 256 KiB ever used, and 256 bytes a view for each slot whose
 * contents are more than one run of bytes: 17 MiB for a 64 MiB pool at the very most, 1 MiB as a
 * rule. It follows the pools, not the trace; transient pools take none. */
BOUNCE_API struct bounce_exposure *bounce_exposure_create(void);
BOUNCE_API void bounce_exposure_destroy(struct bounce_exposure *exposure);

/* To be called from the hooks of the same names (bounce/replay.h), in their order; `mem` as there.
 * Cost: the slots of the mapping. */
BOUNCE_API void bounce_exposure_taken(struct bounce_exposure *exposure,
                                      const struct bounce_event *event,
                                      const struct bounce_map_result *result,
                                      const struct bounce_swiotlb *mem);
BOUNCE_API void bounce_exposure_freed(struct bounce_exposure *exposure, uint64_t tlb_addr);

/* After BOUNCE_EVENT_RESTART: nothing is mapped and all pools are clean. */
BOUNCE_API void bounce_exposure_restart(struct bounce_exposure *exposure);

/* BOUNCE_NO_MEMORY once any call above had none; the counts are wrong then. */
BOUNCE_API enum bounce_status bounce_exposure_status(const struct bounce_exposure *exposure);

/* The counts of device `index` (as in the events), zeros where nothing was mapped. */
BOUNCE_API struct bounce_exposure_row bounce_exposure_device(const struct bounce_exposure *exposure,
                                                             size_t index);
BOUNCE_API struct bounce_exposure_row bounce_exposure_total(const struct bounce_exposure *exposure);

/* Bytes of memory it takes now. */
BOUNCE_API size_t bounce_exposure_memory(const struct bounce_exposure *exposure);

BOUNCE_END_DECLS

#endif
