// SPDX-License-Identifier: Apache-2.0
// The machine that mapping-level traces are played on:
//
//   trace_player -> cpu[n] -> bounce_service -> memory
//                       \---> dma_device ------/
//
// In checked runs dma_device reaches memory through a dma_checker.
#pragma once

#include "bounce_service.hpp"
#include "cpu.hpp"
#include "data_check.hpp"
#include "dma_checker.hpp"
#include "dma_device.hpp"
#include "memory.hpp"
#include "models/mapping_engine.hpp"
#include "trace_player.hpp"

#include <systemc>

#include <memory>
#include <vector>

namespace bouncesim::models {

class mapping_platform : public sc_core::sc_module {
  public:
    mapping_platform(const sc_core::sc_module_name &name, const engine_config &config,
                     const bounce_replay_hooks *hooks);

    // Runs SystemC until the trace is played and all is done.
    void run(const event_source &source);

    const bounce_replay *replay() const {
        return service_.replay();
    }
    timing_stats timing() const;
    check_stats check() const;

  private:
    // What a checked run has more.
    struct checks {
        sparse_memory bytes;
        data_check data;
        dma_checker transfers;
        mapping_check events;

        explicit checks(const engine_config &config)
            : data(bytes, config.fault, config.fault_nth), transfers("checker"),
              events(data, transfers, config.replay.allocator_calls) {}
    };

    costs timing_;
    cpu_context context_;
    memory memory_;
    bounce_service service_;
    dma_device devices_;
    trace_player player_;
    std::unique_ptr<checks> checks_;
    std::vector<std::unique_ptr<cpu>> cpus_;
};

} // namespace bouncesim::models
