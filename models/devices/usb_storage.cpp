// SPDX-License-Identifier: Apache-2.0
// USB storage behind an xHCI: each URB of a capture is one request; bulk-only commands and status
// use buffers that usb-storage keeps mapped. A URB that cannot be mapped
// comes back with an error (usb_hcd_map_urb_for_dma(): -EAGAIN).
#include "devices.hpp"

namespace bouncesim::models {

device_model device_usb_storage() {
    device_model m;
    m.name = "xhci-storage";
    m.summary = "USB transfers through an xHCI; a URB that cannot be mapped fails";
    m.source = "drivers/usb/core/hcd.c of 6.12.117; service: SuperSpeed bulk at about 400 MB/s, "
               "latency assumed";
    m.full = on_full::fail;
    m.max_segments = 1; // URBs of usbmon have one buffer
    m.max_request_bytes = 0;
    m.coherent_bytes = 31; // commands (31 bytes) and their status (13): buffers of usb-storage
    m.queues = 1;
    m.depth = 64;
    m.read_ns = 125000;
    m.write_ns = 125000;
    m.read_ns_per_kib = 2500;
    m.write_ns_per_kib = 2500;
    m.channels = 1;
    return m;
}

} // namespace bouncesim::models
