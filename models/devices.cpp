// SPDX-License-Identifier: Apache-2.0
#include "devices.hpp"

#include <algorithm>
#include <iterator>

namespace bouncesim::models {
namespace {

constexpr uint64_t page = 4096, sector = 512;
constexpr uint64_t behind_iommu = uint64_t{1} << 32; // no limit that matters
constexpr uint64_t cached_iova = 128 << 10;          // iommu_dma_opt_mapping_size(), 4 KiB pages

const device_model table[] = {
    device_nvme(),        device_virtio_blk(), device_ahci(),       device_isa_dma(),
    device_usb_storage(), device_e1000(),      device_virtio_net(), device_generic(),
};

constexpr device_key keys[] = {
#define BOUNCESIM_ROW(key, value, smallest, largest, unit, meaning)                                \
    {#key, unit, meaning, smallest, largest, &device_model::key},
    BOUNCESIM_DEVICE_KEYS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
};

} // namespace

void device_model::shape(bounce_device &device) const {
    device.dma_mask = dma_bits >= 64 ? UINT64_MAX : (uint64_t{1} << dma_bits) - 1;
    device.seg_boundary = seg_boundary;
    device.min_align_mask = static_cast<uint32_t>(min_align_mask);
}

uint64_t device_model::largest_mapping() const {
    if (iommu == 1)
        return behind_iommu; // iommu_dma_max_mapping_size(): it does not bounce
    uint64_t lost = min_align_mask ? (min_align_mask | (slot_bytes - 1)) + 1 : 0;
    return std::max(set_bytes - std::min(lost, set_bytes), page);
}

uint64_t device_model::largest_request() const {
    uint64_t told = max_request_bytes ? max_request_bytes : largest_mapping();
    if (opt_mapping && iommu)
        told = std::min(told, cached_iova);
    uint64_t each = largest_segment(), segments = max_segments;
    if (seg_boundary < each) { // wherever it begins: the first segment may be a short one
        each = seg_boundary + 1;
        segments -= segments > 1;
    }
    return std::max(sector, std::min(told, segments * each));
}

uint64_t device_model::largest_segment() const {
    uint64_t told = max_segment_bytes ? std::max(max_segment_bytes, sector) : largest_mapping();
    return std::min(told, largest_mapping());
}

const device_key *device_key_at(std::size_t index) {
    return index < std::size(keys) ? &keys[index] : nullptr;
}

const device_key *find_device_key(std::string_view name) {
    for (const device_key &row : keys)
        if (name == row.name)
            return &row;
    return nullptr;
}

const device_model *device_model_at(std::size_t index) {
    return index < std::size(table) ? &table[index] : nullptr;
}

const device_model *find_device_model(std::string_view name) {
    for (const device_model &row : table)
        if (name == row.name)
            return &row;
    return nullptr;
}

} // namespace bouncesim::models
