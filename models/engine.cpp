// SPDX-License-Identifier: Apache-2.0
#include "models/engine.hpp"

#include "in_context.hpp"
#include "platform.hpp"

#include <cstdlib>
#include <string>

namespace bouncesim::models {
namespace {

// SystemC's main() prints a banner unless this is set; static objects are made before it runs.
[[maybe_unused]] const int quiet = ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);

} // namespace

struct engine::state {
    sc_core::sc_simcontext context;
    std::unique_ptr<platform> machine;
    bool ran = false;
};

engine::engine(const std::function<std::unique_ptr<platform>()> &make)
    : state_(std::make_unique<state>()) {
    in_context here(&state_->context);
    try {
        state_->machine = make();
    } catch (const sc_core::sc_report &report) {
        throw engine_error(report.what());
    }
}

engine::~engine() {
    in_context here(&state_->context);
    state_->machine.reset();
}

void engine::run(const event_source &next, stop_function *stop) {
    if (state_->ran)
        throw engine_error("an engine runs once");
    state_->ran = true;
    in_context here(&state_->context);
    try {
        state_->machine->run(next, stop);
    } catch (const sc_core::sc_report &report) {
        throw engine_error(report.what());
    }
}

const bounce_swiotlb *engine::pool() const {
    return bounce_replay_mem(state_->machine->replay());
}

bounce_stats engine::stats() const {
    bounce_stats stats;
    bounce_replay_stats(state_->machine->replay(), &stats);
    return stats;
}

timing_stats engine::timing() const {
    return state_->machine->timing();
}

path_stats engine::path() const {
    return state_->machine->path();
}

const platform &engine::machine() const {
    return *state_->machine;
}

void check_cpus(uint32_t cpus) {
    if (cpus < 1 || cpus > BOUNCE_MAX_CPUS)
        throw engine_config_error(std::to_string(cpus) + " CPUs; 1 to " +
                                  std::to_string(BOUNCE_MAX_CPUS) + " are modelled");
}

} // namespace bouncesim::models
