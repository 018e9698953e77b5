// SPDX-License-Identifier: Apache-2.0
#include "models/mapping_engine.hpp"

#include "in_context.hpp"
#include "mapping_platform.hpp"

#include <cstdlib>
#include <string>

namespace bouncesim::models {
namespace {

// SystemC's main() prints a banner unless this is set; static objects are made before it runs.
[[maybe_unused]] const int quiet = ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);

void check(const engine_config &config) {
    if (config.cpus < 1 || config.cpus > BOUNCE_MAX_CPUS)
        throw engine_config_error(std::to_string(config.cpus) + " CPUs; 1 to " +
                                  std::to_string(BOUNCE_MAX_CPUS) + " are modelled");
    if (!config.max_pending)
        throw engine_config_error("no operation may be pending; at least 1 has to");
}

} // namespace

// Every engine has a kernel of its own, so that one process can run several.
struct mapping_engine::state {
    sc_core::sc_simcontext context;
    std::unique_ptr<mapping_platform> platform;
    bool ran = false;
};

mapping_engine::mapping_engine(const engine_config &config, const bounce_replay_hooks *hooks) {
    check(config);
    state_ = std::make_unique<state>();
    in_context here(&state_->context);
    try {
        state_->platform = std::make_unique<mapping_platform>("platform", config, hooks);
    } catch (const sc_core::sc_report &report) {
        throw engine_error(report.what());
    }
}

mapping_engine::~mapping_engine() {
    in_context here(&state_->context);
    state_->platform.reset();
}

void mapping_engine::run(const event_source &next) {
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

const bounce_swiotlb *mapping_engine::pool() const {
    return bounce_replay_mem(state_->platform->replay());
}

bounce_stats mapping_engine::stats() const {
    bounce_stats stats;
    bounce_replay_stats(state_->platform->replay(), &stats);
    return stats;
}

path_stats mapping_engine::path() const {
    return state_->platform->path();
}

timing_stats mapping_engine::timing() const {
    return state_->platform->timing();
}

} // namespace bouncesim::models
