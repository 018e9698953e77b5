// SPDX-License-Identifier: Apache-2.0
#include "kernel_tree_slots.hpp"

#include "bounce/boot.h"

#include <algorithm>

namespace bouncesim {

slot_map::slot_map(std::uint64_t start, std::uint64_t nslabs, std::uint32_t nareas)
    : start_(start), nslabs_(nslabs), nareas_(std::max(1u, nareas)),
      area_nslabs_(std::max<std::uint64_t>(1, nslabs / nareas_)),
      free_sets_(nslabs / BOUNCE_SEGMENT_SLOTS), taken_(nslabs),
      set_used_((nslabs + BOUNCE_SEGMENT_SLOTS - 1) / BOUNCE_SEGMENT_SLOTS), area_used_(nareas_) {}

bool slot_map::holds(std::uint64_t address) const {
    return address >= start_ && address - start_ < nslabs_ << BOUNCE_SLOT_SHIFT;
}

std::uint64_t slot_map::area_used(std::uint32_t area) const {
    return area < nareas_ ? area_used_[area] : 0;
}

std::uint32_t slot_map::slots_of_set(std::uint64_t set) const {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(BOUNCE_SEGMENT_SLOTS, nslabs_ - set * BOUNCE_SEGMENT_SLOTS));
}

void slot_map::mark(std::uint64_t address, std::uint32_t before, std::uint64_t nslots, bool taken) {
    std::uint64_t slot = (address - start_) >> BOUNCE_SLOT_SHIFT;
    std::uint64_t first = slot > before ? slot - before : 0;
    std::uint64_t end = std::min(first + nslots, nslabs_);
    for (std::uint64_t s = first; s < end; s++) {
        std::uint64_t set = s / BOUNCE_SEGMENT_SLOTS;
        std::uint64_t area = std::min<std::uint64_t>(s / area_nslabs_, nareas_ - 1);
        bool whole = slots_of_set(set) == BOUNCE_SEGMENT_SLOTS;
        if (taken_[s] == taken)
            continue;
        taken_[s] = taken;
        free_sets_ -= taken && whole && set_used_[set] == 0;
        set_used_[set] = static_cast<std::uint16_t>(set_used_[set] + (taken ? 1 : -1));
        free_sets_ += !taken && whole && set_used_[set] == 0;
        area_used_[area] += taken ? 1 : std::uint64_t(-1);
    }
}

std::uint64_t slot_map::free_slots() const {
    std::uint64_t used = 0;
    for (std::uint64_t area : area_used_)
        used += area;
    return nslabs_ - used;
}

std::uint64_t slot_map::best_area_free() const {
    return area_nslabs_ - *std::min_element(area_used_.begin(), area_used_.end());
}

std::uint32_t slot_map::longest_in(std::uint64_t set) const {
    std::uint32_t longest = 0, run = 0;
    auto slot = taken_.begin() + static_cast<std::ptrdiff_t>(set * BOUNCE_SEGMENT_SLOTS);
    for (std::uint32_t i = slots_of_set(set); i > 0; i--, ++slot) {
        run = *slot ? 0 : run + 1;
        longest = std::max(longest, run);
    }
    return longest;
}

std::uint32_t slot_map::longest_free_run() const {
    std::uint32_t longest = 0;
    for (std::uint64_t set = 0; set < set_used_.size(); set++) {
        std::uint32_t free = slots_of_set(set) - set_used_[set];
        if (free == slots_of_set(set))
            longest = std::max(longest, free);
        else if (free > longest)
            longest = std::max(longest, longest_in(set));
    }
    return longest;
}

} // namespace bouncesim
