/* SPDX-License-Identifier: Apache-2.0 */
/* The one list of statistics: generates the struct, the JSON, the CSV header of sweeps, what
 * `compare` calls worse, and the table in docs/statistics.md.
 *
 * X(section, name, kind, worse, unit, meaning)
 *   kind   COUNT grows with the trace; PEAK highest value; LEVEL value at the end
 *   worse  UP: a larger value is a regression; DOWN: a smaller one is; NO: neither */
#ifndef BOUNCE_STATS_H
#define BOUNCE_STATS_H

#include "bounce/export.h"

#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* clang-format off */
#define BOUNCE_STATS(X) \
    X(swiotlb, nslabs, LEVEL, NO, "slots", "slots of the default and the grown pools (io_tlb_nslabs)") \
    X(swiotlb, nareas, LEVEL, NO, "areas", "areas of the default pool") \
    X(swiotlb, used, LEVEL, NO, "slots", "slots in use at the end (io_tlb_used)") \
    X(swiotlb, used_hiwater, PEAK, UP, "slots", "most slots in use at any time (io_tlb_used_hiwater)") \
    X(swiotlb, transient_nslabs, LEVEL, NO, "slots", "slots of transient pools at the end (io_tlb_transient_nslabs)") \
    X(swiotlb, transient_nslabs_hiwater, PEAK, UP, "slots", "most slots of transient pools at any time") \
    X(swiotlb, pools, LEVEL, NO, "pools", "default and grown pools at the end") \
    X(events, maps, COUNT, NO, "maps", "map and coherent-allocation calls that went to the pool") \
    X(events, transient_maps, COUNT, UP, "maps", "of these, maps that got a transient pool of their own") \
    X(events, direct_maps, COUNT, NO, "maps", "map calls that needed no bouncing") \
    X(events, held_maps, COUNT, NO, "maps", "buffers mapped before the trace began, as its unmaps tell; not among the maps") \
    X(events, unmaps, COUNT, NO, "unmaps", "bounced mappings unmapped, those of failed lists included") \
    X(events, syncs, COUNT, NO, "syncs", "sync calls on bounced mappings") \
    X(events, failed_maps, COUNT, UP, "maps", "map calls that failed for whatever reason") \
    X(events, full, COUNT, UP, "maps", "failures that the kernel logs as \"swiotlb buffer is full\"; a scatter list counts once") \
    X(events, lockups, COUNT, UP, "maps", "maps in which the kernel's search would never have ended") \
    X(events, unreachable, COUNT, UP, "maps", "maps whose slots lay above the device's DMA mask") \
    X(events, retried_maps, COUNT, NO, "maps", "maps that failed when recorded and found room here: released at once, their retry is in the trace") \
    X(events, lists_failed, COUNT, UP, "lists", "scatter lists that failed half-way") \
    X(events, list_attempts, COUNT, NO, "maps", "failures after the first one in the records of one failed scatter list: attempts whose limits the trace does not tell") \
    X(events, list_entries_not_tried, COUNT, NO, "entries", "entries after the failure of their list") \
    X(full_by_cause, no_pool, COUNT, UP, "maps", "there was no pool") \
    X(full_by_cause, oversize, COUNT, UP, "maps", "more than a slot set can hold, offset included: no pool size helps") \
    X(full_by_cause, exhausted, COUNT, UP, "maps", "fewer free slots in the pool than needed") \
    X(full_by_cause, area_limited, COUNT, UP, "maps", "enough free slots in the pool, in no single area") \
    X(full_by_cause, fragmented, COUNT, UP, "maps", "enough in an area, no free run that long within a slot set") \
    X(full_by_cause, alignment, COUNT, UP, "maps", "a run is there, none that meets alignment or seg_boundary") \
    X(full_by_cause, atomic_pool, COUNT, UP, "maps", "a transient buffer found the atomic pool empty") \
    X(full_by_cause, unexplained, COUNT, UP, "maps", "failed in the recording, and nothing shows why") \
    X(copy, bytes_to_device, COUNT, NO, "bytes", "copied from original to bounce buffers (every map, and syncs)") \
    X(copy, bytes_from_device, COUNT, NO, "bytes", "copied back (unmaps and syncs)") \
    X(copy, calls, COUNT, NO, "copies", "copies of either kind") \
    X(conversion, bytes, COUNT, NO, "bytes", "made shared with the hypervisor: pools and atomic pool of an encrypted guest") \
    X(conversion, pages, COUNT, NO, "pages", "of 4 KiB: the same") \
    X(conversion, ns, COUNT, NO, "ns", "that converting them takes: SEV-SNP 1250, TDX 1660 a page (approximate: Misono et al. 2024)") \
    X(search, probes, COUNT, NO, "slots", "candidate slots looked at by all maps") \
    X(search, locks, COUNT, NO, "locks", "area locks taken by searches") \
    X(search, probes_max, PEAK, NO, "slots", "candidate slots looked at by one map, at most") \
    X(fragmentation, internal_bytes_hiwater, PEAK, NO, "bytes", "most bytes of used slots that no mapping asked for: rounding to slots, offsets, padding") \
    X(fragmentation, free_segments_min, LEVEL, NO, "slot sets", "fewest wholly free slot sets at any time; each serves one 256 KiB mapping") \
    X(fragmentation, free_segments, LEVEL, NO, "slot sets", "wholly free slot sets at the end") \
    X(throttle, above_high, COUNT, NO, "maps", "maps that needed the semaphore: more than the high mark was in use") \
    X(throttle, above_low, COUNT, NO, "maps", "maps that needed it between the marks: another had it") \
    X(throttle, waited, COUNT, UP, "maps", "of both, maps that had to wait for it") \
    X(throttle, waiting_hiwater, PEAK, UP, "maps", "most maps that waited at a time") \
    X(throttle, wait_ns, COUNT, UP, "ns", "waited by all maps together, in the trace's time") \
    X(throttle, wait_ns_max, PEAK, UP, "ns", "waited by one map, at most") \
    X(throttle, never, LEVEL, UP, "maps", "maps that would wait for ever: nothing in the trace unmaps the buffer before them") \
    X(recorded, maps_compared, COUNT, NO, "maps", "maps whose outcome the trace tells") \
    X(recorded, addresses_equal, COUNT, DOWN, "maps", "of these, same address or same failure in the replay; entries of failed lists, of which the trace tells no address, contradict nothing") \
    X(recorded, full_recorded, COUNT, NO, "maps", "maps that failed in the recording") \
    X(recorded, full_equal, COUNT, DOWN, "maps", "of these, those that failed in the replay too")
/* clang-format on */

struct bounce_stats {
#define BOUNCE_STATS_FIELD(section, name, kind, worse, unit, meaning) uint64_t section##_##name;
    BOUNCE_STATS(BOUNCE_STATS_FIELD)
#undef BOUNCE_STATS_FIELD
    /* Share of the free slots that no 256 KiB mapping could use, at its worst: 1 when no slot set
     * was wholly free. Kept apart because it is a ratio. */
    double fragmentation_external_hiwater;
};

enum bounce_stat_kind { BOUNCE_STAT_COUNT, BOUNCE_STAT_PEAK, BOUNCE_STAT_LEVEL };
enum bounce_stat_worse { BOUNCE_WORSE_NO, BOUNCE_WORSE_UP, BOUNCE_WORSE_DOWN };

struct bounce_stat_info {
    const char *section;
    const char *name;
    enum bounce_stat_kind kind;
    enum bounce_stat_worse worse;
    const char *unit;
    const char *meaning;
    size_t offset; /* of the uint64_t in struct bounce_stats */
};

/* Row `index` of the list above, or NULL past its end. */
BOUNCE_API const struct bounce_stat_info *bounce_stat_at(size_t index);

static inline uint64_t bounce_stat_value(const struct bounce_stats *stats,
                                         const struct bounce_stat_info *info)
{
    return *(const uint64_t *)(const void *)((const char *)stats + info->offset);
}

BOUNCE_END_DECLS

#endif
