// SPDX-License-Identifier: Apache-2.0
// Cuts a part out of a trace so that what is left is a trace again: mappings stay whole, and what
// was mapped before the cut begins is unmapped as if the recording had begun there.
#pragma once

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/trace.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace bouncesim {

struct cut_options {
    std::uint64_t from_ns = 0;          // of the trace's own times, which start at 0
    std::optional<std::uint64_t> to_ns; // not included
    std::set<std::string> devices;      // empty: all
    std::set<std::uint16_t> cpus;       // of maps and requests; empty: all
    bool any() const {
        return from_ns || to_ns || !devices.empty() || !cpus.empty();
    }
};

struct cut_counts {
    std::uint64_t in = 0;
    std::uint64_t kept = 0;
    std::uint64_t by_time = 0;   // maps and requests outside
    std::uint64_t by_device = 0; // and of other devices
    std::uint64_t by_cpu = 0;    // and of other CPUs
    std::uint64_t ends = 0;      // what belongs to those: unmaps, completions, syncs
    std::uint64_t unmatched = 0; // unmaps kept, of what was mapped before the cut
    std::uint64_t others = 0;    // restarts and worker runs outside
};

class trace_cut {
  public:
    explicit trace_cut(const cut_options &options) : options_(options) {}

    // Appends what stays of the events.
    void take(const std::vector<bounce_device> &devices, const bounce_event *events,
              std::size_t count, std::vector<bounce_event> &out);

    const cut_counts &counts() const {
        return counts_;
    }
    // Devices asked for that the trace does not have; ask at the end.
    std::set<std::string> missing_devices() const;

    // The counts of what was left, from those of the whole.
    bounce_trace_counts adjusted(bounce_trace_counts counts) const;

  private:
    enum class fate : std::uint8_t { none, kept, before, dropped };
    struct mapping {
        fate what = fate::none;
        bool placed = false; // its address is known
        std::uint64_t tlb_addr = 0;
    };
    bool keeps_device(const std::vector<bounce_device> &devices, std::uint16_t device);
    fate judge(const std::vector<bounce_device> &devices, const bounce_event &event);
    bool keep(const std::vector<bounce_device> &devices, bounce_event &event);
    bool keep_end(const std::vector<bounce_device> &devices, bounce_event &event);
    void pay(const bounce_event &begins, std::vector<bounce_event> &out);
    void put(bounce_event event, std::vector<bounce_event> &out);
    bool in_time(const bounce_event &event) const {
        return event.time_ns >= options_.from_ns &&
               (!options_.to_ns || event.time_ns < *options_.to_ns);
    }

    cut_options options_;
    cut_counts counts_;
    std::vector<mapping> live_;        // by handle
    std::vector<signed char> devices_; // by index: -1 not known yet, 0 no, 1 yes
    std::set<std::string> seen_;
    std::unordered_map<std::uint32_t, bounce_event> owed_; // ends left out, by handle
    std::uint64_t newest_ns_ = 0;                          // of what was kept
    std::uint64_t unmatched_in_ = 0; // unmatched unmaps that were in the trace already
};

} // namespace bouncesim
