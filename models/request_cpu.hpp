// SPDX-License-Identifier: Apache-2.0
// A CPU of a request platform: maps and submits what arrives, runs drivers' queues again, ends what
// devices have done. Interrupts go first, then workers, then new requests; each mapping is a step,
// and between steps of one CPU others reach the pool.
#pragma once

#include "dma_extension.hpp"
#include "models/activity.hpp"
#include "request_context.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class request_cpu : public sc_core::sc_module {
  public:
    tlm_utils::simple_target_socket<request_cpu> work;       // a request arrives: see the issuer
    tlm_utils::simple_target_socket<request_cpu> interrupts; // a device is done with one
    tlm_utils::simple_initiator_socket<request_cpu> bounce;  // to the bounce service
    tlm_utils::simple_initiator_socket<request_cpu> devices; // doorbells

    request_cpu(const sc_core::sc_module_name &name, request_context &context, uint32_t number);
    SC_HAS_PROCESS(request_cpu);

    // Others that may take a request up again; `cpus` lives as long as this.
    void set_peers(const std::vector<request_cpu *> &cpus) {
        peers_ = &cpus;
    }
    // A request that waited for a place in its hardware queue.
    void resubmit(uint32_t index, uint64_t time_ps);

    double busy_ps() const {
        return busy_ps_;
    }
    uint64_t busy_until_ps() const {
        return busy_until_ps_;
    }

  private:
    enum class task : uint8_t { idle, map, undo, unmap_copy, unmap, refill };
    enum class later : uint8_t { run_queue, refill };
    // Something that a worker or a timer will do.
    struct deferred {
        uint64_t time_ps;
        uint64_t order;
        uint32_t device;
        uint32_t queue;
        later what;
        bool operator<(const deferred &other) const { // for a heap with the earliest on top
            return time_ps != other.time_ps ? time_ps > other.time_ps : order > other.order;
        }
    };

    void b_arrive(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void b_interrupt(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void on_wake();
    void wake_at(uint64_t time_ps);
    void advance(uint64_t time_ps);
    bool begin(uint64_t time_ps);
    uint64_t step(uint64_t time_ps);

    void begin_request(uint32_t index, uint64_t time_ps);
    void begin_tries(uint32_t index, bool from_queue, uint64_t time_ps);
    void begin_end(uint32_t index, uint64_t time_ps);
    void finish(uint32_t index, uint64_t time_ps);
    void begin_run(uint32_t device, uint32_t number, uint64_t time_ps);
    void run_now(uint32_t device, uint32_t number, uint64_t time_ps);
    void ask_run(hardware_queue &queue, uint32_t device, uint32_t number, uint64_t time_ps);
    void open_ring(driven_device &device, uint64_t time_ps);
    void begin_refill(uint32_t device, uint64_t time_ps);
    void refill_later(uint32_t device, uint64_t time_ps);
    // The piece is mapped from here on if there was room.
    uint64_t apply_map(const request &r, piece &p, uint64_t time_ps);
    uint64_t map_piece(uint64_t time_ps);
    uint64_t undo_piece(uint64_t time_ps);
    uint64_t unmap_piece(uint64_t time_ps);
    uint64_t refill_one(uint64_t time_ps);
    uint64_t mapped_all(uint64_t time_ps);
    void no_room(uint64_t time_ps);
    void hold(uint64_t time_ps);
    void end_request(uint32_t index, bool failed, uint64_t time_ps);
    void end_buffer(uint32_t index, uint64_t time_ps);
    void give_place(hardware_queue &queue, uint64_t time_ps);
    void release_place(const request &r, uint64_t time_ps);
    void defer(later what, uint32_t device, uint32_t queue, uint64_t time_ps);
    uint64_t own_work_ps(const request &r) const;
    uint64_t call_service(dma_request request, uint64_t time_ps);
    void report(cpu_call what, const piece &p, uint64_t begin_ps, uint64_t end_ps);
    void report_exit(uint64_t begin_ps, uint64_t end_ps);
    void ring(dma_request request, uint32_t index, uint64_t time_ps);
    void fill_operation(const request &r, const piece &p, uint32_t index, uint8_t kind);
    uint32_t queue_number(const request &r) const;

    request_context &context_;
    activity *watch_;
    const std::vector<request_cpu *> *peers_ = nullptr;
    uint32_t number_;
    dma_transaction to_service_;
    dma_transaction to_devices_;
    operation op_ = {};
    sc_core::sc_event wake_;

    request_queue arrived_;
    request_queue done_;
    std::vector<deferred> deferred_; // heap
    uint64_t deferred_count_ = 0;

    // What it is at:
    task task_ = task::idle;
    uint32_t index_ = none; // request
    uint32_t piece_ = none;
    uint32_t tries_ = 0;
    bool from_queue_ = false;       // a run of the hardware queue, of which this is the oldest
    bool marked_ = false;           // and it was marked when the run began
    bool last_first_ = false;       // unmapping began with the last piece
    bool interrupted_ = false;      // by what it is about to unmap
    uint64_t handler_until_ps_ = 0; // ends that follow each other at once share an interrupt
    uint64_t since_ps_ = 0;
    uint64_t busy_until_ps_ = 0;
    double busy_ps_ = 0;
};

} // namespace bouncesim::models
