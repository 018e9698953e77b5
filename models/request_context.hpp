// SPDX-License-Identifier: Apache-2.0
// What the modules of a request platform share: requests, drivers' queues, buffers, counts.
#pragma once

#include "encrypted_memory.hpp"
#include "histogram.hpp"
#include "models/request_engine.hpp"
#include "monitor.hpp"
#include "physical_memory.hpp"
#include "request_store.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace bouncesim::models {

// A hardware queue of a device, as its driver sees it.
struct hardware_queue {
    uint32_t taken = 0;     // places: from the first try to the end, as tags of blk-mq
    uint32_t started = 0;   // the device has them
    request_queue waiting;  // for a place in it
    request_queue held;     // for room in the pool: oldest first
    bool marked = false;    // SCHED_RESTART: what ends here runs the queue again
    bool run_asked = false; // a run of the queue is on its way
    uint64_t run_ps = 0;    // not before; what ends meanwhile puts it off
    uint64_t run_by_ps = 0; // but not beyond
    bool running = false;   // a CPU is at it
    bool again = false;     // and another has asked meanwhile
};

struct driven_device {
    device_model model;
    std::vector<hardware_queue> queues;
    uint64_t completed = 0;        // requests of the trace that have ended
    std::deque<uint64_t> ended_ps; // when the last of them did, as far as somebody may ask
    uint32_t held = 0;             // requests that wait for room
    uint64_t last_end_ps = 0;      // when a request ended last
    uint32_t under_way = 0;        // arrived and not ended
    // Receive ring:
    request_queue posted; // oldest first
    uint32_t missing = 0; // buffers that are to be posted and that no CPU is at
    request_queue early;  // came before the ring was filled for the first time
    bool ring_begun = false;
    bool ring_open = false;
    bool refill_asked = false; // a timer will post them
};

struct request_context {
    explicit request_context(const request_config &wanted)
        : config(wanted), memory({wanted.memory_bytes, wanted.low_memory_bytes,
                                  wanted.scattered_percent, wanted.seed}) {}

    driven_device &device(uint32_t index) {
        while (index >= devices.size()) {
            driven_device made;
            made.model = config.model(static_cast<uint32_t>(devices.size()));
            made.model.slot_bytes = bounce_config_slot_size(&config.replay.pool);
            made.model.set_bytes =
                made.model.slot_bytes * bounce_config_segment_slots(&config.replay.pool);
            made.queues.resize(made.model.queues ? made.model.queues : config.cpus);
            devices.push_back(std::move(made));
        }
        return devices[index];
    }
    hardware_queue &queue_of(const request &r) {
        driven_device &owner = devices[r.device];
        return owner.queues[r.cpu % owner.queues.size()];
    }

    const request_config &config;
    request_store requests;
    piece_store pieces;
    physical_memory memory;
    std::vector<driven_device> devices;
    monitor measured;
    request_stats counts;
    histogram latency_ps;
    uint32_t held = 0;                      // requests that wait for room
    uint32_t started = 0;                   // that devices have
    uint32_t under_way = 0;                 // arrived and not ended; no buffers of receive rings
    uint64_t progress_ps = 0;               // when a request was last given to a device, or ended
    uint64_t last_ps = 0;                   // latest time that anything ended
    uint64_t next_mapping = 0;              // id
    bool all_given = false;                 // no request comes any more
    encrypted_memory *encryption = nullptr; // of a confidential guest: its exits
    // Called when a request of the trace has ended, whatever became of it, or waits for room.
    void (*moved)(void *issuer, uint32_t device, uint64_t time_ps) = nullptr;
    void *issuer = nullptr;
};

} // namespace bouncesim::models
