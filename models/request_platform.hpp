// SPDX-License-Identifier: Apache-2.0
// The machine that traces of requests are played on:
//
//   request_source -> request_issuer -> request_cpu[n] -> bounce_service -> memory
//                                           |    ^                            ^
//                                           v    | interrupts                 |
//                                         request_devices --------------------/
//
// Between request_devices and memory stands what dma_path is asked for.
#pragma once

#include "bounce_service.hpp"
#include "dma_path.hpp"
#include "memory.hpp"
#include "platform.hpp"
#include "request_context.hpp"
#include "request_cpu.hpp"
#include "request_devices.hpp"
#include "request_issuer.hpp"

#include <systemc>

#include <memory>
#include <string>
#include <vector>

namespace bouncesim::models {

class request_platform : public sc_core::sc_module, public platform {
  public:
    request_platform(const sc_core::sc_module_name &name, const request_config &config,
                     const bounce_replay_hooks *hooks);

    void run(const event_source &events, stop_function *stop) override;

    const bounce_replay *replay() const override {
        return service_.replay();
    }
    timing_stats timing() const override;
    request_stats requests() const;
    path_stats path() const override {
        return path_.stats();
    }

  private:
    std::string standstill() const;

    request_config config_;
    dma_path path_; // may change the pool and the costs above
    request_context context_;
    memory memory_;
    bounce_service service_;
    request_devices devices_;
    request_issuer issuer_;
    std::vector<std::unique_ptr<request_cpu>> cpus_;
    std::vector<request_cpu *> peers_;
};

} // namespace bouncesim::models
