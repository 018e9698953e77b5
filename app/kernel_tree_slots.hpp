// SPDX-License-Identifier: Apache-2.0
// Which slots of a pool are in use, from the mappings that a kernel tree's allocator made: what the
// statistics and the cause of a full event need beyond the tree's own counters.
#pragma once

#include <cstdint>
#include <vector>

namespace bouncesim {

class slot_map {
  public:
    slot_map(std::uint64_t start, std::uint64_t nslabs, std::uint32_t nareas);

    bool holds(std::uint64_t address) const;
    std::uint32_t nareas() const {
        return nareas_;
    }
    std::uint64_t area_used(std::uint32_t area) const;
    std::uint64_t free_sets() const { // slot sets that are wholly free
        return free_sets_;
    }

    // Slots from the one that holds `address` minus `before` on; what lies outside is left out.
    void take(std::uint64_t address, std::uint32_t before, std::uint64_t nslots) {
        mark(address, before, nslots, true);
    }
    void give(std::uint64_t address, std::uint32_t before, std::uint64_t nslots) {
        mark(address, before, nslots, false);
    }

    std::uint64_t free_slots() const;
    std::uint64_t best_area_free() const;
    std::uint32_t longest_free_run() const; // within a slot set

  private:
    void mark(std::uint64_t address, std::uint32_t before, std::uint64_t nslots, bool taken);
    std::uint32_t slots_of_set(std::uint64_t set) const;
    std::uint32_t longest_in(std::uint64_t set) const;

    std::uint64_t start_;
    std::uint64_t nslabs_;
    std::uint32_t nareas_;
    std::uint64_t area_nslabs_;
    std::uint64_t free_sets_;
    std::vector<bool> taken_;
    std::vector<std::uint16_t> set_used_;
    std::vector<std::uint64_t> area_used_;
};

} // namespace bouncesim
