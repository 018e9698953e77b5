// SPDX-License-Identifier: Apache-2.0
// A PCI network card with 32 address bits and a ring of receive buffers that stay mapped until a
// packet comes.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_e1000() {
    device_model m;
    m.name = "e1000";
    m.summary = "32-bit PCI network card: 256 receive buffers stay mapped; packets are dropped "
                "when full";
    m.source = "drivers/net/ethernet/intel/e1000 of 6.12.117 and recorded traces: 256 buffers of "
               "1522 bytes; 1 Gb/s";
    m.full = on_full::drop;
    m.dma_bits = 32;
    m.max_segments = 32;
    m.queues = 1;
    m.depth = 256;
    m.ring_entries = 256;
    m.ring_bytes = 1522;
    m.retry_ns = 2000000000; // its watchdog task
    m.read_ns = 10000;
    m.write_ns = 10000;
    m.read_ns_per_kib = 8192;
    m.write_ns_per_kib = 8192;
    m.channels = 1;
    m.pipelined = 1; // the wire
    return m;
}

} // namespace bouncesim::models
