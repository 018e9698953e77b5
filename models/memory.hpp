// SPDX-License-Identifier: Apache-2.0
// The machine's memory: what copies and transfers wait for beside their own time.
#pragma once

#include "models/costs.hpp"
#include "sparse_memory.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include <cstdint>

namespace bouncesim::models {

class memory : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<memory> socket;

    memory(const sc_core::sc_module_name &name, const costs &timing);

    // Where the bytes of transfers come from and go to; without, none are kept.
    void set_bytes(sparse_memory *bytes) {
        bytes_ = bytes;
    }

  private:
    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);

    const costs &timing_;
    uint64_t free_at_ps_ = 0;
    sparse_memory *bytes_ = nullptr;
};

} // namespace bouncesim::models
