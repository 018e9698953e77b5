// SPDX-License-Identifier: Apache-2.0
// Every transfer outside a device's mask, boundary or mapping is caught, and none other.
#include "dma_checker.hpp"
#include "modules.hpp"

#include <gtest/gtest.h>

using namespace bouncesim::models;

namespace {

struct checked_bus {
    module_test context;
    dma_checker checker{"checker"};
    bus_initiator device{"device"};
    bus_target memory{"memory"};
    bounce_device limits = {};

    checked_bus() {
        bounce_device_init(&limits, "test");
        limits.dma_mask = 0xffffff;
        limits.seg_boundary = 0xffff;
        device.bus.bind(checker.devices);
        checker.out.bind(memory.socket);
    }
    dma_fault access(uint64_t mapping, uint64_t address, unsigned bytes, bounce_dir dir,
                     uint32_t number = 3) {
        uint64_t before = memory.accesses;
        device.extension().mapping = mapping;
        device.extension().device = number;
        bool served = device.transfer(address, bytes, dir);
        EXPECT_EQ(served, memory.accesses == before + 1);
        EXPECT_EQ(served, device.extension().fault == dma_fault::no_fault);
        return device.extension().fault;
    }
};

TEST(dma_checker, lets_through_what_lies_in_the_mapping) {
    checked_bus b;
    uint64_t m = b.checker.open(b.limits, 3, 0x11000, 0x1000, BOUNCE_BIDIRECTIONAL);
    EXPECT_EQ(b.access(m, 0x11000, 0x1000, BOUNCE_TO_DEVICE), dma_fault::no_fault);
    EXPECT_EQ(b.access(m, 0x11000, 1, BOUNCE_FROM_DEVICE), dma_fault::no_fault);
    EXPECT_EQ(b.access(m, 0x11fff, 1, BOUNCE_FROM_DEVICE), dma_fault::no_fault);
    EXPECT_EQ(b.checker.faults().count, 0u);
}

TEST(dma_checker, catches_each_kind) {
    checked_bus b;
    uint64_t m = b.checker.open(b.limits, 3, 0x11000, 0x1000, BOUNCE_TO_DEVICE);
    EXPECT_EQ(b.access(m, 0x10fff, 2, BOUNCE_TO_DEVICE), dma_fault::bounds);
    EXPECT_EQ(b.access(m, 0x11fff, 2, BOUNCE_TO_DEVICE), dma_fault::bounds);
    EXPECT_EQ(b.access(m, 0x11000, 0x1001, BOUNCE_TO_DEVICE), dma_fault::bounds);
    EXPECT_EQ(b.access(m, 0x11000, 16, BOUNCE_FROM_DEVICE), dma_fault::direction);
    EXPECT_EQ(b.access(m, 0x11000, 16, BOUNCE_TO_DEVICE, 4), dma_fault::unmapped); // not its own
    EXPECT_EQ(b.access(0, 0x11000, 16, BOUNCE_TO_DEVICE), dma_fault::unmapped);
    EXPECT_EQ(b.access(m + 1, 0x11000, 16, BOUNCE_TO_DEVICE), dma_fault::unmapped);
    uint64_t high = b.checker.open(b.limits, 3, 0xfff000, 0x2000, BOUNCE_TO_DEVICE);
    EXPECT_EQ(b.access(high, 0xfff000, 0x1000, BOUNCE_TO_DEVICE), dma_fault::no_fault);
    EXPECT_EQ(b.access(high, 0xfff000, 0x1001, BOUNCE_TO_DEVICE), dma_fault::mask);
    EXPECT_EQ(b.access(high, UINT64_MAX, 2, BOUNCE_TO_DEVICE), dma_fault::mask);
    uint64_t across = b.checker.open(b.limits, 3, 0x1f000, 0x2000, BOUNCE_TO_DEVICE);
    EXPECT_EQ(b.access(across, 0x1f000, 0x1001, BOUNCE_TO_DEVICE), dma_fault::boundary);
    EXPECT_EQ(b.access(across, 0x20000, 0x1000, BOUNCE_TO_DEVICE), dma_fault::no_fault);
    EXPECT_EQ(b.checker.faults().count, 10u);
    const dma_fault_row &first = b.checker.faults().first[0];
    EXPECT_EQ(first.address, 0x10fffu);
    EXPECT_EQ(first.bytes, 2u);
    EXPECT_EQ(first.device, 3u);
    EXPECT_FALSE(first.write);
    EXPECT_TRUE(b.checker.faults().first[3].write);
}

TEST(dma_checker, catches_an_access_after_the_unmap_even_when_the_place_is_mapped_again) {
    checked_bus b;
    uint64_t m = b.checker.open(b.limits, 3, 0x11000, 0x1000, BOUNCE_FROM_DEVICE);
    b.checker.close(m);
    EXPECT_EQ(b.access(m, 0x11000, 16, BOUNCE_FROM_DEVICE), dma_fault::unmapped);
    uint64_t again = b.checker.open(b.limits, 3, 0x11000, 0x1000, BOUNCE_FROM_DEVICE);
    EXPECT_NE(m, again);
    EXPECT_EQ(b.access(m, 0x11000, 16, BOUNCE_FROM_DEVICE), dma_fault::unmapped);
    EXPECT_EQ(b.access(again, 0x11000, 16, BOUNCE_FROM_DEVICE), dma_fault::no_fault);
    b.checker.close(m); // closes nothing
    EXPECT_EQ(b.access(again, 0x11000, 16, BOUNCE_FROM_DEVICE), dma_fault::no_fault);
}

} // namespace
