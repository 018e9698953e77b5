// SPDX-License-Identifier: Apache-2.0
// A machine that an engine plays events on.
#pragma once

#include "models/engine.hpp"

namespace bouncesim::models {

class platform {
  public:
    platform() = default;
    platform(const platform &) = delete;
    platform &operator=(const platform &) = delete;
    virtual ~platform() = default;

    // Runs SystemC until the events have ended and all that they began is done.
    virtual void run(const event_source &events, stop_function *stop) = 0;

    virtual const bounce_replay *replay() const = 0;
    virtual timing_stats timing() const = 0;
    virtual path_stats path() const = 0;
};

// Throws engine_config_error: no CPU, or more than are modelled.
void check_cpus(uint32_t cpus);

} // namespace bouncesim::models
