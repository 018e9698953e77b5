// SPDX-License-Identifier: Apache-2.0
// The IOMMU and the DMA layer above it: one list of parameters and one of what is counted. They
// feed the structs, the platform files, the JSON and docs/models/iommu.md.
#pragma once

#include "models/costs.hpp"
#include "models/dma_fault.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bouncesim::models {

#define BOUNCESIM_FROM_IOTLB                                                                       \
    "data of Neugebauer et al., SIGCOMM 2018: NFP6000, Broadwell E5-2630v4, random 64 B reads"
#define BOUNCESIM_FROM_SMMU                                                                        \
    "dma_map_benchmark on SMMUv3, 1 thread, iommu list, 2021-07-31 (after batching)"
#define BOUNCESIM_FROM_DMA_IOMMU "drivers/iommu/dma-iommu.c of 6.12.117"

enum iotlb_replacement : uint64_t { iotlb_lru, iotlb_fifo, iotlb_random };

/* clang-format off */
// X(key, unit, default, smallest, largest, meaning, source)
#define BOUNCESIM_IOMMU_PARAMETERS(X) \
    X(iotlb_entries, "entries", 64, 1, 1048576, "translations of 4 KiB pages that the IOTLB holds", BOUNCESIM_FROM_IOTLB ": reach 256 KiB") \
    X(iotlb_ways, "ways", 0, 0, 1048576, "entries that one page may be in; 0: all of them", "not known: fully associative assumed") \
    X(iotlb_2m_entries, "entries", 4, 0, 1048576, "translations of 2 MiB pages that it holds beside them; 0: both sizes share the entries", "derived, with iotlb_2m_walk_ps: +67 ns over a window of 32 such pages, Haswell E5-2637v3, same data") \
    X(iotlb_replacement, "0..2", 0, 0, 2, "what goes when a set is full: 0 the least recently used, 1 the oldest, 2 any", "not known") \
    X(iotlb_hit_ps, "ps", 0, 0, 1000000000, "a translation that the IOTLB holds", BOUNCESIM_FROM_IOTLB ": bandwidth as without IOMMU") \
    X(walkers, "walks", 6, 1, 1024, "page walks at a time; others wait in order", BOUNCESIM_FROM_IOTLB ": 19.2 M walks/s x 289 ns = 5.6") \
    X(walk_ps, "ps", 312500, 0, 1000000000000, "a page walk that ends at a 4 KiB page", BOUNCESIM_FROM_IOTLB ": +289 to +354 ns; 6 walks in 1/19.2 us") \
    X(walk_2m_ps, "ps", 77000, 0, 1000000000000, "a page walk that ends at a 2 MiB page", "derived: +67 ns over 32 pages of which 4 are held") \
    X(lazy, "0, 1", 0, 0, 1, "invalidation: 0 strict, at each unmap; 1 lazy, through a flush queue", BOUNCESIM_FROM_DMA_IOMMU) \
    X(single_queue, "0, 1", 0, 0, 1, "lazy: 0 a flush queue for each CPU, 1 one for all", BOUNCESIM_FROM_DMA_IOMMU) \
    X(queue_entries, "entries", 256, 1, 1048576, "lazy: a queue that is full is flushed", BOUNCESIM_FROM_DMA_IOMMU) \
    X(queue_timeout_us, "us", 10000, 1, 1000000000, "lazy: and so are all, that long after the first entry", BOUNCESIM_FROM_DMA_IOMMU) \
    X(single_queue_entries, "entries", 32768, 1, 1048576, "the same of the single queue", BOUNCESIM_FROM_DMA_IOMMU) \
    X(single_queue_timeout_us, "us", 1000000, 1, 1000000000, "the same of the single queue", BOUNCESIM_FROM_DMA_IOMMU) \
    X(flush_ps, "ps", 270000, 0, 1000000000000, "flushing a domain: the CPU waits for the IOMMU", "CMD_SYNC on an empty queue, MSI polling, 270 to 280 ns, iommu list, 2020-08") \
    X(iova_hit_ps, "ps", 0, 0, 1000000000000, "an IOVA from the CPU's own cache", "in the figures of map_ps") \
    X(iova_miss_ps, "ps", 926000, 0, 1000000000000, "more for one that is in no cache though of a size that is cached", "derived: 600 k against 1350 k IOPS, iommu list, 2021-03") \
    X(map_page_ps, "ps", 0, 0, 10000000000, "more for each granule that is mapped: a host that pins it for a guest's IOMMU", "not measured: to be set for a target") \
    X(unmap_page_ps, "ps", 0, 0, 10000000000, "more for each that is unmapped, strict or lazy; strict: alone in the invalidation queue", "not measured: to be set for a target") \
    X(granule, "bytes", 4096, 4096, 65536, "pages of the IOMMU's page table, a power of two; an untrusted device's buffers that are not whole ones bounce", BOUNCESIM_FROM_DMA_IOMMU)

// X(key, points, meaning, source): bytes and ps
#define BOUNCESIM_IOMMU_CURVES(X) \
    X(map_time, (cost_curve{5, {{{4096, 100000}, {16384, 100000}, {65536, 200000}, {262144, 400000}, {1048576, 800000}}}}), \
      "mapping in pages of 4 KiB: IOVA and page table", BOUNCESIM_FROM_SMMU) \
    X(unmap_time, (cost_curve{5, {{{4096, 800000}, {16384, 1100000}, {65536, 2000000}, {262144, 6100000}, {1048576, 19300000}}}}), \
      "strict: unmapping and invalidating them", BOUNCESIM_FROM_SMMU) \
    X(unmap_serial, (cost_curve{5, {{{4096, 590000}, {16384, 590000}, {65536, 1270000}, {262144, 4760000}, {1048576, 19300000}}}}), \
      "of that, alone in the invalidation queue: CPUs wait for each other", "derived: the same benchmark with 10 threads, a tenth of map and unmap") \
    X(unmap_lazy, (cost_curve{5, {{{4096, 100000}, {16384, 100000}, {65536, 200000}, {262144, 400000}, {1048576, 800000}}}}), \
      "lazy: clearing the page table, without the flush", "not measured: as mapping")

// X(type, name, unit, meaning)
#define BOUNCESIM_IOMMU_STATS(X) \
    X(uint64_t, maps, "maps", "buffers mapped through the IOMMU") \
    X(uint64_t, unmaps, "unmaps", "and unmapped") \
    X(uint64_t, bounced, "maps", "of them, of untrusted devices and not whole granules: through the pool") \
    X(uint64_t, zeroed_bytes, "bytes", "padding of bounced buffers that was zeroed") \
    X(double, map_ns, "ns", "time of all CPUs in mapping") \
    X(double, unmap_ns, "ns", "and in unmapping, waiting included") \
    X(double, invalidation_wait_ns, "ns", "of that, waiting for the invalidation queue") \
    X(uint64_t, invalidations, "invalidations", "strict: of single ranges") \
    X(uint64_t, flushes_full, "flushes", "lazy: because a queue was full") \
    X(uint64_t, flushes_timeout, "flushes", "lazy: by the timer") \
    X(uint64_t, queue_hiwater, "entries", "lazy: unmapped and not yet flushed, most at a time") \
    X(uint64_t, iova_hits, "allocations", "from a cache") \
    X(uint64_t, iova_misses, "allocations", "of a cached size, from no cache") \
    X(uint64_t, iova_large, "allocations", "of a size that is not cached") \
    X(uint64_t, iova_failures, "allocations", "that found no address within the device's mask") \
    X(uint64_t, pages_hiwater, "pages", "entries of the page tables, most at a time") \
    X(uint64_t, transfers, "transfers", "of devices, through the IOMMU") \
    X(uint64_t, translations, "translations", "of their pages") \
    X(uint64_t, iotlb_hits, "translations", "that the IOTLB held") \
    X(uint64_t, walks, "walks", "of the others") \
    X(double, walk_wait_ns, "ns", "waiting for a walker") \
    X(uint64_t, stale, "translations", "lazy: by an entry whose page was unmapped already, and served")
/* clang-format on */

struct iommu_config {
#define BOUNCESIM_FIELD(key, unit, value, low, high, meaning, source) uint64_t key = value;
    BOUNCESIM_IOMMU_PARAMETERS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
#define BOUNCESIM_FIELD(key, points, meaning, source) cost_curve key = points;
    BOUNCESIM_IOMMU_CURVES(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD

    // No time for anything; sizes and modes stay.
    void make_free();
    // Empty, or what is wrong with the values together: "iotlb_ways: ...".
    std::string check() const;
};

// A row of the list; exactly one of `value` and `curve` is set.
struct iommu_parameter {
    const char *key;
    const char *unit;
    const char *meaning;
    const char *source;
    uint64_t iommu_config::*value;
    cost_curve iommu_config::*curve;
    uint64_t smallest, largest; // of a value
};

// Row `index`, or null past the end; the row of that key, or null.
const iommu_parameter *iommu_parameter_at(std::size_t index);
const iommu_parameter *find_iommu_parameter(std::string_view key);

struct iommu_stats {
#define BOUNCESIM_FIELD(type, name, unit, meaning) type name = 0;
    BOUNCESIM_IOMMU_STATS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
    fault_stats faults; // transfers to addresses that are not mapped for them: never served
};

} // namespace bouncesim::models
