// SPDX-License-Identifier: Apache-2.0
// A CPU that maps, unmaps and syncs: one operation after the other, in the order in which they
// come, but for those that have to wait for a device or for another CPU.
#pragma once

#include "dma_extension.hpp"
#include "mapping_table.hpp"
#include "models/activity.hpp"
#include "monitor.hpp"
#include "operation.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class cpu;

// What the CPUs share.
struct cpu_context {
    operation_pool operations;
    mapping_table mappings;
    monitor measured;
    std::vector<cpu *> cpus;
    activity *watch;

    cpu_context(uint32_t max_pending, activity *watched)
        : operations(max_pending), watch(watched) {}
};

class cpu : public sc_core::sc_module {
  public:
    tlm_utils::simple_target_socket<cpu> work;       // an operation to do: see trace_player
    tlm_utils::simple_initiator_socket<cpu> bounce;  // to the bounce service
    tlm_utils::simple_initiator_socket<cpu> devices; // doorbells

    cpu(const sc_core::sc_module_name &name, cpu_context &context);
    SC_HAS_PROCESS(cpu);

    // The operation's turn has come on its mapping; it is to begin at `time_ps` at the earliest.
    void resume(uint32_t index, uint64_t time_ps);

    double busy_ps() const {
        return busy_ps_;
    }
    uint64_t busy_until_ps() const {
        return busy_until_ps_;
    }

  private:
    // An operation that may begin at a known time; equal times in the order in which they came.
    struct due {
        uint64_t time_ps;
        uint64_t order;
        uint32_t index;
        bool operator<(const due &other) const { // for a heap with the earliest on top
            return time_ps != other.time_ps ? time_ps > other.time_ps : order > other.order;
        }
    };

    void b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void on_wake();
    void advance(uint64_t time_ps);
    void begin_or_wait(uint32_t index, uint64_t time_ps);
    void begin(uint32_t index, uint64_t time_ps);
    void apply(uint32_t index, uint64_t begun_ps, uint64_t time_ps);
    void report(const operation &op, uint64_t begun_ps, uint64_t end_ps);
    uint64_t call_service(dma_request request, const operation &op, uint64_t time_ps);
    uint64_t ring_doorbell(const operation &op, uint64_t time_ps);
    void wait_until(uint32_t index, uint64_t time_ps);
    void wake_at(uint64_t time_ps);

    cpu_context &context_;
    dma_transaction to_service_;
    sc_core::sc_event wake_;

    operation_queue queue_;   // in trace order
    std::vector<due> due_;    // heap: had to wait, and go before the queue when they may begin
    uint64_t waited_ = 0;     // operations that did
    bool blocked_ = false;    // a map waits: maps do not overtake each other
    uint32_t copying_ = none; // an unmap that copies back: reaches the pool at busy_until_ps_
    uint64_t copying_since_ps_ = 0;
    uint64_t busy_until_ps_ = 0;
    double busy_ps_ = 0;
};

} // namespace bouncesim::models
