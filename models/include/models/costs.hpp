// SPDX-License-Identifier: Apache-2.0
// What the timed engine charges: one list of costs, each with its unit, its meaning and where its
// default comes from. The list feeds the struct, the command line and docs/models/costs.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bouncesim::models {

// Time by size: straight lines between the points, from nothing at 0 bytes to the first one, and
// on with the last slope behind the last one. Sizes rise. Above `limit` bytes, as `limit`.
struct cost_curve {
    struct point {
        uint64_t bytes;
        uint64_t ps;
    };
    static constexpr std::size_t max_points = 8;
    static constexpr uint64_t limit = uint64_t{1} << 36;

    uint32_t count;
    std::array<point, max_points> points;

    uint64_t at(uint64_t bytes) const;
};

// Where defaults come from. "cold" and "hot" copies: memcpy on one CPU of a 2-vCPU AMD EPYC virtual
// machine; the allocator's own work: the kernel's swiotlb.c run in user space on that machine.
#define BOUNCESIM_FROM_MEMCPY                                                                      \
    "memcpy measured on a 2-vCPU AMD EPYC virtual machine (L2 1 MiB, glibc), within 15 %"
#define BOUNCESIM_FROM_KERNEL                                                                      \
    "swiotlb.c of 6.12.117 run in user space, measured on the development machine with "           \
    "tests/bench/swiotlb_costs; no figure is published"
#define BOUNCESIM_FROM_PRIMITIVE                                                                   \
    "measured on the development machine with tests/bench/swiotlb_costs; no figure is published"
#define BOUNCESIM_FROM_PCIEB                                                                       \
    "data of Neugebauer et al., Understanding PCIe performance for end host networking, "          \
    "SIGCOMM 2018: NFP6000, PCIe 3 x8, no IOMMU"

/* clang-format off */
// X(key, unit, default, meaning, source)
#define BOUNCESIM_COSTS(X) \
    X(map_ps, "ps", 19000, "a map through the pool, beside its lock, probes, slots, counters and copy", BOUNCESIM_FROM_KERNEL) \
    X(unmap_ps, "ps", 11000, "an unmap of a bounced mapping, beside its lock, slots, counters and copy", BOUNCESIM_FROM_KERNEL) \
    X(sync_ps, "ps", 0, "a sync of a bounced mapping beside its copy", "not measured: to be set for a target") \
    X(request_ps, "ps", 0, "CPU time of a request or packet beside its maps and unmaps: block layer, network stack, the program", "not measured: to be set for a target") \
    X(request_ps_per_kib, "ps/KiB", 0, "the same by size: copies to the program, checksums", "not measured: to be set for a target") \
    X(lock_ps, "ps", 2300, "taking and leaving an area lock that is free", BOUNCESIM_FROM_PRIMITIVE) \
    X(lock_handoff_ps, "ps", 35000, "from the release of an area lock to the start of one that waited for it", BOUNCESIM_FROM_PRIMITIVE) \
    X(probe_ps, "ps", 1800, "a candidate slot looked at, lock held", BOUNCESIM_FROM_KERNEL) \
    X(slot_ps, "ps", 1200, "a slot marked used or free, lock held", BOUNCESIM_FROM_KERNEL) \
    X(counters_ps, "ps", 2100, "total_used and its high-water mark at a map or an unmap", BOUNCESIM_FROM_PRIMITIVE) \
    X(line_ps, "ps", 35000, "more for a free area lock, or for the counters, when another CPU had them last: a cache line comes over", BOUNCESIM_FROM_PRIMITIVE) \
    X(slot_line_ps, "ps", 0, "more, lock held, each time the cache line of a buffer's slots comes over from another CPU (3 of a map, 2 of an unmap); 0: lines are not followed one by one", "as line_ps: `bouncesim calibrate` sets it") \
    X(cache_bytes, "bytes", 1048576, "a buffer is hot when it and all that was copied since it was fit into this", "L2 of the machine on which the copies were measured") \
    X(dma_write_evicts, "0, 1", 0, "1: what a device wrote is not in the CPU's cache, so that the copy back is cold", "caches of a machine whose devices write to memory or to the last level; 0 for runs without devices") \
    X(bus_read_ps_per_kib, "ps/KiB", 148945, "a device's link, taken by a DMA read: 55.0 Gb/s", BOUNCESIM_FROM_PCIEB) \
    X(bus_write_ps_per_kib, "ps/KiB", 154566, "a device's link, taken by a DMA write: 53.0 Gb/s", BOUNCESIM_FROM_PCIEB) \
    X(bus_reads, "reads", 0, "DMA reads that a device has outstanding at a time; 0 = without limit; mapping-level traces only", "not limited by default") \
    X(memory_ps, "ps", 0, "more for each copy and transfer; 16000 with encrypted memory", "Misono et al., Confidential VMs Explained, POMACS 8(3) 36, 2024, section 4.3.1: +16 ns on SEV-SNP and TDX") \
    X(memory_ps_per_kib, "ps/KiB", 0, "memory taken by a copy or transfer; 0 = without limit", "not modelled by default")

// X(key, points, meaning, source): bytes and ps
#define BOUNCESIM_COST_CURVES(X) \
    X(copy_hot, (cost_curve{4, {{{4096, 35000}, {16384, 140000}, {65536, 610000}, {262144, 2400000}}}}), \
      "a copy between buffers that the cache holds", BOUNCESIM_FROM_MEMCPY) \
    X(copy_cold, (cost_curve{4, {{{2048, 140000}, {4096, 240000}, {65536, 3150000}, {262144, 11550000}}}}), \
      "a copy between buffers that it does not hold: walking a 64 MiB pool in order", BOUNCESIM_FROM_MEMCPY) \
    X(bus_read, (cost_curve{8, {{{1, 552000}, {64, 552000}, {256, 626000}, {512, 701000}, {1024, 847000}, {1520, 986000}, {2048, 1129000}, {262144, 38960000}}}}), \
      "a DMA read from request to last byte; above 2 KiB derived: the rest at 55.0 Gb/s", BOUNCESIM_FROM_PCIEB) \
    X(bus_write, (cost_curve{6, {{{1, 224000}, {64, 224000}, {512, 309000}, {1520, 576000}, {2048, 715000}, {262144, 39975000}}}}), \
      "a DMA write: derived, a write then a read less the read; above 2 KiB the rest at 53.0 Gb/s", BOUNCESIM_FROM_PCIEB)
/* clang-format on */

struct costs {
#define BOUNCESIM_FIELD(key, unit, value, meaning, source) uint64_t key = value;
    BOUNCESIM_COSTS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
#define BOUNCESIM_FIELD(key, points, meaning, source) cost_curve key = points;
    BOUNCESIM_COST_CURVES(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD

    // Everything is free: pool events as those of the replay engine.
    static costs zero();
};

// A row of the list: `value` for a plain cost, `curve` for one by size; the other is null.
struct cost_info {
    const char *key;
    const char *unit;
    const char *meaning;
    const char *source;
    uint64_t costs::*value;
    cost_curve costs::*curve;
};

// Row `index`, or null past the end; the row of that key, or null.
const cost_info *cost_at(std::size_t index);
const cost_info *find_cost(std::string_view key);

} // namespace bouncesim::models
