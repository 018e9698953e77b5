// SPDX-License-Identifier: Apache-2.0
// An ISA DMA channel: 24 address bits, no transfer across 64 KiB, one at a time.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_isa_dma() {
    device_model m;
    m.name = "isa-dma";
    m.summary =
        "ISA DMA: 24 address bits, 64 KiB boundary, one transfer at a time; fails when full";
    m.source = "8237 channels: 64 KiB pages, 24 bits with the page register; 16-bit channel at "
               "about 1.6 MB/s, assumed";
    m.full = on_full::fail;
    m.dma_bits = 24;
    m.seg_boundary = 0xffff;
    m.max_segments = 1;
    m.max_segment_bytes = 65536;
    m.max_request_bytes = 65536;
    m.queues = 1;
    m.depth = 1;
    m.read_ns = 5000;
    m.write_ns = 5000;
    m.read_ns_per_kib = 640000;
    m.write_ns_per_kib = 640000;
    m.channels = 1;
    return m;
}

} // namespace bouncesim::models
