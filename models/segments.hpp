// SPDX-License-Identifier: Apache-2.0
// What a request is mapped as: its buffer's pieces, cut by the limits that the block layer and the
// DMA layer put on them, and what the driver maps beside them. No SystemC here.
#pragma once

#include "request_context.hpp"

namespace bouncesim::models {

// Takes a buffer and makes the request's pieces, once; they stay the same through all tries.
void make_segments(request_context &context, uint32_t index);
// A receive buffer's.
void make_ring_segment(request_context &context, uint32_t index);
// Gives buffer and pieces back. Nothing of it may be mapped.
void drop_segments(request_context &context, uint32_t index);

} // namespace bouncesim::models
