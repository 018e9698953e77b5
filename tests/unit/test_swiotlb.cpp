// SPDX-License-Identifier: Apache-2.0
// The contract of the allocator's calls where the lockstep test does not look: refusals, no pool,
// the largest mapping, restart.
#include "pool.hpp"

#include <string>

namespace {

using unit::make_device;
using unit::make_pool;
using unit::make_request;

bounce_status create(const bounce_swiotlb_config &config, std::string *text = nullptr) {
    bounce_swiotlb *made = nullptr;
    bounce_error error = {};
    bounce_status status = bounce_swiotlb_create(&config, &made, &error);
    bounce_swiotlb_destroy(made);
    if (text)
        *text = error.text;
    return status;
}

TEST(Create, RefusesWhatNoKernelHas) {
    std::string text;
    auto refused = [&](auto change) {
        bounce_swiotlb_config config = unit::pool_config(1024, 4);
        change(config);
        text.clear();
        EXPECT_EQ(create(config, &text), BOUNCE_INVALID);
        EXPECT_GT(text.size(), 10u);
    };
    refused([](auto &c) { c.start = 0x10000800; });
    refused([](auto &c) { c.start = 1; });
    refused([](auto &c) { c.start = UINT64_MAX - 0xfff; });
    refused([](auto &c) { c.nareas = 0; });
    refused([](auto &c) { c.nareas = 3; });
    refused([](auto &c) { c.nareas = 16; });   // 64 slots an area
    refused([](auto &c) { c.nslabs = 1000; }); // areas are not whole slot sets
    refused([](auto &c) { c.nslabs = BOUNCE_MAX_NSLABS + 1ull; });
    refused([](auto &c) { c.nslabs = UINT64_MAX; });
    EXPECT_EQ(create(unit::pool_config(1024, 4)), BOUNCE_OK);
    EXPECT_EQ(create(unit::pool_config(1000, 1)), BOUNCE_OK); // a restricted pool
}

TEST(Create, WithoutAPoolEveryMapFails) {
    unit::mem_ptr mem = make_pool(0);
    bounce_device device = make_device();
    bounce_map_request request = make_request(device, 0x1000, 4096);
    bounce_map_result result = {};
    bounce_pressure pressure = {};
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.outcome, BOUNCE_MAP_FULL);
    EXPECT_EQ(result.tlb_addr, 0u);
    EXPECT_EQ(result.slots, 0u);
    bounce_swiotlb_pressure(mem.get(), &request, false, &pressure);
    EXPECT_EQ(pressure.cause, BOUNCE_CAUSE_NO_POOL);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, 0x1000), 0u);
    EXPECT_EQ(bounce_swiotlb_sync(mem.get(), &device, 0x1000, 10).bytes, 0u);
    EXPECT_EQ(bounce_swiotlb_nareas(mem.get()), 0u);
    EXPECT_FALSE(bounce_swiotlb_run_worker(mem.get()));
    bounce_swiotlb_restart(mem.get());
    EXPECT_EQ(bounce_swiotlb_get_counts(mem.get())->nslabs, 0u);
    EXPECT_EQ(bounce_swiotlb_get_counts(mem.get())->used, 0u);
}

TEST(Map, TheLargestMappingIsASlotSet) {
    unit::mem_ptr mem = make_pool(256);
    bounce_device device = make_device();
    bounce_map_request request = make_request(device, 0x1000, 256 * 1024);
    bounce_map_result result = {};
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.outcome, BOUNCE_MAP_OK);
    EXPECT_EQ(result.slots, 128u);
    EXPECT_EQ(result.tlb_addr, unit::pool_start);
    request.size++;
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.outcome, BOUNCE_MAP_OVERSIZE);
}

TEST(Map, OffsetAndPaddingComeBeforeTheAddress) {
    unit::mem_ptr mem = make_pool(256);
    bounce_device device = make_device(0xffff);
    bounce_map_request request = make_request(device, 0x123456a0, 100);
    bounce_map_result result = {};
    request.alloc_align_mask = 0xffff;
    bounce_swiotlb_map(mem.get(), &request, &result);
    ASSERT_EQ(result.outcome, BOUNCE_MAP_OK);
    EXPECT_EQ(result.tlb_addr, unit::pool_start + 0x56a0);
    EXPECT_EQ(result.alloc_size, 0x10000u);
    EXPECT_EQ(result.slots, 32u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, unit::pool_start), 0u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, result.tlb_addr), 32u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, result.tlb_addr), 0u) << "freed twice";
    EXPECT_EQ(bounce_swiotlb_get_counts(mem.get())->used, 0u);
}

TEST(Map, MaxMappingSizeLeavesRoomForTheOffset) {
    EXPECT_EQ(bounce_swiotlb_max_mapping_size(0), 262144u);
    EXPECT_EQ(bounce_swiotlb_max_mapping_size(0x1ff), 260096u);
    EXPECT_EQ(bounce_swiotlb_max_mapping_size(0xfff), 258048u);
    EXPECT_EQ(bounce_swiotlb_max_mapping_size(0xffff), 196608u);
    EXPECT_EQ(bounce_swiotlb_max_mapping_size(UINT32_MAX), 0u);
}

TEST(Map, TheCursorGoesOnBehindTheLastBuffer) {
    unit::mem_ptr mem = make_pool(128);
    bounce_device device = make_device();
    bounce_map_request request = make_request(device, 0x1000, 2048);
    bounce_map_result first = {}, second = {}, third = {};
    bounce_swiotlb_map(mem.get(), &request, &first);
    bounce_swiotlb_unmap(mem.get(), &device, first.tlb_addr);
    bounce_swiotlb_map(mem.get(), &request, &second);
    EXPECT_EQ(second.tlb_addr, first.tlb_addr + 2048) << "a free slot is not reused at once";
    bounce_swiotlb_restart(mem.get());
    bounce_swiotlb_map(mem.get(), &request, &third);
    EXPECT_EQ(third.tlb_addr, unit::pool_start);
}

TEST(Map, AnotherAreaHelpsOut) {
    unit::mem_ptr mem = make_pool(256, 2);
    bounce_device device = make_device();
    bounce_map_request request = make_request(device, 0x1000, 256 * 1024, 1);
    bounce_map_result result = {};
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.tlb_addr, unit::pool_start + 128 * 2048);
    EXPECT_EQ(result.locks, 1u);
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.tlb_addr, unit::pool_start);
    EXPECT_EQ(result.locks, 2u);
    EXPECT_EQ(bounce_swiotlb_area_used(mem.get(), 0), 128u);
    request.size = 1;
    bounce_swiotlb_map(mem.get(), &request, &result);
    EXPECT_EQ(result.outcome, BOUNCE_MAP_FULL);
    EXPECT_EQ(result.locks, 2u);
    EXPECT_EQ(result.probes, 0u) << "areas without enough free slots are not searched";
}

TEST(Restart, KeepsPeaksAndForgetsBuffers) {
    unit::mem_ptr mem = make_pool(256);
    bounce_device device = make_device();
    bounce_map_request request = make_request(device, 0x1000, 5000);
    bounce_map_result result = {};
    bounce_swiotlb_map(mem.get(), &request, &result);
    bounce_swiotlb_counts before = *bounce_swiotlb_get_counts(mem.get());
    EXPECT_EQ(before.used, 3u);
    EXPECT_EQ(before.internal_bytes, 3u * 2048 - 5000);
    EXPECT_EQ(before.free_segments, 1u);
    bounce_swiotlb_restart(mem.get());
    const bounce_swiotlb_counts &after = *bounce_swiotlb_get_counts(mem.get());
    EXPECT_EQ(after.used, 0u);
    EXPECT_EQ(after.internal_bytes, 0u);
    EXPECT_EQ(after.free_segments, 2u);
    EXPECT_EQ(after.used_hiwater, 3u);
    EXPECT_EQ(after.free_segments_min, 1u);
    EXPECT_EQ(after.internal_bytes_hiwater, before.internal_bytes);
    EXPECT_EQ(after.probes, before.probes);
    EXPECT_EQ(after.locks, before.locks);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, result.tlb_addr), 0u);
}

TEST(Alloc, IsAlignedToItsSizeAndNeverCopied) {
    unit::mem_ptr mem = make_pool(256);
    bounce_device device = make_device(0xfff);
    bounce_map_request small = make_request(device, 0xdead, 100);
    bounce_map_request large = make_request(device, 0xdead, 5 * 4096);
    bounce_map_result result = {};
    bounce_swiotlb_alloc(mem.get(), &small, &result);
    EXPECT_EQ(result.tlb_addr, unit::pool_start);
    EXPECT_EQ(result.slots, 1u);
    EXPECT_EQ(bounce_swiotlb_sync(mem.get(), &device, result.tlb_addr, 100).bytes, 0u);
    bounce_swiotlb_alloc(mem.get(), &large, &result);
    EXPECT_EQ(result.tlb_addr, unit::pool_start + 8 * 4096);
    EXPECT_EQ(result.slots, 10u);
    EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &device, result.tlb_addr), 10u);
}

} // namespace
