// SPDX-License-Identifier: Apache-2.0
// The area locks of the pool: who comes while one is held waits until it is free, in the order of
// arrival.
#pragma once

#include "models/costs.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class area_locks {
  public:
    area_locks(const costs &timing, uint32_t areas)
        : timing_(timing), free_at_ps_(std::max(areas, 1u)) {}

    // Taken at `arrival_ps` or when it is free, held for `work_ps`; returns when it is left.
    uint64_t hold(uint32_t area, uint64_t arrival_ps, uint64_t work_ps) {
        uint64_t &free_at = free_at_ps_[area & (free_at_ps_.size() - 1)];
        uint64_t begin = arrival_ps;
        if (free_at > arrival_ps) {
            begin = free_at + timing_.lock_handoff_ps;
            waits++;
            wait_ps += static_cast<double>(begin - arrival_ps);
            wait_max_ps = std::max(wait_max_ps, begin - arrival_ps);
        }
        return free_at = begin + timing_.lock_ps + work_ps;
    }
    uint32_t size() const {
        return static_cast<uint32_t>(free_at_ps_.size());
    }

    uint64_t waits = 0;
    double wait_ps = 0;
    uint64_t wait_max_ps = 0;

  private:
    const costs &timing_;
    std::vector<uint64_t> free_at_ps_; // a power of two of them
};

} // namespace bouncesim::models
