// SPDX-License-Identifier: Apache-2.0
// Gives requests to their CPUs: at the recorded times, at a fixed depth, or as completions allow.
// The only module that knows where requests come from; they come from a request_source.
#pragma once

#include "bounce_service.hpp"
#include "request_context.hpp"
#include "request_source.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_initiator_socket.h>

#include <cstdint>

namespace bouncesim::models {

class request_issuer : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_initiator_socket<request_issuer> cpus; // CPU n: socket n

    request_issuer(const sc_core::sc_module_name &name, request_context &context,
                   bounce_service &service);
    SC_HAS_PROCESS(request_issuer);

    // To be set before the simulation starts.
    void set_source(request_source *source) {
        source_ = source;
    }

  private:
    void issue();
    void issue_all();
    bool peek();
    bool may_come(uint64_t &time_ps);
    uint64_t nth_end(driven_device &device, uint64_t count);
    void submit(uint64_t time_ps);
    void hold_slots();
    uint64_t scaled(uint64_t time_ns) const;
    static void ended(void *self, uint32_t device, uint64_t time_ps);

    request_context &context_;
    bounce_service &service_;
    request_source *source_ = nullptr;
    arrival next_ = {};
    uint64_t left_ = 0; // bytes of a request that is cut
    bool has_next_ = false;
    bool blocked_ = false; // waits for a request to end
    bool slots_held_ = false;
    uint64_t last_ps_ = 0;  // of what was given out last
    uint64_t ended_ps_ = 0; // when a request ended last
    sc_core::sc_event again_;
    dma_transaction to_service_;
    tlm::tlm_generic_payload payload_;
};

} // namespace bouncesim::models
