// SPDX-License-Identifier: Apache-2.0
// virtio-blk as guests use it whose buffers bounce: the 16 bytes of the request's header, its
// status byte and the table of indirect descriptors are mapped with the data, each piece on its
// own.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_virtio_blk() {
    device_model m;
    m.name = "virtio-blk";
    m.summary = "virtio disk: header, status and descriptor table are mapped too; requests wait "
                "when the pool is full";
    m.source = "drivers/block/virtio_blk.c and drivers/virtio/virtio_ring.c of 6.12.117, and "
               "recorded traces; service times assumed";
    m.max_segments = 254;
    m.max_request_bytes = 16 << 20;
    m.header_bytes = 16;
    m.status_bytes = 1;
    m.descriptor_bytes = 16;
    m.depth = 256;
    m.first_tries = 1;
    m.read_ns = 80000;
    m.write_ns = 80000;
    m.read_ns_per_kib = 300;
    m.write_ns_per_kib = 300;
    m.channels = 32;
    return m;
}

} // namespace bouncesim::models
