// SPDX-License-Identifier: Apache-2.0
// Gives requests to their CPUs: at the recorded times, at a fixed depth, or as completions allow.
// The only module that knows where requests come from; they come from a request_source.
#pragma once

#include "arrival_lines.hpp"
#include "bounce_service.hpp"
#include "request_context.hpp"
#include "request_source.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_initiator_socket.h>

#include <cstdint>
#include <vector>

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
    // The first of a line, which comes at a known time.
    struct line_head {
        uint64_t time_ps;
        uint64_t number;
        uint32_t device;
        bool operator<(const line_head &other) const { // for a heap with the earliest on top
            return time_ps != other.time_ps ? time_ps > other.time_ps : number > other.number;
        }
    };

    void issue();
    void issue_all();
    bool peek();
    bool read_on(uint64_t &time_ps);
    bool line_up(uint32_t device);
    bool may_come(const arrival &request, uint64_t &time_ps);
    uint64_t nth_end(driven_device &device, uint64_t count);
    void submit(const arrival &from, uint64_t &left, uint64_t time_ps);
    void hold_slots();
    uint64_t scaled(uint64_t time_ns) const;
    static void moved(void *self, uint32_t device, uint64_t time_ps);

    request_context &context_;
    bounce_service &service_;
    request_source *source_ = nullptr;
    arrival next_ = {};
    uint64_t left_ = 0; // bytes of a request that is cut
    bool has_next_ = false;
    bool stopped_ = false; // does not read on before a request has ended
    bool source_ended_ = false;
    bool slots_held_ = false;
    uint64_t last_ps_ = 0; // of what was given out last
    arrival_lines lines_;
    std::vector<line_head> ready_; // heap
    sc_core::sc_event again_;
    dma_transaction to_service_;
    tlm::tlm_generic_payload payload_;
};

} // namespace bouncesim::models
