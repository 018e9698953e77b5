// SPDX-License-Identifier: Apache-2.0
// AHCI: 32 commands of 168 pieces each. libata gives a request that cannot be mapped back with an
// error (AC_ERR_SYSTEM).
#include "devices.hpp"

namespace bouncesim::models {

device_model device_ahci() {
    device_model m;
    m.name = "ahci";
    m.summary = "SATA disk: one queue of 32 commands; a command that cannot be mapped fails";
    m.source = "drivers/ata/ahci.h and libata-core.c of 6.12.117; service: SATA at 600 MB/s, "
               "latency assumed";
    m.full = on_full::fail;
    m.max_segments = 168;
    m.queues = 1;
    m.depth = 32;
    m.read_ns = 80000;
    m.write_ns = 40000;
    m.read_ns_per_kib = 1700;
    m.write_ns_per_kib = 1700;
    m.channels = 1;
    return m;
}

} // namespace bouncesim::models
