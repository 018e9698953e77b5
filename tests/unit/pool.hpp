// SPDX-License-Identifier: Apache-2.0
// A pool to play with, for the unit tests.
#pragma once

#include "bounce/swiotlb.h"

#include <gtest/gtest.h>

#include <memory>

namespace unit {

using mem_ptr = std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)>;

constexpr std::uint64_t pool_start = 0x10000000;

inline bounce_swiotlb_config pool_config(std::uint64_t nslabs, std::uint32_t nareas = 1) {
    bounce_swiotlb_config config = {};
    config.kernel = bounce_kernel_find("linux-6.12");
    config.nslabs = nslabs;
    config.nareas = nareas;
    config.cpus = nareas;
    config.start = pool_start;
    return config;
}

inline mem_ptr make_pool(std::uint64_t nslabs, std::uint32_t nareas = 1) {
    bounce_swiotlb_config config = pool_config(nslabs, nareas);
    bounce_swiotlb *made = nullptr;
    bounce_error error = {};
    EXPECT_EQ(bounce_swiotlb_create(&config, &made, &error), BOUNCE_OK) << error.text;
    return {made, bounce_swiotlb_destroy};
}

inline bounce_device make_device(std::uint32_t min_align_mask = 0) {
    bounce_device device;
    bounce_device_init(&device, "dev");
    device.min_align_mask = min_align_mask;
    return device;
}

inline bounce_map_request make_request(const bounce_device &device, std::uint64_t orig,
                                       std::uint64_t size, std::uint32_t cpu = 0) {
    bounce_map_request request = {};
    request.device = &device;
    request.orig_addr = orig;
    request.size = size;
    request.cpu = cpu;
    return request;
}

} // namespace unit
