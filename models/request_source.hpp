// SPDX-License-Identifier: Apache-2.0
// From a trace's ISSUE and COMPLETE events to requests in the order of their arrival, each with
// the time that the device took when recorded. No SystemC here.
//
// A driver that finds no room leaves traces: a request that is issued again while it is live
// (virtio-blk; the first time counts as its arrival), or one that a worker of the block layer
// issues (NVMe, whose first tries are not logged; it arrived with the last that its CPU issued
// before the last completion there, and several such with the last few).
//
// Memory: requests are held until their completion was read and `horizon_ns` has passed, at most
// `window` of them. Cost: constant for each request, but for those that arrived earlier.
#pragma once

#include "models/engine.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace bouncesim::models {

struct arrival {
    static constexpr uint64_t unknown = UINT64_MAX;

    uint64_t time_ns;
    uint64_t service_ns;  // from its last issue to its completion, or unknown
    uint64_t completions; // of the device before it, as recorded
    uint64_t since_ns;    // since the last of them, or since the beginning
    uint64_t size;
    uint64_t offset;
    uint16_t device;
    uint16_t cpu;
    uint16_t done_cpu; // where it completed; as cpu when unknown
    uint16_t segments;
    uint8_t dir;
    bool restart; // not a request: another boot
};

class request_source {
  public:
    static constexpr std::size_t window = 1u << 16;
    static constexpr uint64_t horizon_ns = 50000000;

    // `hides_tries`: whether the driver of a device tries before a request counts as issued.
    // `tells_requeues`: what is issued again was not given back, its completion was lost.
    request_source(const event_source &events, std::function<bool(uint16_t device)> hides_tries,
                   bool tells_requeues = false)
        : events_(&events), hides_tries_(std::move(hides_tries)), tells_requeues_(tells_requeues) {}

    // The next request; false at the end.
    bool next(arrival &out);
    // The table that arrivals index, as far as it was read.
    const bounce_device *devices() const {
        return devices_;
    }
    std::size_t device_count() const {
        return device_count_;
    }

  private:
    struct pending {
        arrival request;
        uint64_t issued_ns; // the last time
        bool live;          // may still complete
        bool early;         // in early_
        bool given;
    };
    static constexpr uint32_t batch_end = 4;
    struct cpu_past {
        arrival batch[batch_end] = {}; // the last ones since a completion, by others than workers
        uint32_t issued = 0;           // in all since then
        arrival held[batch_end] = {};  // the same at the last completion
        uint32_t held_issued = 0;
        std::vector<uint64_t> early; // numbers of what arrived with those
    };

    bool read();
    void take(const bounce_event &event);
    void issue(const bounce_event &event);
    void complete(const bounce_event &event);
    static void end_batch(cpu_past &past);
    bool issue_again(const bounce_event &event);
    static const arrival *held_back(const cpu_past &past, uint16_t device, std::size_t back);
    void place_early(cpu_past &past, uint16_t device);
    bool ready(const pending &oldest) const;
    pending *numbered(uint64_t number);
    void give(pending &chosen, arrival &out);
    template <class T> static T &at(std::vector<T> &table, std::size_t index) {
        if (index >= table.size())
            table.resize(index + 1);
        return table[index];
    }

    const event_source *events_;
    std::function<bool(uint16_t device)> hides_tries_;
    bool tells_requeues_;
    event_batch batch_;
    std::size_t position_ = 0;
    const bounce_device *devices_ = nullptr;
    std::size_t device_count_ = 0;
    bool ended_ = false;
    uint64_t now_ns_ = 0; // of the last event read

    std::deque<pending> queue_; // in the order of the trace
    uint64_t first_ = 0;        // number of its first
    uint64_t head_ = 0;         // number of the first not yet given and not early
    std::vector<std::pair<uint64_t, uint64_t>> early_; // time and number: a heap, earliest on top
    std::vector<uint64_t> by_handle_;                  // number + 1
    uint64_t given_back_ = 0; // number + 1 of what an implied completion has just ended
    struct device_past {
        uint64_t completions = 0;
        uint64_t completed_ns = 0;
        uint64_t issued[2] = {}; // reads, writes
        uint64_t by_worker[2] = {};
    };
    static bool workers_try_again(device_past &past, bool write, bool worker);
    std::vector<device_past> done_;
    std::vector<cpu_past> past_;
};

} // namespace bouncesim::models
