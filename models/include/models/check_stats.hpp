// SPDX-License-Identifier: Apache-2.0
// What `--check-data` counts: one list for the struct, the JSON and docs/models/data_check.md.
#pragma once

#include "models/dma_fault.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bouncesim::models {

/* clang-format off */
// X(name, unit, meaning)
#define BOUNCESIM_CHECK_STATS(X) \
    X(mappings, "maps", "mappings whose bytes were followed, bounced or not") \
    X(not_checked, "maps", "mappings that were not: larger than 16 MiB, or beyond 1 GiB of live ones") \
    X(copies, "copies", "copies of the DMA layer that moved real bytes") \
    X(device_reads, "transfers", "transfers whose bytes a device found right or not") \
    X(device_writes, "transfers", "transfers by which a device left bytes to be found") \
    X(bytes_checked, "bytes", "compared with what had to be there") \
    X(mismatches, "places", "comparisons that found another byte, the first of each counted") \
    X(lost_bytes, "bytes", "copied to or from memory outside every mapping") \
    X(pages_hiwater, "pages", "pages of 4 KiB that held bytes at a time")
/* clang-format on */

enum class check_place : uint8_t {
    device_read, // a device read something else than the CPU had handed over
    after_sync,  // after sync_for_cpu the CPU's buffer is not as it has to be
    after_unmap, // the same after the unmap
};

// "device_read", "after_sync", "after_unmap".
const char *check_place_name(check_place place);

struct check_mismatch {
    uint64_t id; // of the mapping, as in --mappings
    uint64_t offset;
    uint32_t device;
    check_place place;
    uint8_t expected;
    uint8_t found;
};

struct check_stats {
#define BOUNCESIM_FIELD(name, unit, meaning) uint64_t name = 0;
    BOUNCESIM_CHECK_STATS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD

    // The first ones, in the order found.
    static constexpr std::size_t most_listed = 16;
    std::array<check_mismatch, most_listed> first = {};
    fault_stats faults; // transfers outside a device's mask, boundary or mapping

    std::size_t listed() const {
        return mismatches < most_listed ? static_cast<std::size_t>(mismatches) : most_listed;
    }
    bool clean() const {
        return !mismatches && !lost_bytes && !faults.count;
    }
};

// For tests: one deliberate error of the bounce copies, to show that it is found.
enum class planted_fault : uint8_t {
    nothing,
    lost_sync,    // the nth copy of a sync is left out
    lost_out,     // the nth copy of a map is left out
    lost_back,    // the nth copy back of an unmap is left out
    wrong_offset, // the nth copy of any kind goes one byte too far
    ignored_skip, // the nth unmap with SKIP_CPU_SYNC copies back all the same
};

} // namespace bouncesim::models
