// SPDX-License-Identifier: Apache-2.0
// virtio-net: a receive queue that is kept full of buffers, packets to send with their header.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_virtio_net() {
    device_model m;
    m.name = "virtio-net";
    m.summary = "virtio network device: 256 receive buffers stay mapped; packets are dropped when "
                "full";
    m.source = "drivers/net/virtio_net.c of 6.12.117 and recorded traces: buffers of 1536 bytes, "
               "refilled after half a second at the latest; 10 Gb/s assumed";
    m.full = on_full::drop;
    m.max_segments = 18;
    m.queues = 1;
    m.depth = 256;
    m.ring_entries = 256;
    m.ring_bytes = 1536;
    m.retry_ns = 500000000; // HZ / 2
    m.read_ns = 10000;
    m.write_ns = 10000;
    m.read_ns_per_kib = 820;
    m.write_ns_per_kib = 820;
    m.channels = 1;
    m.pipelined = 1; // the wire
    return m;
}

} // namespace bouncesim::models
