// SPDX-License-Identifier: Apache-2.0
#include "models/iommu_config.hpp"

#include <iterator>

namespace bouncesim::models {
namespace {

/* clang-format off */
constexpr iommu_parameter table[] = {
#define BOUNCESIM_ROW(key, unit, value, low, high, meaning, source) {#key, unit, meaning, source, &iommu_config::key, nullptr, low, high},
    BOUNCESIM_IOMMU_PARAMETERS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
#define BOUNCESIM_ROW(key, points, meaning, source) {#key, "bytes:ps", meaning, source, nullptr, &iommu_config::key, 0, 0},
    BOUNCESIM_IOMMU_CURVES(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
};
/* clang-format on */

} // namespace

void iommu_config::make_free() {
    iotlb_hit_ps = walk_ps = walk_2m_ps = flush_ps = iova_hit_ps = iova_miss_ps = 0;
    map_page_ps = unmap_page_ps = 0;
    map_time = unmap_time = unmap_serial = unmap_lazy = cost_curve{};
}

std::string iommu_config::check() const {
    for (const iommu_parameter &row : table)
        if (row.value && (this->*row.value < row.smallest || this->*row.value > row.largest))
            return std::string(row.key) + ": " + std::to_string(row.smallest) + " to " +
                   std::to_string(row.largest) + " was expected";
    if (iotlb_ways && iotlb_entries % iotlb_ways)
        return "iotlb_ways: a divisor of iotlb_entries (" + std::to_string(iotlb_entries) +
               "), or 0, was expected";
    if (granule & (granule - 1))
        return "granule: a power of two was expected";
    return "";
}

const iommu_parameter *iommu_parameter_at(std::size_t index) {
    return index < std::size(table) ? &table[index] : nullptr;
}

const iommu_parameter *find_iommu_parameter(std::string_view key) {
    for (const iommu_parameter &row : table)
        if (key == row.key)
            return &row;
    return nullptr;
}

} // namespace bouncesim::models
