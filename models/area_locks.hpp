// SPDX-License-Identifier: Apache-2.0
// What the CPUs share in the allocator: the locks of its areas, and the cache line of its counters.
// Who comes while it is held waits until it is free, in the order of arrival; who finds it free
// pays for the line when another CPU had it last.
#pragma once

#include "models/costs.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class area_locks {
  public:
    area_locks(const costs &timing, uint32_t areas)
        : timing_(timing), locks_(std::max(areas, 1u)) {}

    // Taken by `cpu` at `arrival_ps` or when it is free, held for `work_ps`; returns when it is
    // left.
    uint64_t hold(uint32_t area, uint32_t cpu, uint64_t arrival_ps, uint64_t work_ps) {
        lock &wanted = locks_[area & (locks_.size() - 1)];
        uint64_t begin = arrival_ps;
        if (wanted.free_at_ps > arrival_ps) {
            begin = wanted.free_at_ps + timing_.lock_handoff_ps;
            waits++;
            wait_ps += static_cast<double>(begin - arrival_ps);
            wait_max_ps = std::max(wait_max_ps, begin - arrival_ps);
        } else if (wanted.moves_to(cpu)) {
            begin += timing_.line_ps;
        }
        wanted.holder = cpu;
        return wanted.free_at_ps = begin + timing_.lock_ps + work_ps;
    }
    // The atomic counters of all areas, used for counters_ps; returns when it is over. Of no cost:
    // a kernel without them (before 6.4, or without CONFIG_DEBUG_FS).
    uint64_t count(uint32_t cpu, uint64_t arrival_ps) {
        if (!timing_.counters_ps)
            return arrival_ps;
        uint64_t begin = std::max(arrival_ps, counters_.free_at_ps);
        if (counters_.moves_to(cpu))
            begin += timing_.line_ps;
        counters_.holder = cpu;
        return counters_.free_at_ps = begin + timing_.counters_ps;
    }
    uint32_t size() const {
        return static_cast<uint32_t>(locks_.size());
    }

    uint64_t waits = 0;
    double wait_ps = 0;
    uint64_t wait_max_ps = 0;

  private:
    struct lock {
        static constexpr uint32_t nobody = UINT32_MAX;
        uint64_t free_at_ps = 0;
        uint32_t holder = nobody; // the last one

        bool moves_to(uint32_t cpu) const {
            return holder != nobody && holder != cpu;
        }
    };
    const costs &timing_;
    std::vector<lock> locks_; // a power of two of them
    lock counters_;
};

} // namespace bouncesim::models
