// SPDX-License-Identifier: Apache-2.0
// What the models say to each other beside address and length: the annotated delay is the answer.
// Bytes move only where somebody looks at them (--check-data): a transfer then carries a data
// pointer and `data_bytes`, with the command that says which way. All other payloads have
// TLM_IGNORE_COMMAND and a null pointer, and cost nothing more.
#pragma once

#include "models/dma_fault.hpp"
#include "operation.hpp"

#include <systemc>
#include <tlm>

#include <cstdint>

namespace bouncesim::models {

enum class dma_request : uint8_t {
    apply,     // CPU to bounce service: do this event; the delay grows by what it takes
    copy_back, // CPU to bounce service: what an unmap copies before it reaches the pool
    doorbell,  // CPU to device: the buffer is the device's when the delay is over
    packet,    // CPU to device: one comes from outside, to be put into a receive buffer
    copy,      // bounce service to memory
    transfer,  // device to memory; on its way through checker, IOMMU and encryption
};

struct dma_extension : tlm::tlm_extension<dma_extension> {
    // Written by the initiator.
    dma_request request = dma_request::apply;
    const operation *op = nullptr; // apply, copy_back, doorbell: valid during the call

    // Written by a device on transfer. `dir` below is the transfer's own then: TO_DEVICE reads
    // memory, FROM_DEVICE writes it. `mapping` and `space` are on the doorbell too.
    uint32_t device = 0;     // number of the device, below 65536
    uint64_t mapping = 0;    // what it believes to use: dma_checker::open(); 0: not told
    uint64_t space = 0;      // in sparse_memory; the IOMMU puts that of the page here
    uint64_t data_bytes = 0; // that move, the first of the payload's; the others are time only

    // Written on the way of a transfer: why it did not get through (TLM_ADDRESS_ERROR_RESPONSE), or
    // should not have (a private page of SEV is served all the same).
    dma_fault fault = dma_fault::no_fault;

    // Written by the bounce service on apply.
    bool pooled = false; // the event went to the pool: a bounced map, the unmap of one
    bool mapped = false; // after it there is a mapping, bounced or direct, that a device may use
    uint8_t dir = BOUNCE_DIR_NONE; // of that mapping, enum bounce_dir
    uint64_t dma_addr = 0;         // where the device finds it
    uint64_t size = 0;             // its bytes

    // Written by the device on doorbell: simulated time, not a delay, at which it is done.
    uint64_t done_ps = 0;

    tlm::tlm_extension_base *clone() const override {
        return new dma_extension(*this);
    }
    void copy_from(const tlm::tlm_extension_base &other) override {
        *this = static_cast<const dma_extension &>(other);
    }
};

// A payload with its extension, made once and used again for every transaction of an initiator.
class dma_transaction {
  public:
    dma_transaction() {
        payload.set_command(tlm::TLM_IGNORE_COMMAND);
        payload.set_extension(&extension);
    }
    dma_transaction(const dma_transaction &) = delete;
    dma_transaction &operator=(const dma_transaction &) = delete;
    ~dma_transaction() {
        payload.clear_extension(&extension);
    }

    tlm::tlm_generic_payload payload;
    dma_extension extension;
};

// sc_time_stamp() without a call of the library: it is asked for dozens of times a request.
inline uint64_t now_ps() {
    return sc_core::sc_curr_simcontext->time_stamp().value();
}

} // namespace bouncesim::models
