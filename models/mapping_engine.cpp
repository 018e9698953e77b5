// SPDX-License-Identifier: Apache-2.0
#include "models/mapping_engine.hpp"

#include "mapping_platform.hpp"

namespace bouncesim::models {
namespace {

std::unique_ptr<platform> make(const engine_config &config, const bounce_replay_hooks *hooks) {
    check_cpus(config.cpus);
    if (!config.max_pending)
        throw engine_config_error("no operation may be pending; at least 1 has to");
    return std::make_unique<mapping_platform>("platform", config, hooks);
}

} // namespace

mapping_engine::mapping_engine(const engine_config &config, const bounce_replay_hooks *hooks)
    : engine([&] { return make(config, hooks); }) {}

} // namespace bouncesim::models
