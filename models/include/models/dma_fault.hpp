// SPDX-License-Identifier: Apache-2.0
// Transfers that did not reach memory, or should not have.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace bouncesim::models {

/* clang-format off */
// X(name, meaning)
#define BOUNCESIM_DMA_FAULTS(X) \
    X(no_fault, "no fault") \
    X(mask, "beyond the device's DMA mask") \
    X(boundary, "spans a multiple of its seg_boundary") \
    X(bounds, "outside the mapping that the device names") \
    X(unmapped, "that mapping is over, or the IOMMU knows no page there") \
    X(direction, "writes what is mapped for reading, or reads what is mapped for writing") \
    X(encrypted, "a private page of a confidential guest")
/* clang-format on */

enum class dma_fault : uint8_t {
#define BOUNCESIM_FAULT(name, meaning) name,
    BOUNCESIM_DMA_FAULTS(BOUNCESIM_FAULT)
#undef BOUNCESIM_FAULT
};
constexpr std::size_t dma_fault_kinds = static_cast<std::size_t>(dma_fault::encrypted) + 1;

// "mask", "boundary", ...
const char *dma_fault_name(dma_fault kind);

struct dma_fault_row {
    dma_fault kind;
    uint32_t device;
    uint64_t address; // as the device gave it
    uint64_t bytes;
    bool write; // the device writes memory
};

struct fault_stats {
    static constexpr std::size_t most_listed = 16;

    uint64_t count = 0;
    std::array<uint64_t, dma_fault_kinds> by_kind = {};
    std::array<dma_fault_row, most_listed> first = {}; // in the order in which they came

    void add(const dma_fault_row &row) {
        if (count < most_listed)
            first[static_cast<std::size_t>(count)] = row;
        count++;
        by_kind[static_cast<std::size_t>(row.kind)]++;
    }
    std::size_t listed() const {
        return static_cast<std::size_t>(std::min<uint64_t>(count, most_listed));
    }
};

} // namespace bouncesim::models
