// SPDX-License-Identifier: Apache-2.0
#include "models/request_engine.hpp"

#include "request_platform.hpp"

namespace bouncesim::models {
namespace {

std::unique_ptr<platform> make(const request_config &config, const bounce_replay_hooks *hooks) {
    check_cpus(config.cpus);
    if (!config.model)
        throw engine_config_error("no device models");
    if (config.arrivals == arrival_mode::closed && !config.depth)
        throw engine_config_error("a depth of 0: no request would ever come");
    if (!(config.time_scale > 0) || config.time_scale > 1e6)
        throw engine_config_error("a time scale above 0 and up to 1000000 was expected");
    return std::make_unique<request_platform>("platform", config, hooks);
}

} // namespace

request_engine::request_engine(const request_config &config, const bounce_replay_hooks *hooks)
    : engine([&] { return make(config, hooks); }) {}

request_stats request_engine::requests() const {
    return static_cast<const request_platform &>(machine()).requests();
}

} // namespace bouncesim::models
