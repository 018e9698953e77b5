// SPDX-License-Identifier: Apache-2.0
// `--engine systemc`: replays mapping events through SystemC models of CPUs, a DMA device, memory
// and the bounce service. No SystemC type shows here.
#pragma once

#include "models/activity.hpp"
#include "models/costs.hpp"
#include "models/engine.hpp"

#include <cstdint>

namespace bouncesim::models {

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

class mapping_engine : public engine {
  public:
    // engine_config_error: a pool that bounce_replay_create() refuses, or no CPU.
    explicit mapping_engine(const engine_config &config,
                            const bounce_replay_hooks *hooks = nullptr);
};

} // namespace bouncesim::models
