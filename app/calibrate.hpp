// SPDX-License-Identifier: Apache-2.0
// This machine's own times for what the timed engine charges: copies, locks, shared counters. Host
// time: no two runs give the same figures.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace bouncesim {

// Nanoseconds of one memcpy, medians over many.
struct copy_times {
    std::uint64_t bytes;
    double hot_ns;  // the same two buffers, in the cache
    double walk_ns; // the destination is the next piece of a 64 MiB pool, as areas hand them out
    double cold_ns; // both anywhere in 128 MiB of their own
};

// Takes 320 MiB of memory while it runs and some tenths of a second a size. `stop` is asked between
// sizes; what was measured until then is returned. Throws std::bad_alloc.
std::vector<copy_times> measure_copies(const std::vector<std::uint64_t> &sizes,
                                       const std::function<bool()> &stop);

// Taking and leaving a lock that is free and in the cache.
double measure_lock_ns();

// total_used and its high-water mark: one addition and one read, as on a map that is no new peak.
double measure_counters_ns();

// A cache line's way from the CPU that wrote it last to one that adds to it: the median of many.
// Empty where this process may use one CPU only.
std::optional<double> measure_line_ns();

// A lock that two CPUs want all the time, with two words beside it written under it, as a struct
// io_tlb_area: time from one holder to the next, the lower quartile of runs in which they took
// turns. Empty likewise, and where they never did.
std::optional<double> measure_handoff_ns();

} // namespace bouncesim
