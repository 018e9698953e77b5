// SPDX-License-Identifier: Apache-2.0
// The machine that mapping-level traces are played on:
//
//   trace_player -> cpu[n] -> bounce_service -> memory
//                       \---> dma_device ------/
//
// Between dma_device and memory stands what dma_path is asked for.
#pragma once

#include "bounce_service.hpp"
#include "cpu.hpp"
#include "dma_device.hpp"
#include "dma_path.hpp"
#include "memory.hpp"
#include "models/mapping_engine.hpp"
#include "platform.hpp"
#include "trace_player.hpp"

#include <systemc>

#include <memory>
#include <vector>

namespace bouncesim::models {

class mapping_platform : public sc_core::sc_module, public platform {
  public:
    mapping_platform(const sc_core::sc_module_name &name, const engine_config &config,
                     const bounce_replay_hooks *hooks);

    void run(const event_source &events, stop_function *stop) override;

    const bounce_replay *replay() const override {
        return service_.replay();
    }
    timing_stats timing() const override;
    path_stats path() const override {
        return path_.stats();
    }

  private:
    costs timing_;
    bounce_replay_config pool_;
    dma_path path_; // may change the two above
    cpu_context context_;
    memory memory_;
    bounce_service service_;
    dma_device devices_;
    trace_player player_;
    std::vector<std::unique_ptr<cpu>> cpus_;
};

} // namespace bouncesim::models
