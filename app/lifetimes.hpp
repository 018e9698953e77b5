// SPDX-License-Identifier: Apache-2.0
// How long bounced mappings live, from map to unmap: a histogram in fixed memory, beside what is
// mapped at a time.
#pragma once

#include "bounce/replay.h"

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace bouncesim {

class lifetimes {
  public:
    void taken(const bounce_event &event, const bounce_map_result &result);
    void freed(const bounce_mapping &mapping);
    // The event to which all that was freed since the last one belongs. What a map itself gave back
    // (a scatter list that failed) was never used and does not count.
    void happened(const bounce_event &event);

    // CSV, one row for each step that occurred, ascending: at_least_ns,below_ns,maps. Steps are an
    // eighth of a power of two.
    std::string text() const;

  private:
    static constexpr std::uint32_t bits = 3, steps = 1u << bits;
    static std::uint32_t step_of(std::uint64_t value);
    static std::uint64_t begin_of(std::uint32_t step);

    std::unordered_map<std::uint64_t, std::uint64_t> mapped_ns_; // by bounce address
    std::vector<std::uint64_t> ended_;                           // when these were mapped
    std::array<std::uint64_t, (64 - bits + 1) *steps> counts_ = {};
};

} // namespace bouncesim
