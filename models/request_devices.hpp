// SPDX-License-Identifier: Apache-2.0
// The devices of a request platform. Each works on as many requests at a time as its model says,
// moves their bytes over a link of its own, and interrupts a CPU when it is done.
#pragma once

#include "dma_extension.hpp"
#include "dma_port.hpp"
#include "random.hpp"
#include "request_context.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_initiator_socket.h>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class request_devices : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<request_devices> doorbell;
    tlm_utils::simple_initiator_socket<request_devices> bus;
    tlm_utils::multi_passthrough_initiator_socket<request_devices> interrupts; // CPU n: socket n

    request_devices(const sc_core::sc_module_name &name, request_context &context,
                    const costs &timing);
    SC_HAS_PROCESS(request_devices);

    // Checked runs: transfers carry bytes. To be set before the first doorbell.
    void set_check(data_check *check) {
        port_.set_check(check);
    }

    uint64_t transfers() const {
        return transfers_;
    }
    double busy_ps() const {
        return busy_ps_;
    }

  private:
    struct due {
        uint64_t time_ps;
        uint64_t order;
        uint32_t index;
        bool operator<(const due &other) const { // for a heap with the earliest on top
            return time_ps != other.time_ps ? time_ps > other.time_ps : order > other.order;
        }
    };
    struct device_state {
        uint64_t link_free_ps = 0;
        std::vector<uint64_t> channels; // heap of the times at which those at work end
    };

    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void start(uint32_t index, uint64_t time_ps);
    void receive(uint32_t index, uint64_t time_ps);
    uint64_t move(uint32_t index, uint64_t time_ps);
    uint64_t transfer(uint32_t index, uint32_t device, bool read, uint64_t start_ps);
    uint64_t serve(uint32_t device, uint64_t bytes, bool write, uint64_t time_ps);
    void done_at(uint32_t index, uint64_t time_ps);
    void on_due();
    device_state &state(uint32_t device);

    request_context &context_;
    const costs &timing_;
    activity *watch_;
    dma_port port_;
    tlm::tlm_generic_payload interrupt_;
    sc_core::sc_event due_event_;
    std::vector<due> due_; // heap
    uint64_t order_ = 0;
    std::vector<device_state> states_;
    random_numbers random_;
    uint64_t transfers_ = 0;
    double busy_ps_ = 0;
};

} // namespace bouncesim::models
