// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include "dma_extension.hpp"

#include <algorithm>

namespace bouncesim::models {

memory::memory(const sc_core::sc_module_name &name, const costs &timing)
    : sc_module(name), socket("socket"), timing_(timing) {
    socket.register_b_transport(this, &memory::b_transport);
}

void memory::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    uint64_t more = timing_.memory_ps;
    if (timing_.memory_ps_per_kib) {
        uint64_t arrival = now_ps() + delay.value();
        uint64_t begin = std::max(arrival, free_at_ps_);
        free_at_ps_ = begin + payload.get_data_length() * timing_.memory_ps_per_kib / 1024;
        more += begin - arrival;
    }
    if (more)
        delay += sc_core::sc_time::from_value(more);
    if (bytes_ && payload.get_data_ptr()) {
        const dma_extension &ext = *payload.get_extension<dma_extension>();
        if (payload.is_read())
            bytes_->read(ext.space, payload.get_address(), payload.get_data_ptr(), ext.data_bytes);
        else if (payload.is_write())
            bytes_->write(ext.space, payload.get_address(), payload.get_data_ptr(), ext.data_bytes);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

} // namespace bouncesim::models
