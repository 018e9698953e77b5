// SPDX-License-Identifier: Apache-2.0
// What stands between the devices of an engine and memory, and what it counted.
#pragma once

#include "models/check_stats.hpp"
#include "models/encryption_config.hpp"
#include "models/iommu_config.hpp"

#include "bounce/boot.h"
#include "bounce/device.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace bouncesim::models {

enum class iommu_use : uint8_t {
    direct,    // the device addresses memory itself
    trusted,   // through the IOMMU, without bouncing
    untrusted, // and what is not whole granules bounces
};

struct path_config {
    bool check_data = false; // buffers hold real bytes: docs/models/data_check.md
    planted_fault fault = planted_fault::nothing; // for tests of check_data
    uint64_t fault_nth = 1;

    // Behind it are the devices that `use` says, or all of them. iommu_config::check() has to find
    // nothing. Devices behind it bounce as `use` says and never otherwise; not for streams of
    // allocator calls.
    std::optional<iommu_config> iommu;
    std::function<iommu_use(const bounce_device &device)> use;

    std::optional<encryption_config> encryption; // a confidential guest's memory
};

struct path_stats {
    check_stats check;           // with check_data
    iommu_stats iommu;           // with iommu
    encryption_stats encryption; // with encryption
};

} // namespace bouncesim::models
