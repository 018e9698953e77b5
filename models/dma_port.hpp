// SPDX-License-Identifier: Apache-2.0
// How a device sends one transfer towards memory: what it has to say in the extension, and the
// bytes where somebody follows them.
#pragma once

#include "data_check.hpp"
#include "dma_extension.hpp"

#include <tlm>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class dma_port {
  public:
    struct access {
        uint32_t device;
        uint32_t handle;   // of the mapping, as the bounce service has it
        uint64_t mapping;  // dma_extension::mapping, as told on apply
        uint64_t dma_addr; // of the mapping
        uint64_t offset;   // into it
        uint64_t bytes;
        bool read; // the device reads memory
    };

    dma_port() {
        to_memory_.extension.request = dma_request::transfer;
    }
    // Checked runs: transfers carry bytes. To be set before the first transfer.
    void set_check(data_check *check) {
        check_ = check;
    }

    // `delay` goes on to when the last byte has arrived. Whether it was served. Allocates nothing
    // unless bytes are followed.
    template <class Socket>
    bool transfer(Socket &bus, const access &wanted, sc_core::sc_time &delay) {
        tlm::tlm_generic_payload &payload = to_memory_.payload;
        dma_extension &ext = to_memory_.extension;
        uint64_t followed =
            check_ ? check_->followed(wanted.handle, wanted.offset, wanted.bytes) : 0;

        payload.set_address(wanted.dma_addr + wanted.offset);
        payload.set_data_length(
            static_cast<unsigned>(std::min<uint64_t>(wanted.bytes, UINT32_MAX)));
        payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        ext.device = wanted.device;
        ext.mapping = wanted.mapping;
        ext.dir = wanted.read ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
        ext.fault = dma_fault::no_fault;
        ext.data_bytes = 0;
        if (followed) {
            data_.resize(std::max<std::size_t>(data_.size(), followed));
            ext.space = check_->space(wanted.handle);
            ext.data_bytes = wanted.read ? followed
                                         : check_->device_write(wanted.handle, wanted.offset,
                                                                data_.data(), followed);
            payload.set_command(wanted.read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
            payload.set_data_ptr(data_.data());
        }
        bus->b_transport(payload, delay);
        if (followed) {
            if (wanted.read && payload.is_response_ok())
                check_->device_read(wanted.handle, wanted.offset, data_.data(), followed);
            payload.set_command(tlm::TLM_IGNORE_COMMAND);
            payload.set_data_ptr(nullptr);
        }
        return payload.is_response_ok();
    }

  private:
    dma_transaction to_memory_;
    data_check *check_ = nullptr;
    std::vector<unsigned char> data_;
};

} // namespace bouncesim::models
