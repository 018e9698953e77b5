// SPDX-License-Identifier: Apache-2.0
// `--engine systemc`: replays mapping events through SystemC models of CPUs, a DMA device, memory
// and the bounce service. No SystemC type shows here.
#pragma once

#include "models/activity.hpp"
#include "models/costs.hpp"
#include "models/path_config.hpp"
#include "models/timing_stats.hpp"

#include "bounce/replay.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>

namespace bouncesim::models {

// What run() throws of its own: no memory for the pool's mappings, times beyond 53 days, an error
// that SystemC reported. Errors in a configuration are engine_config_error.
struct engine_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct engine_config_error : engine_error {
    using engine_error::engine_error;
};

struct engine_config {
    bounce_replay_config replay = {};
    costs timing;
    uint32_t cpus = 1; // 1..BOUNCE_MAX_CPUS; events of CPU n run on model CPU n % cpus
    // Operations submitted and not begun, at most; with as many the trace is held back, so that
    // memory does not follow the length of a trace that the CPUs cannot keep up with.
    uint32_t max_pending = 65536;
    path_config path;          // between devices and memory
    activity *watch = nullptr; // told of all that happens; outlives the engine
};

// The next events, and the device table that they and all earlier ones index (as
// bounce_trace_devices() gives it). Both have to stay valid until the next call. A count of 0 ends
// the trace; the table given with it, or without one the last table, serves until run() returns.
struct event_batch {
    const bounce_event *events = nullptr;
    std::size_t count = 0;
    const bounce_device *devices = nullptr;
    std::size_t device_count = 0;
};
using event_source = std::function<event_batch()>;

// One simulation. Several may exist, one after the other or side by side, all of them in one and
// the same thread: SystemC has global state.
//
// Hooks are called in the order in which the pool is reached, which with zero costs is the trace's.
// They see events as recorded but for time_ns, which is the simulated time. What hooks and the
// source throw comes out of run().
class mapping_engine {
  public:
    // engine_config_error: a pool that bounce_replay_create() refuses, or no CPU.
    explicit mapping_engine(const engine_config &config,
                            const bounce_replay_hooks *hooks = nullptr);
    mapping_engine(const mapping_engine &) = delete;
    mapping_engine &operator=(const mapping_engine &) = delete;
    ~mapping_engine();

    // Plays everything that `next` gives, once.
    void run(const event_source &next);

    const bounce_swiotlb *pool() const;
    bounce_stats stats() const;
    timing_stats timing() const;
    path_stats path() const;

  private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace bouncesim::models
