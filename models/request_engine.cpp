// SPDX-License-Identifier: Apache-2.0
#include "models/request_engine.hpp"

#include "in_context.hpp"
#include "request_platform.hpp"

namespace bouncesim::models {
namespace {

void check(const request_config &config) {
    if (config.cpus < 1 || config.cpus > BOUNCE_MAX_CPUS)
        throw engine_config_error(std::to_string(config.cpus) + " CPUs; 1 to " +
                                  std::to_string(BOUNCE_MAX_CPUS) + " are modelled");
    if (!config.model)
        throw engine_config_error("no device models");
    if (config.arrivals == arrival_mode::closed && !config.depth)
        throw engine_config_error("a depth of 0: no request would ever come");
    if (!(config.time_scale > 0) || config.time_scale > 1e6)
        throw engine_config_error("a time scale above 0 and up to 1000000 was expected");
}

} // namespace

struct request_engine::state {
    sc_core::sc_simcontext context;
    std::unique_ptr<request_platform> platform;
    bool ran = false;
};

request_engine::request_engine(const request_config &config, const bounce_replay_hooks *hooks) {
    check(config);
    state_ = std::make_unique<state>();
    in_context here(&state_->context);
    try {
        state_->platform = std::make_unique<request_platform>("platform", config, hooks);
    } catch (const sc_core::sc_report &report) {
        throw engine_error(report.what());
    }
}

request_engine::~request_engine() {
    in_context here(&state_->context);
    state_->platform.reset();
}

void request_engine::run(const event_source &next) {
    if (state_->ran)
        throw engine_error("an engine runs once");
    state_->ran = true;
    in_context here(&state_->context);
    try {
        state_->platform->run(next);
    } catch (const sc_core::sc_report &report) {
        throw engine_error(report.what());
    }
}

const bounce_swiotlb *request_engine::pool() const {
    return bounce_replay_mem(state_->platform->replay());
}

bounce_stats request_engine::stats() const {
    bounce_stats stats;
    bounce_replay_stats(state_->platform->replay(), &stats);
    return stats;
}

timing_stats request_engine::timing() const {
    return state_->platform->timing();
}

path_stats request_engine::path() const {
    return state_->platform->path();
}

request_stats request_engine::requests() const {
    return state_->platform->requests();
}

} // namespace bouncesim::models
