// SPDX-License-Identifier: Apache-2.0
// NVMe: a queue a CPU, PRP rules (pieces on page boundaries), PRP lists from coherent pools that
// are not bounced. A request that finds no room is tried once from the plug and once directly; the
// CPU then runs the queue itself.
#include "devices.hpp"

namespace bouncesim::models {

device_model device_nvme() {
    device_model m;
    m.name = "nvme";
    m.summary =
        "NVMe disk: a queue a CPU, page-aligned pieces, requests wait when the pool is full";
    m.source = "limits: drivers/nvme/host/pci.c of 6.12.117; service: KIOXIA CM7-R, 2.7 M read and "
               "310 k write IOPS, 14 and 6.75 GB/s (Misono et al., POMACS 8(3) 36, 2024), latency "
               "not published: assumed";
    m.min_align_mask = 4095;
    m.gap_mask = 4095;
    m.opt_mapping = 1;
    m.max_segments = 128;
    m.depth = 1023;
    m.first_tries = 2;
    m.tries_inline = true;
    m.read_ns = 60000;
    m.write_ns = 15000;
    m.read_ns_per_kib = 9000;
    m.write_ns_per_kib = 750;
    m.channels = 128;
    return m;
}

} // namespace bouncesim::models
