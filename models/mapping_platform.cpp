// SPDX-License-Identifier: Apache-2.0
#include "mapping_platform.hpp"

#include <algorithm>
#include <string>

namespace bouncesim::models {

mapping_platform::mapping_platform(const sc_core::sc_module_name &name, const engine_config &config,
                                   const bounce_replay_hooks *hooks)
    : sc_module(name), timing_(config.timing), pool_(config.replay),
      path_(config.path, pool_, timing_), context_(config.max_pending, config.watch),
      memory_("memory", timing_), service_("bounce", timing_, pool_, hooks, config.watch),
      devices_("devices", timing_, config.watch), player_("player", context_, service_) {
    service_.memory.bind(memory_.socket);
    path_.bind(memory_);
    devices_.bus.bind(path_.entry());
    devices_.set_check(path_.data());
    if (path_.any())
        service_.set_path(&path_);
    for (uint32_t n = 0; n < config.cpus; n++) {
        cpus_.push_back(std::make_unique<cpu>(("cpu" + std::to_string(n)).c_str(), context_));
        cpu &made = *cpus_.back();
        context_.cpus.push_back(&made);
        player_.cpus.bind(made.work);
        made.bounce.bind(service_.calls);
        made.devices.bind(devices_.doorbell);
    }
}

void mapping_platform::run(const event_source &events, stop_function *stop) {
    context_.measured.stop = stop;
    player_.set_source(&events);
    sc_core::sc_start();
    if (context_.measured.failure)
        std::rethrow_exception(context_.measured.failure);
    if (!player_.done() || context_.operations.live())
        throw engine_error("the models stand still before the end of the trace");
}

timing_stats mapping_platform::timing() const {
    const monitor &measured = context_.measured;
    timing_stats t;
    uint64_t end_ps = std::max(player_.last_ps(), devices_.last_done_ps());

    for (const std::unique_ptr<cpu> &each : cpus_) {
        end_ps = std::max(end_ps, each->busy_until_ps());
        t.cpu_busy_ns += ns_of_ps(each->busy_ps());
        t.cpu_busy_max_ns = std::max(t.cpu_busy_max_ns, ns_of_ps(each->busy_ps()));
    }
    t.simulated_ns = ns_of_ps(end_ps);
    t.dma_ns = ns_of_ps(devices_.busy_ps());
    t.dma_transfers = devices_.transfers();
    t.dma_wait_ns = ns_of_ps(measured.dma_wait_ps);
    t.dma_waits = measured.dma_waits;
    t.lag_max_ns = ns_of_ps(measured.lag_max_ps);
    measured.report(t);
    service_.report(t);
    return t;
}

} // namespace bouncesim::models
