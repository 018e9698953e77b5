// SPDX-License-Identifier: Apache-2.0
// Between the bounce service and those who check: makes of its events what data_check and
// dma_checker want to know.
#pragma once

#include "data_check.hpp"
#include "dma_checker.hpp"
#include "operation.hpp"

#include "bounce/dma.h"

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class mapping_check {
  public:
    // `any_address`: what devices reach is not looked at (streams of allocator calls).
    mapping_check(data_check &data, dma_checker &transfers, bool any_address)
        : data_(data), transfers_(transfers), any_address_(any_address) {}

    // In this order, around the core's call for an operation.
    void before(const operation &op, const bounce_mapping &was);
    void copied(const operation &op, const bounce_mapping &mapping, const bounce_copy &copy,
                uint64_t tlb_addr, bool to_device);
    void after(const operation &op, const bounce_mapping &now, const bounce_device *devices);

    // What the device of that mapping names in its transfers; 0 when there is none.
    uint64_t token(uint32_t handle) const {
        return handle < tokens_.size() ? tokens_[handle] : 0;
    }

  private:
    void close(uint32_t handle);

    data_check &data_;
    dma_checker &transfers_;
    bool any_address_;
    std::vector<uint64_t> tokens_; // by handle
};

} // namespace bouncesim::models
