// SPDX-License-Identifier: Apache-2.0
// The IOMMU's page walkers: so many walks at a time, the others wait for the walker that is free
// first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class page_walkers {
  public:
    explicit page_walkers(uint64_t count) : free_at_ps_(count) {}

    // Returns when a walk that arrives then is over. O(1) where walks take the same time.
    uint64_t walk(uint64_t arrival_ps, uint64_t walk_ps) {
        std::size_t place = first_; // of the walker that is free first: now the last one
        uint64_t end_ps = std::max(arrival_ps, free_at_ps_[first_]) + walk_ps;
        first_ = first_ + 1 < free_at_ps_.size() ? first_ + 1 : 0;
        while (place != first_) {
            std::size_t before = place ? place - 1 : free_at_ps_.size() - 1;
            if (free_at_ps_[before] <= end_ps)
                break;
            free_at_ps_[place] = free_at_ps_[before];
            place = before;
        }
        free_at_ps_[place] = end_ps;
        return end_ps;
    }

  private:
    std::vector<uint64_t> free_at_ps_; // a ring in the order of time, from first_ on
    std::size_t first_ = 0;
};

} // namespace bouncesim::models
