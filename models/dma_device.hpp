// SPDX-License-Identifier: Apache-2.0
// The devices of the trace. Each has a link of its own, on which its transfers follow each other.
#pragma once

#include "dma_extension.hpp"
#include "dma_port.hpp"
#include "models/activity.hpp"
#include "models/costs.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class dma_device : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<dma_device> doorbell;
    tlm_utils::simple_initiator_socket<dma_device> bus;

    dma_device(const sc_core::sc_module_name &name, const costs &timing, activity *watch = nullptr);

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
    uint64_t last_done_ps() const {
        return last_done_ps_;
    }

  private:
    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    uint64_t transfer(const dma_extension &told, uint64_t offset, uint64_t size, bool read,
                      uint64_t start_ps);

    // When a device may begin its next read, and that it has begun one that ends at `done_ps`.
    uint64_t read_place(uint32_t device, uint64_t begin_ps);
    void read_begun(uint32_t device, uint64_t done_ps);

    const costs &timing_;
    activity *watch_;
    dma_port port_;
    std::vector<uint64_t> link_free_at_ps_;         // by device
    std::vector<std::vector<uint64_t>> reading_ps_; // by device: ends of its reads, heaps
    uint64_t transfers_ = 0;
    double busy_ps_ = 0;
    uint64_t last_done_ps_ = 0;
};

} // namespace bouncesim::models
