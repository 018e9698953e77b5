// SPDX-License-Identifier: Apache-2.0
// Who bounces, and what is copied when.
#include "pool.hpp"

#include "bounce/dma.h"

namespace {

constexpr std::uint64_t orig = 0x300000000;

class DmaTest : public testing::Test {
  protected:
    DmaTest() : mem(unit::make_pool(1024)), device(unit::make_device()) {
        dma.mem = mem.get();
    }

    bounce_mapping map(bounce_dir dir, std::uint64_t size = 5000, std::uint64_t at = orig) {
        bounce_map_request request = unit::make_request(device, at, size);
        bounce_mapping mapping = {};
        bounce_map_result result = {};
        EXPECT_EQ(bounce_dma_map(&dma, &request, dir, true, &mapping, &result), BOUNCE_MAP_OK);
        EXPECT_EQ(mapping.dma_addr, result.tlb_addr);
        EXPECT_EQ(mapping.slots, result.slots);
        EXPECT_EQ(mapping.state, BOUNCE_BOUNCED);
        return mapping;
    }

    std::uint64_t used() {
        return bounce_swiotlb_get_counts(mem.get())->used;
    }

    unit::mem_ptr mem;
    bounce_device device;
    bounce_dma dma = {};
};

TEST_F(DmaTest, BouncesBeyondTheMaskOrWhenForced) {
    device.dma_mask = 0xffffffff;
    EXPECT_FALSE(bounce_dma_must_bounce(&dma, &device, 0xfffff000, 4096));
    EXPECT_TRUE(bounce_dma_must_bounce(&dma, &device, 0xfffff000, 4097));
    EXPECT_TRUE(bounce_dma_must_bounce(&dma, &device, 0x100000000, 1));
    device.dma_mask = UINT64_MAX;
    EXPECT_FALSE(bounce_dma_must_bounce(&dma, &device, 0x100000000, 1));
    EXPECT_FALSE(bounce_dma_must_bounce(&dma, &device, UINT64_MAX, 1));
    EXPECT_TRUE(bounce_dma_must_bounce(&dma, &device, UINT64_MAX, 2)) << "wraps around";
    dma.force = true;
    EXPECT_TRUE(bounce_dma_must_bounce(&dma, &device, 0x1000, 1));
    dma.force = false;
    dma.allocator_calls = true;
    EXPECT_TRUE(bounce_dma_must_bounce(&dma, &device, 0x1000, 1));
}

TEST_F(DmaTest, MapCopiesForEveryDirection) {
    for (bounce_dir dir : {BOUNCE_TO_DEVICE, BOUNCE_FROM_DEVICE, BOUNCE_BIDIRECTIONAL}) {
        std::uint64_t before = dma.bytes_to_device, copies = dma.copies;
        map(dir, 777);
        EXPECT_EQ(dma.bytes_to_device, before + 777) << bounce_dir_name(dir);
        EXPECT_EQ(dma.copies, copies + 1);
    }
    EXPECT_EQ(dma.bytes_from_device, 0u);
}

TEST_F(DmaTest, UnmapCopiesBackWhatTheDeviceMayHaveWritten) {
    const struct {
        bounce_dir dir;
        unsigned attrs;
        std::uint64_t bytes;
    } cases[] = {
        {BOUNCE_TO_DEVICE, 0, 0},
        {BOUNCE_FROM_DEVICE, 0, 5000},
        {BOUNCE_BIDIRECTIONAL, 0, 5000},
        {BOUNCE_FROM_DEVICE, BOUNCE_ATTR_NO_WARN, 5000},
        {BOUNCE_FROM_DEVICE, BOUNCE_ATTR_SKIP_CPU_SYNC, 0},
        {BOUNCE_BIDIRECTIONAL, BOUNCE_ATTR_SKIP_CPU_SYNC, 0},
    };
    for (const auto &c : cases) {
        bounce_mapping mapping = map(c.dir);
        std::uint64_t before = dma.bytes_from_device, copies = dma.copies;
        EXPECT_EQ(bounce_dma_unmap(&dma, &device, &mapping, c.attrs), c.bytes);
        EXPECT_EQ(dma.bytes_from_device, before + c.bytes) << bounce_dir_name(c.dir);
        EXPECT_EQ(dma.copies, copies + (c.bytes != 0));
        EXPECT_EQ(mapping.state, BOUNCE_UNMAPPED);
        EXPECT_EQ(used(), 0u);
        EXPECT_EQ(bounce_dma_unmap(&dma, &device, &mapping, 0), 0u) << "a second time";
        EXPECT_EQ(dma.bytes_from_device, before + c.bytes);
    }
}

TEST_F(DmaTest, DirectMappingsCostNothing) {
    bounce_map_request request = unit::make_request(device, orig, 4096);
    bounce_mapping mapping = {};
    bounce_map_result result = {};
    result.probes = result.locks = result.slots = 9;
    EXPECT_EQ(bounce_dma_map(&dma, &request, BOUNCE_BIDIRECTIONAL, false, &mapping, &result),
              BOUNCE_MAP_OK);
    EXPECT_EQ(mapping.state, BOUNCE_DIRECT);
    EXPECT_EQ(mapping.dma_addr, orig);
    EXPECT_EQ(mapping.slots, 0u);
    EXPECT_EQ(result.probes, 0u);
    EXPECT_EQ(result.locks, 0u);
    EXPECT_EQ(result.slots, 0u);
    EXPECT_EQ(bounce_dma_sync(&dma, &device, &mapping, 0, 4096, true).bytes, 0u);
    EXPECT_EQ(bounce_dma_unmap(&dma, &device, &mapping, 0), 0u);
    EXPECT_EQ(mapping.state, BOUNCE_UNMAPPED);
    EXPECT_EQ(dma.copies, 0u);
}

TEST_F(DmaTest, SyncCopiesOneWay) {
    const struct {
        bounce_dir dir;
        bool for_cpu, copies;
    } cases[] = {
        {BOUNCE_TO_DEVICE, true, false},    {BOUNCE_TO_DEVICE, false, true},
        {BOUNCE_FROM_DEVICE, true, true},   {BOUNCE_FROM_DEVICE, false, false},
        {BOUNCE_BIDIRECTIONAL, true, true}, {BOUNCE_BIDIRECTIONAL, false, true},
    };
    for (const auto &c : cases) {
        bounce_mapping mapping = map(c.dir);
        bounce_dma before = dma;
        bounce_copy copy = bounce_dma_sync(&dma, &device, &mapping, 100, 200, c.for_cpu);
        EXPECT_EQ(copy.bytes, c.copies ? 200u : 0u) << bounce_dir_name(c.dir);
        EXPECT_EQ(dma.copies, before.copies + c.copies);
        EXPECT_EQ(dma.bytes_from_device, before.bytes_from_device + (c.for_cpu ? copy.bytes : 0));
        EXPECT_EQ(dma.bytes_to_device, before.bytes_to_device + (c.for_cpu ? 0 : copy.bytes));
        EXPECT_EQ(copy.orig_addr, c.copies ? orig + 100 : 0);
        bounce_dma_unmap(&dma, &device, &mapping, 0);
        EXPECT_EQ(bounce_dma_sync(&dma, &device, &mapping, 0, 10, c.for_cpu).bytes, 0u);
    }
}

TEST_F(DmaTest, SyncFindsTheOriginalFromAnyPlace) {
    device.min_align_mask = 0xfff;
    bounce_mapping mapping = map(BOUNCE_BIDIRECTIONAL, 5000, orig + 0x345);
    for (std::uint64_t offset : {0u, 1u, 2047u, 2048u, 4000u, 4999u}) {
        bounce_copy copy = bounce_dma_sync(&dma, &device, &mapping, offset, 1, true);
        EXPECT_EQ(copy.orig_addr, orig + 0x345 + offset);
        EXPECT_EQ(copy.bytes, 1u);
    }
    // Too long: cut at the end of the buffer.
    EXPECT_EQ(bounce_dma_sync(&dma, &device, &mapping, 0, 100000, true).bytes, 5000u);
    EXPECT_EQ(bounce_dma_sync(&dma, &device, &mapping, 4990, 100, true).bytes, 10u);
}

TEST_F(DmaTest, AFullPoolLeavesTheMappingAlone) {
    map(BOUNCE_TO_DEVICE, 256 * 1024);
    for (int i = 0; i < 7; i++)
        map(BOUNCE_TO_DEVICE, 256 * 1024);
    bounce_dma before = dma;
    bounce_map_request request = unit::make_request(device, orig, 1);
    bounce_mapping mapping = {1, 2, 3, 4, 5, BOUNCE_DIRECT};
    bounce_map_result result = {};
    EXPECT_EQ(bounce_dma_map(&dma, &request, BOUNCE_TO_DEVICE, true, &mapping, &result),
              BOUNCE_MAP_FULL);
    EXPECT_EQ(mapping.dma_addr, 1u);
    EXPECT_EQ(mapping.state, BOUNCE_DIRECT);
    EXPECT_EQ(dma.copies, before.copies);
}

// The pool lies at 256 MiB: a device that reaches 16 MiB cannot use what it gets.
TEST_F(DmaTest, SlotsAboveTheMaskAreGivenBack) {
    device.dma_mask = 0xffffff;
    bounce_map_request request = unit::make_request(device, orig, 4096);
    bounce_mapping mapping = {};
    bounce_map_result result = {};
    EXPECT_EQ(bounce_dma_map(&dma, &request, BOUNCE_TO_DEVICE, true, &mapping, &result),
              BOUNCE_MAP_UNREACHABLE);
    EXPECT_EQ(mapping.state, BOUNCE_UNMAPPED);
    EXPECT_EQ(result.outcome, BOUNCE_MAP_UNREACHABLE);
    EXPECT_EQ(result.tlb_addr, 0u);
    EXPECT_EQ(used(), 0u);
    EXPECT_EQ(bounce_swiotlb_get_counts(mem.get())->used_hiwater, 2u) << "they were taken first";
    device.dma_mask = unit::pool_start + 0x2fff; // the next two slots end exactly there
    EXPECT_EQ(bounce_dma_map(&dma, &request, BOUNCE_TO_DEVICE, true, &mapping, &result),
              BOUNCE_MAP_OK);
}

TEST_F(DmaTest, CoherentMemoryIsNeverCopied) {
    bounce_map_request request = unit::make_request(device, orig, 8192);
    bounce_mapping mapping = {};
    bounce_map_result result = {};
    EXPECT_EQ(bounce_dma_alloc(&dma, &request, &mapping, &result), BOUNCE_MAP_OK);
    EXPECT_EQ(mapping.state, BOUNCE_COHERENT);
    EXPECT_EQ(mapping.slots, 4u);
    EXPECT_EQ(bounce_dma_sync(&dma, &device, &mapping, 0, 100, true).bytes, 0u);
    EXPECT_EQ(bounce_dma_unmap(&dma, &device, &mapping, 0), 0u);
    EXPECT_EQ(dma.copies, 0u);
    EXPECT_EQ(used(), 0u);
}

} // namespace
