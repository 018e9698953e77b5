// SPDX-License-Identifier: Apache-2.0
// `--engine systemc` on traces of requests: a machine of CPUs, drivers, devices and memory in which
// requests are mapped, wait, move and end, and what they meet decides when the next ones come.
// No SystemC type shows here.
#pragma once

#include "models/activity.hpp"
#include "models/costs.hpp"
#include "models/device_model.hpp"
#include "models/engine.hpp"
#include "models/request_stats.hpp"

#include <cstdint>
#include <functional>

namespace bouncesim::models {

// Nothing moves any more although requests wait: what() says which, line by line.
struct engine_stalled : engine_error {
    using engine_error::engine_error;
};

enum class arrival_mode : uint8_t {
    trace,  // after as many completions as in the trace, and as long after the last of them
    open,   // at the recorded times
    closed, // when fewer than `depth` requests of the device are under way
};

struct request_config {
    bounce_replay_config replay = {};
    costs timing;
    path_config path;          // between devices and memory
    activity *watch = nullptr; // told of all that happens; outlives the engine
    uint32_t cpus = 1;
    arrival_mode arrivals = arrival_mode::trace;
    bool recorded_service = true;     // a device takes as long as it did; else as its model says
    uint64_t service_ns = UINT64_MAX; // of every request in place of all others; or none
    uint32_t depth = 32;              // closed
    double time_scale = 1;            // recorded times are multiplied by it
    bool tells_requeues = false;      // an implied end was lost: what follows is another request
    uint32_t held_slots = 0;          // taken by others from the beginning
    uint64_t watchdog_ns = UINT64_C(10000000000);
    // Buffers: see physical_memory.hpp.
    uint64_t memory_bytes = uint64_t{4} << 30;
    uint64_t low_memory_bytes = 0;
    uint32_t scattered_percent = 20;
    uint64_t seed = 1;
    // The model of each device by its number in the trace's table; called once for each.
    std::function<device_model(uint32_t device)> model;
};

// The source gives ISSUE and COMPLETE events; its device table has to have the masks of the models
// (device_model::shape()). run() throws engine_stalled too.
class request_engine : public engine {
  public:
    explicit request_engine(const request_config &config,
                            const bounce_replay_hooks *hooks = nullptr);

    request_stats requests() const;
};

} // namespace bouncesim::models
