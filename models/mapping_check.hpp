// SPDX-License-Identifier: Apache-2.0
// Makes of the bounce service's events what data_check wants to know.
#pragma once

#include "data_check.hpp"
#include "operation.hpp"

#include "bounce/dma.h"

#include <cstdint>

namespace bouncesim::models {

class mapping_check {
  public:
    explicit mapping_check(data_check &data) : data_(data) {}

    // In this order, around the core's call for an operation.
    void before(const operation &op, const bounce_mapping &was);
    void copied(const operation &op, const bounce_mapping &mapping, const bounce_copy &copy,
                uint64_t tlb_addr, bool to_device);
    void after(const operation &op, const bounce_mapping &now);

  private:
    data_check &data_;
};

} // namespace bouncesim::models
