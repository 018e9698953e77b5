// SPDX-License-Identifier: Apache-2.0
// Gives every event to its CPU at the time recorded, in the order recorded.
#pragma once

#include "bounce_service.hpp"
#include "cpu.hpp"
#include "models/engine.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_initiator_socket.h>

#include <cstdint>

namespace bouncesim::models {

class trace_player : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_initiator_socket<trace_player> cpus;

    trace_player(const sc_core::sc_module_name &name, cpu_context &context,
                 bounce_service &service);
    SC_HAS_PROCESS(trace_player);

    // To be set before the simulation starts.
    void set_source(const event_source *source) {
        source_ = source;
    }
    bool done() const {
        return done_;
    }
    // Time of the last event submitted.
    uint64_t last_ps() const {
        return last_ps_;
    }

  private:
    void play();
    void submit_until_others_act();
    bool next_event();
    void submit(const bounce_event &event, uint64_t recorded_ps, uint64_t time_ps);

    cpu_context &context_;
    bounce_service &service_;
    const event_source *source_ = nullptr;
    event_batch batch_;
    std::size_t position_ = 0;
    uint64_t last_ps_ = 0;
    bool done_ = false;
    bool restarting_ = false; // the last event was a restart
    tlm::tlm_generic_payload payload_;
};

} // namespace bouncesim::models
