// SPDX-License-Identifier: Apache-2.0
// Stands between devices and what they reach, and lets no transfer through that is outside its
// device's mask, its segment boundary or the mapping that the device believes to use.
#pragma once

#include "dma_extension.hpp"

#include "bounce/device.h"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class dma_checker : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<dma_checker> devices;
    tlm_utils::simple_initiator_socket<dma_checker> out;

    explicit dma_checker(const sc_core::sc_module_name &name);

    // A mapping that a device may use from now on, at the addresses that the device uses; the
    // number is for dma_extension::mapping and never comes again. Amortised O(1).
    uint64_t open(const bounce_device &limits, uint32_t device, uint64_t dma_addr, uint64_t size,
                  uint8_t dir);
    // It is over: whoever still names it is caught. 0 is ignored.
    void close(uint64_t mapping);

    const fault_stats &faults() const {
        return faults_;
    }

  private:
    struct entry {
        uint64_t mask;
        uint64_t boundary;
        uint64_t begin;
        uint64_t size;
        uint32_t device;
        uint32_t serial; // 0: nothing is here
        uint8_t dir;
    };

    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    dma_fault look(const dma_extension &ext, uint64_t address, uint64_t bytes) const;

    std::vector<entry> entries_;
    std::vector<uint32_t> free_;
    uint32_t serial_ = 0;
    fault_stats faults_;
};

} // namespace bouncesim::models
