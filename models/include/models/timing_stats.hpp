// SPDX-License-Identifier: Apache-2.0
// What the timed engine measures: one list for the struct, the JSON and docs/models/timing.md.
// Counts are uint64_t, times are double nanoseconds (of whole picoseconds).
#pragma once

#include <cstdint>

namespace bouncesim::models {

template <class Number> double ns_of_ps(Number ps) {
    return static_cast<double>(ps) / 1000;
}

/* clang-format off */
// X(type, name, unit, meaning)
#define BOUNCESIM_TIMING_STATS(X) \
    X(double, simulated_ns, "ns", "from the trace's time 0 to the end of the last operation or transfer") \
    X(double, cpu_busy_ns, "ns", "time of all CPUs in map, unmap and sync, lock waiting included") \
    X(double, cpu_busy_max_ns, "ns", "the same of the busiest CPU") \
    X(double, copy_ns, "ns", "of that, copying") \
    X(uint64_t, copies_hot, "copies", "copies of buffers that the cache still held") \
    X(uint64_t, copies_cold, "copies", "all others") \
    X(double, lock_wait_ns, "ns", "time of all CPUs waiting for area locks") \
    X(double, lock_wait_max_ns, "ns", "the longest wait") \
    X(uint64_t, lock_waits, "locks", "area locks that had to be waited for") \
    X(double, dma_ns, "ns", "time of all transfers, from doorbell to last byte") \
    X(uint64_t, dma_transfers, "transfers", "buffers that devices read or wrote") \
    X(double, dma_wait_ns, "ns", "how much later than recorded unmaps and syncs came because their transfer was not done") \
    X(uint64_t, dma_waits, "events", "unmaps and syncs that came later for that") \
    X(double, lag_max_ns, "ns", "most that any event started after its recorded time") \
    X(double, map_mean_ns, "ns", "mean time of map calls that went to the pool, failed ones included") \
    X(double, map_p50_ns, "ns", "half of them took no longer than this") \
    X(double, map_p90_ns, "ns", "nine in ten of them") \
    X(double, map_p99_ns, "ns", "99 in 100") \
    X(double, map_p999_ns, "ns", "999 in 1000") \
    X(double, map_max_ns, "ns", "the longest") \
    X(double, unmap_mean_ns, "ns", "mean time of unmaps of bounced mappings") \
    X(double, unmap_p50_ns, "ns", "half of them took no longer than this") \
    X(double, unmap_p90_ns, "ns", "nine in ten of them") \
    X(double, unmap_p99_ns, "ns", "99 in 100") \
    X(double, unmap_p999_ns, "ns", "999 in 1000") \
    X(double, unmap_max_ns, "ns", "the longest")
/* clang-format on */

struct timing_stats {
#define BOUNCESIM_FIELD(type, name, unit, meaning) type name = 0;
    BOUNCESIM_TIMING_STATS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
};

} // namespace bouncesim::models
