// SPDX-License-Identifier: Apache-2.0
// Memory of a confidential guest: one list of parameters, with a default for each kind of guest,
// and one of what is counted. They feed the structs, the platform files, the JSON and
// docs/models/encrypted_memory.md.
#pragma once

#include "models/costs.hpp"
#include "models/dma_fault.hpp"

#include "bounce/boot.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bouncesim::models {

#define BOUNCESIM_FROM_CVMX "Misono et al., Confidential VMs Explained, POMACS 8(3) 36, 2024, "

/* clang-format off */
// X(key, unit, default without, of SEV-SNP, of TDX, largest, meaning, source)
#define BOUNCESIM_ENCRYPTION_PARAMETERS(X) \
    X(page_ps, "ps", 0, 1250000, 1660000, 1000000000000, "making a page of 4 KiB shared, or private again", "derived: first touch of 32 GiB against a plain guest, an upper guide; " BOUNCESIM_FROM_CVMX "4.3.2") \
    X(latency_ps, "ps", 0, 16000, 16000, 1000000000, "more for each access of memory", BOUNCESIM_FROM_CVMX "4.3.1: idle random reads +16 ns on both") \
    X(bandwidth_loss_ppm, "ppm", 0, 28800, 78600, 900000, "of the memory's bandwidth (memory_ps_per_kib), that encryption takes", BOUNCESIM_FROM_CVMX "4.3.1: 2.88 % and 7.86 % on average") \
    X(copy_speed_ppm, "ppm", 1000000, 930000, 957000, 1000000, "speed of a copy, of that in a plain guest", BOUNCESIM_FROM_CVMX "Fig. 6: mean of three memcpy figures, 0.90 0.91 0.98 and 0.98 0.94 0.95") \
    X(doorbell_ps, "ps", 0, 3930000, 12140000, 1000000000000, "an exit to ring a device's doorbell", BOUNCESIM_FROM_CVMX "Fig. 5: hypercall by way of #VC or #VE; 1.13 us (AMD) or 1.78 us (Intel) in a plain guest") \
    X(interrupt_ps, "ps", 0, 3950000, 12200000, 1000000000000, "an exit to take a device's interrupt", BOUNCESIM_FROM_CVMX "4.2: write of an MSR, taken for the end of interrupt") \
    X(blocks, "0, 1", 0, 0, 1, 1, "a device that touches a private page: 0 gets ciphertext, 1 is stopped", "SEV: the page is encrypted with a key that devices lack; TDX: the access is no shared one")

// X(type, name, unit, meaning)
#define BOUNCESIM_ENCRYPTION_STATS(X) \
    X(uint64_t, pages_shared, "pages", "made shared") \
    X(uint64_t, pages_private, "pages", "made private again") \
    X(double, conversion_ns, "ns", "time of both") \
    X(uint64_t, private_reads, "transfers", "devices that read a private page") \
    X(uint64_t, private_writes, "transfers", "devices that wrote one") \
    X(uint64_t, private_bytes, "bytes", "of both") \
    X(uint64_t, doorbells, "exits", "to ring doorbells") \
    X(uint64_t, interrupts, "exits", "to take interrupts") \
    X(double, exit_ns, "ns", "time of both")
/* clang-format on */

struct encryption_config {
#define BOUNCESIM_FIELD(key, unit, none, snp, tdx, high, meaning, source) uint64_t key = none;
    BOUNCESIM_ENCRYPTION_PARAMETERS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD

    // The defaults of a kind of guest.
    static encryption_config of(bounce_guest guest);
    // What copies and accesses of memory cost in such a guest.
    void apply(costs &timing) const;
    // No time for anything; what devices may touch stays.
    void make_free();
};

struct encryption_parameter {
    const char *key;
    const char *unit;
    const char *meaning;
    const char *source;
    uint64_t encryption_config::*value;
    uint64_t largest;
};

// Row `index`, or null past the end; the row of that key, or null.
const encryption_parameter *encryption_parameter_at(std::size_t index);
const encryption_parameter *find_encryption_parameter(std::string_view key);

struct encryption_stats {
#define BOUNCESIM_FIELD(type, name, unit, meaning) type name = 0;
    BOUNCESIM_ENCRYPTION_STATS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
    fault_stats faults; // transfers that touched a private page, served as ciphertext or not at all
};

} // namespace bouncesim::models
