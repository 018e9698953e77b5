// SPDX-License-Identifier: Apache-2.0
// A device without rules of its own: one mapping a request, no limits but the DMA layer's, done at
// once. What `--engine replay` makes of requests.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_generic() {
    device_model m;
    m.name = "generic";
    m.summary = "one mapping a request, no rules of its own, no time";
    m.source = "none: for comparison with the replay engine";
    m.depth = 1u << 20;
    m.read_ns = m.write_ns = 0;
    m.channels = 1u << 20;
    m.max_segments = 1;
    return m;
}

} // namespace bouncesim::models
