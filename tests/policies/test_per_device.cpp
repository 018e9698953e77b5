// SPDX-License-Identifier: Apache-2.0
// A pool for each device: nothing that one does is felt by another.
#include "random_calls.hpp"

#include <gtest/gtest.h>

namespace {

using policies::call;

constexpr policies::sizes stock = {2048, 128};

bounce_swiotlb_config per_device(const char *kernel, std::uint64_t slots) {
    bounce_swiotlb_config config = {};
    config.kernel = bounce_kernel_find(kernel);
    config.nareas = 1;
    config.cpus = 8;
    config.start = 0x40000000;
    config.device_nslabs = slots;
    return config;
}

std::vector<bounce_device> named(std::initializer_list<const char *> names) {
    std::vector<bounce_device> devices;
    for (const char *name : names) {
        devices.emplace_back();
        bounce_device_init(&devices.back(), name);
    }
    return devices;
}

TEST(PerDevice, EachHasAPoolFromItsFirstMapOn) {
    policies::allocator mem = policies::make(per_device("linux-6.12", 256));
    std::vector<bounce_device> devices = named({"disk", "net"});
    const bounce_swiotlb_counts &counts = *bounce_swiotlb_get_counts(mem.get());
    EXPECT_EQ(counts.nslabs, 0u);
    call c;
    c.orig = 0x100000000;
    c.size = 256 * 1024;
    EXPECT_EQ(policies::map(mem, c, devices).tlb_addr, 0x40000000u);
    EXPECT_EQ(counts.nslabs, 256u);
    EXPECT_EQ(counts.pools, 1u);
    EXPECT_EQ(policies::map(mem, c, devices).tlb_addr, 0x40040000u);
    bounce_map_result full = policies::map(mem, c, devices);
    EXPECT_EQ(full.outcome, BOUNCE_MAP_FULL);
    bounce_map_request request = policies::request_of(c, devices);
    bounce_pressure pressure = {};
    bounce_swiotlb_pressure(mem.get(), &request, false, &pressure);
    EXPECT_EQ(pressure.cause, BOUNCE_CAUSE_EXHAUSTED);
    EXPECT_EQ(pressure.nslabs, 256u);

    c.device = 1; // the other one has all its room
    EXPECT_EQ(policies::map(mem, c, devices).tlb_addr, 0x40080000u);
    EXPECT_EQ(counts.nslabs, 512u);
    EXPECT_EQ(counts.used, 384u);
    EXPECT_EQ(counts.used_hiwater, 384u);
    EXPECT_EQ(counts.free_segments, 1u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &devices[0], 0x40040000u), 128u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &devices[0], 0x40040000u), 0u);
    EXPECT_EQ(counts.used, 256u);
    EXPECT_EQ(counts.free_segments, 2u);
    bounce_copy copy = bounce_swiotlb_sync(mem.get(), &devices[1], 0x40080100u, 16);
    EXPECT_EQ(copy.orig_addr, 0x100000100u);
    EXPECT_EQ(copy.bytes, 16u);
    bounce_swiotlb_restart(mem.get());
    EXPECT_EQ(counts.used, 0u);
    EXPECT_EQ(counts.free_segments, 4u);
}

// Devices at random on shared pools answer as each alone on its own.
TEST(PerDevice, AnswersOfEachAsIfItWereAlone) {
    for (const char *kernel : {"linux-6.12", "buddy"}) {
        policies::random_calls random(7);
        policies::allocator mem = policies::make(per_device(kernel, 512));
        std::vector<policies::allocator> alone;
        std::vector<bounce_device> devices;
        std::vector<std::uint64_t> starts;
        std::vector<std::pair<std::size_t, std::uint64_t>> live;
        for (int n = 0; n < 40; n++) {
            devices.push_back(random.device("device " + std::to_string(n), stock));
            alone.emplace_back(nullptr, bounce_swiotlb_destroy);
            starts.push_back(0);
        }
        std::uint64_t pools = 0;
        for (int i = 0; i < 8000 && !HasFailure(); i++) {
            if (!live.empty() && random.pick(100) < 45) {
                std::size_t which = random.pick(live.size());
                auto [device, address] = live[which];
                EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &devices[device], address),
                          bounce_swiotlb_unmap(alone[device].get(), &devices[device], address));
                live[which] = live.back();
                live.pop_back();
                continue;
            }
            call c = random.next(devices.size(), stock);
            if (!alone[c.device]) {
                bounce_swiotlb_config own = per_device(kernel, 0);
                own.nslabs = 512;
                own.start += pools++ * 512 * 2048;
                alone[c.device] = policies::make(own);
            }
            bounce_map_result r = policies::map(mem, c, devices);
            bounce_map_result a = policies::map(alone[c.device], c, devices);
            EXPECT_EQ(r.tlb_addr, a.tlb_addr);
            EXPECT_EQ(r.probes, a.probes);
            EXPECT_EQ(r.outcome, a.outcome);
            if (r.outcome == BOUNCE_MAP_OK)
                live.emplace_back(c.device, r.tlb_addr);
        }
        const bounce_swiotlb_counts &all = *bounce_swiotlb_get_counts(mem.get());
        std::uint64_t used = 0, probes = 0, segments = 0;
        for (const policies::allocator &one : alone) {
            used += one ? bounce_swiotlb_get_counts(one.get())->used : 0;
            probes += one ? bounce_swiotlb_get_counts(one.get())->probes : 0;
            segments += one ? bounce_swiotlb_get_counts(one.get())->free_segments : 0;
        }
        EXPECT_EQ(all.used, used);
        EXPECT_EQ(all.probes, probes);
        EXPECT_EQ(all.free_segments, segments);
        EXPECT_EQ(all.nslabs, pools * 512);
        EXPECT_EQ(all.pools, pools);
    }
}

TEST(PerDevice, GrowingKernelsAreRefused) {
    bounce_error error = {};
    EXPECT_EQ(policies::make(per_device("linux-6.12-dynamic", 256), &error), nullptr);
    EXPECT_NE(std::string(error.text).find("do not grow"), std::string::npos) << error.text;
}

} // namespace
