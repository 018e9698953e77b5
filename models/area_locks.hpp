// SPDX-License-Identifier: Apache-2.0
// What the CPUs share in the allocator: the locks of its areas, the cache lines of those, and that
// of its counters. Who comes while a lock is held waits until it is free, in the order of arrival;
// who finds it free pays for its line when another CPU had it last. With slot_line_ps lines are
// followed one by one: until one is asked for, and half the way of the question, the CPU that had
// it still has it.
#pragma once

#include "models/costs.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class area_locks {
  public:
    area_locks(const costs &timing, uint32_t areas)
        : timing_(timing), follows_(timing.slot_line_ps != 0), areas_(std::max(areas, 1u)),
          pools_(1, pool(areas_)) {}

    // Taken by `cpu` at `arrival_ps` or when it is free, held for `work_ps`; returns when it is
    // left. After another CPU the line of the slots has to come over as well, `slot_lines` times.
    // Grown pools have numbers from 1 on, and no more areas than the default pool.
    uint64_t hold(uint32_t area, uint32_t cpu, uint64_t arrival_ps, uint64_t work_ps,
                  unsigned slot_lines, uint32_t number = 0) {
        area &= areas_ - 1;
        while (number >= pools_.size())
            pools_.emplace_back(areas_);
        lock &wanted = pools_[number].locks[area];
        line &around = pools_[number].lines[area / areas_a_line];
        bool moves = wanted.holder != line::nobody && wanted.holder != cpu;
        uint64_t begin = arrival_ps;
        begun_ps_ = arrival_ps;
        if (wanted.free_at_ps > arrival_ps) {
            begun_ps_ = begin = wanted.free_at_ps + timing_.lock_handoff_ps;
            waits++;
            wait_ps += static_cast<double>(begin - arrival_ps);
            wait_max_ps = std::max(wait_max_ps, begin - arrival_ps);
            around.give(cpu, begin);
        } else if (follows_) {
            begin = around.reach(cpu, arrival_ps, timing_.line_ps);
        } else if (moves) {
            begin += timing_.line_ps;
        }
        if (moves)
            begin += slot_lines * timing_.slot_line_ps;
        wanted.holder = cpu;
        return wanted.free_at_ps = begin + timing_.lock_ps + work_ps;
    }
    // The atomic counters of all areas, used for counters_ps; returns when it is over. Where lines
    // are followed, theirs is asked for at `asked_ps`, begun_ps() of the lock before: a CPU works
    // ahead, but not past a lock that it waits for. Of no cost: a kernel without counters (before
    // 6.4, or without CONFIG_DEBUG_FS).
    uint64_t count(uint32_t cpu, uint64_t arrival_ps, uint64_t asked_ps) {
        if (!timing_.counters_ps)
            return arrival_ps;
        if (follows_) {
            uint64_t there_ps = counters_line_.reach(cpu, asked_ps, timing_.line_ps);
            return std::max(arrival_ps, there_ps) + timing_.counters_ps;
        }
        uint64_t begin = std::max(arrival_ps, counters_.free_at_ps);
        if (counters_.holder != line::nobody && counters_.holder != cpu)
            begin += timing_.line_ps;
        counters_.holder = cpu;
        return counters_.free_at_ps = begin + timing_.counters_ps;
    }
    // When the last hold() found its lock free.
    uint64_t begun_ps() const {
        return begun_ps_;
    }
    uint32_t size() const {
        return areas_;
    }

    uint64_t waits = 0;
    double wait_ps = 0;
    uint64_t wait_max_ps = 0;

  private:
    // struct io_tlb_area has 16 bytes: area locks of the same cache line come over together.
    static constexpr uint32_t areas_a_line = 4;

    struct line {
        static constexpr uint32_t nobody = UINT32_MAX;
        uint32_t holder = nobody, before = nobody; // the last two
        uint64_t left_ps = 0;                      // the one before has it until then
        uint64_t there_ps = 0;                     // the holder has it from then on

        // Returns when `cpu` has it.
        uint64_t reach(uint32_t cpu, uint64_t time_ps, uint64_t way_ps) {
            if (holder == nobody)
                holder = cpu;
            if (holder == cpu)
                return std::max(time_ps, there_ps);
            if (before == cpu && time_ps < left_ps)
                return time_ps;
            before = holder;
            holder = cpu;
            left_ps = std::max(time_ps + way_ps / 2, there_ps);
            return there_ps = left_ps + way_ps / 2;
        }
        void give(uint32_t cpu, uint64_t time_ps) {
            before = holder = cpu;
            left_ps = there_ps = time_ps;
        }
    };
    struct lock {
        uint64_t free_at_ps = 0;
        uint32_t holder = line::nobody; // the last one
    };
    struct pool {
        explicit pool(uint32_t areas)
            : locks(areas), lines((areas + areas_a_line - 1) / areas_a_line) {}
        std::vector<lock> locks;
        std::vector<line> lines;
    };
    const costs &timing_;
    const bool follows_;   // lines one by one
    const uint32_t areas_; // a power of two
    std::vector<pool> pools_;
    lock counters_;
    line counters_line_;
    uint64_t begun_ps_ = 0;
};

} // namespace bouncesim::models
