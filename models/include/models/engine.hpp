// SPDX-License-Identifier: Apache-2.0
// What the timed engines have in common: a SystemC kernel of their own with one machine in it, that
// events are played on once. No SystemC type shows here.
#pragma once

#include "models/path_config.hpp"
#include "models/timing_stats.hpp"

#include "bounce/replay.h"

#include <cstddef>
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
// Asked every now and then; true ends the run with an engine_error.
using stop_function = bool();

class platform;

// One simulation. Several may exist, one after the other or side by side, all of them in one and
// the same thread: SystemC has global state.
//
// Hooks are called in the order in which the pool is reached, which with zero costs is the trace's.
// They see events as recorded but for time_ns, which is the simulated time. What hooks and the
// source throw comes out of run().
class engine {
  public:
    engine(const engine &) = delete;
    engine &operator=(const engine &) = delete;
    virtual ~engine();

    // Plays everything that `next` gives, once.
    void run(const event_source &next, stop_function *stop = nullptr);

    const bounce_swiotlb *pool() const;
    bounce_stats stats() const;
    timing_stats timing() const;
    path_stats path() const;

  protected:
    // `make` is called within the engine's SystemC kernel.
    explicit engine(const std::function<std::unique_ptr<platform>()> &make);

    const platform &machine() const;

  private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace bouncesim::models
