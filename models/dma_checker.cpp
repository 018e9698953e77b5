// SPDX-License-Identifier: Apache-2.0
#include "dma_checker.hpp"

namespace bouncesim::models {

dma_checker::dma_checker(const sc_core::sc_module_name &name)
    : sc_module(name), devices("devices"), out("out") {
    devices.register_b_transport(this, &dma_checker::b_transport);
}

uint64_t dma_checker::open(const bounce_device &limits, uint32_t device, uint64_t dma_addr,
                           uint64_t size, uint8_t dir) {
    if (free_.empty()) {
        free_.push_back(static_cast<uint32_t>(entries_.size()));
        entries_.emplace_back();
    }
    uint32_t index = free_.back();
    free_.pop_back();
    if (!++serial_)
        serial_ = 1;
    entries_[index] = {limits.dma_mask, limits.seg_boundary, dma_addr, size, device, serial_, dir};
    return uint64_t{serial_} << 32 | index;
}

void dma_checker::close(uint64_t mapping) {
    uint32_t index = static_cast<uint32_t>(mapping);
    if (!mapping || index >= entries_.size() || entries_[index].serial != mapping >> 32)
        return;
    entries_[index].serial = 0;
    free_.push_back(index);
}

dma_fault dma_checker::look(const dma_extension &ext, uint64_t address, uint64_t bytes) const {
    uint32_t index = static_cast<uint32_t>(ext.mapping);
    uint64_t last = address + bytes - 1;
    if (!ext.mapping || index >= entries_.size() || entries_[index].serial != ext.mapping >> 32 ||
        entries_[index].device != ext.device)
        return dma_fault::unmapped;
    const entry &mapped = entries_[index];
    if (last < address || last > mapped.mask)
        return dma_fault::mask;
    if ((address & ~mapped.boundary) != (last & ~mapped.boundary))
        return dma_fault::boundary;
    if (address < mapped.begin || last - mapped.begin >= mapped.size)
        return dma_fault::bounds;
    if (mapped.dir != BOUNCE_BIDIRECTIONAL && mapped.dir != ext.dir)
        return dma_fault::direction;
    return dma_fault::no_fault;
}

void dma_checker::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    dma_extension &ext = *payload.get_extension<dma_extension>();
    uint64_t bytes = payload.get_data_length();
    if (ext.request == dma_request::transfer && bytes) {
        ext.fault = look(ext, payload.get_address(), bytes);
        if (ext.fault != dma_fault::no_fault) {
            faults_.add({ext.fault, ext.device, payload.get_address(), bytes,
                         ext.dir == BOUNCE_FROM_DEVICE});
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
    }
    out->b_transport(payload, delay);
}

} // namespace bouncesim::models
