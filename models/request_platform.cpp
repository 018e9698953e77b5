// SPDX-License-Identifier: Apache-2.0
#include "request_platform.hpp"

#include <algorithm>

namespace bouncesim::models {

request_platform::request_platform(const sc_core::sc_module_name &name,
                                   const request_config &config, const bounce_replay_hooks *hooks)
    : sc_module(name), config_(config), path_(config_.path, config_.replay, config_.timing),
      context_(config_), memory_("memory", config_.timing),
      service_("bounce", config_.timing, config_.replay, hooks, config_.watch),
      devices_("devices", context_, config_.timing), issuer_("issuer", context_, service_) {
    service_.memory.bind(memory_.socket);
    path_.bind(memory_);
    devices_.bus.bind(path_.entry());
    devices_.set_check(path_.data());
    context_.encryption = path_.encryption();
    if (path_.any())
        service_.set_path(&path_);
    for (uint32_t n = 0; n < config_.cpus; n++) {
        cpus_.push_back(
            std::make_unique<request_cpu>(("cpu" + std::to_string(n)).c_str(), context_, n));
        request_cpu &made = *cpus_.back();
        peers_.push_back(&made);
        made.set_peers(peers_);
        issuer_.cpus.bind(made.work);
        devices_.interrupts.bind(made.interrupts);
        made.bounce.bind(service_.calls);
        made.devices.bind(devices_.doorbell);
    }
}

void request_platform::run(const event_source &events, stop_function *stop) {
    context_.measured.stop = stop;
    request_source source(
        events, [this](uint16_t device) { return context_.device(device).model.tries_inline; },
        config_.tells_requeues);
    issuer_.set_source(&source);
    sc_core::sc_start();
    if (context_.measured.failure) {
        try {
            std::rethrow_exception(context_.measured.failure);
        } catch (const engine_stalled &) {
            throw engine_stalled(standstill());
        }
    }
    if (!context_.all_given || context_.held || context_.started || context_.under_way)
        throw engine_stalled(standstill());
}

namespace {

std::string counted(uint64_t count, const char *what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

} // namespace

// What waits, for people.
std::string request_platform::standstill() const {
    bounce_stats pool;
    bounce_replay_stats(service_.replay(), &pool);
    std::string text = "no progress since " + std::to_string(context_.progress_ps / 1000000) +
                       " us of simulated time; " + counted(context_.held, "request") +
                       " waiting for room, " + std::to_string(context_.started) +
                       " with devices\n  pool: " + std::to_string(pool.swiotlb_used) + " of " +
                       std::to_string(pool.swiotlb_nslabs) + " slots in use";
    // Beside what CPUs are just at, who has slots?
    bool posted = std::any_of(context_.devices.begin(), context_.devices.end(),
                              [](const driven_device &device) { return !device.posted.empty(); });
    uint64_t held = posted ? pool.swiotlb_used : pool.events_held_maps;
    uint32_t lines = 0;
    for (std::size_t d = 0; d < context_.devices.size(); d++) {
        const driven_device &device = context_.devices[d];
        for (std::size_t q = 0; q < device.queues.size(); q++) {
            const hardware_queue &queue = device.queues[q];
            if ((queue.held.empty() && !queue.started && queue.waiting.empty()) || lines++ >= 20)
                continue;
            text += "\n  device " + service_.device_name(d) + " (" + device.model.name +
                    ") queue " + std::to_string(q) + ": " + std::to_string(queue.started) +
                    " started, " + std::to_string(queue.held.size()) + " wait for room, " +
                    std::to_string(queue.waiting.size()) + " for a place";
            if (queue.held.empty())
                continue;
            const request &oldest = context_.requests[queue.held.front()];
            text += "; the oldest: " + std::to_string(oldest.size) + " bytes in " +
                    counted(oldest.pieces, "piece") + " since " +
                    std::to_string(oldest.held_since_ps / 1000000) + " us";
            if (context_.started)
                continue;
            if (!pool.swiotlb_nslabs) {
                text += "; there is no pool";
                continue;
            }
            // Each piece may begin and end within a slot.
            uint64_t slots = oldest.size / device.model.slot_bytes + 2 * uint64_t{oldest.pieces};
            text +=
                posted ? "; beside it only receive rings are mapped" : "; nothing else is mapped";
            text += slots > pool.swiotlb_nslabs - std::min<uint64_t>(held, pool.swiotlb_nslabs)
                        ? ": it needs a larger pool"
                        : ", and the slots are there: masks or seg_boundary of the device, or the "
                          "size of slot sets and areas, leave no place";
        }
    }
    if (lines > 20)
        text += "\n  and " + counted(lines - 20, "queue") + " more";
    return text;
}

timing_stats request_platform::timing() const {
    const monitor &measured = context_.measured;
    timing_stats t;
    uint64_t end_ps = context_.last_ps;
    for (const std::unique_ptr<request_cpu> &each : cpus_) {
        t.cpu_busy_ns += ns_of_ps(each->busy_ps());
        t.cpu_busy_max_ns = std::max(t.cpu_busy_max_ns, ns_of_ps(each->busy_ps()));
    }
    t.simulated_ns = ns_of_ps(end_ps);
    t.dma_ns = ns_of_ps(devices_.busy_ps());
    t.dma_transfers = devices_.transfers();
    measured.report(t);
    service_.report(t);
    return t;
}

request_stats request_platform::requests() const {
    request_stats counts = context_.counts;
    counts.latency_mean_ns = ns_of_ps(context_.latency_ps.mean());
    counts.latency_p50_ns = ns_of_ps(context_.latency_ps.percentile(500));
    counts.latency_p90_ns = ns_of_ps(context_.latency_ps.percentile(900));
    counts.latency_p99_ns = ns_of_ps(context_.latency_ps.percentile(990));
    counts.latency_max_ns = ns_of_ps(context_.latency_ps.max());
    return counts;
}

} // namespace bouncesim::models
