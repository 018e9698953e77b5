// SPDX-License-Identifier: Apache-2.0
// The request platform: what a request is cut into before it is mapped.
#include "requests.hpp"

#include <gtest/gtest.h>

using namespace bouncesim::models;

namespace {

TEST(requests, larger_ones_are_cut) {
    request_stream s("nvme");
    s.config.scattered_percent = 0;
    s.issue(0, 0, 1 << 20);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.arrived, 5u); // 252 KiB at most
    EXPECT_EQ(seen.requests.split, 1u);
    EXPECT_EQ(seen.maps.size(), 5u);
}

TEST(requests, cuts_follow_the_size_of_slot_sets) {
    request_stream s("nvme");
    s.config.scattered_percent = 0;
    s.config.replay.pool.segment_slots = 32;
    s.issue(0, 0, 1 << 20);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.arrived, 18u); // 60 KiB at most
    EXPECT_EQ(seen.stats.events_full, 0u);
}

TEST(requests, a_boundary_leaves_room_for_fewer_bytes_in_so_many_segments) {
    request_stream s("virtio-blk");
    s.model.seg_boundary = 0xffff;
    s.issue(0, 0, 16 << 20);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.arrived, 2u); // 253 segments of 64 KiB
    EXPECT_EQ(seen.stats.events_full, 0u);
    for (const mapping_row &map : seen.maps)
        EXPECT_LE(map.size, 65536u);
}

TEST(requests, pieces_are_those_that_the_trace_tells) {
    struct {
        const char *model;
        uint64_t size;
        uint16_t segments;
        std::vector<uint64_t> sizes;
    } cases[] = {
        {"nvme", 65536, 4, {16384, 16384, 16384, 16384}},
        {"nvme", 40960, 3, {16384, 12288, 12288}},
        {"nvme", 2048, 4, {2048}}, // PRP: no pieces of less than a page
        {"ahci", 2048, 4, {512, 512, 512, 512}},
        {"nvme", 131072, 1, {131072}},
        {"generic", 65536, 4, {65536}},
        {"nvme", 516096, 4, {131072, 126976, 131072, 126976}}, // cut in two
        {"virtio-blk", 8192, 2, {16, 4096, 4096, 1, 64}},
    };
    for (const auto &each : cases) {
        request_stream s(each.model);
        s.config.scattered_percent = 100;
        for (uint32_t i = 0; i < 3; i++) { // buffers are used again
            s.issue(i * 1000000, 0, each.size).segments = each.segments;
            s.complete(i * 1000000 + 1000, 0);
        }
        request_outcome seen = run_requests(s);
        std::vector<uint64_t> sizes;
        for (std::size_t i = 0; i < seen.maps.size() / 3; i++)
            sizes.push_back(seen.maps[i].size);
        EXPECT_EQ(sizes, each.sizes) << each.model << ' ' << each.size;
        for (std::size_t i = sizes.size(); i < seen.maps.size(); i++)
            EXPECT_EQ(seen.maps[i].size, sizes[i % sizes.size()]);
        EXPECT_EQ(seen.stats.swiotlb_used, 0u);
    }
}

TEST(requests, gaps_are_where_the_device_takes_them) {
    request_stream s("nvme");
    s.config.scattered_percent = 100;
    s.model.gap_mask = 0xffff;
    for (uint32_t i = 0; i < 20; i++) {
        s.issue(i * 1000000, 0, 131072);
        s.complete(i * 1000000 + 1000, 0);
    }
    EXPECT_EQ(run_requests(s).maps.size(), 20u);
    s.model.gap_mask = 0xfff;
    EXPECT_GT(run_requests(s).maps.size(), 100u);
}

TEST(requests, nvme_behind_an_iommu_splits_at_128_kib) {
    for (uint64_t iommu : {0u, 1u, 2u}) {
        request_stream s("nvme");
        s.config.scattered_percent = 0;
        s.model.iommu = iommu;
        s.issue(0, 0, 516096);
        s.complete(1000, 0);
        EXPECT_EQ(run_requests(s).requests.arrived, iommu ? 4u : 2u);
    }
}

TEST(requests, isa_stays_below_its_boundary) {
    request_stream s("isa-dma");
    s.config.replay.pool.start = 0x400000;
    s.config.replay.pool.nslabs = 1024;
    for (uint32_t i = 0; i < 200; i++) {
        s.issue(i * 100000000, 0, 1 + i * 997 % 65536);
        s.complete(i * 100000000 + 1000, 0);
    }
    for (const mapping_row &map : run_requests(s).maps) {
        ASSERT_EQ(map.outcome, BOUNCE_MAP_OK);
        EXPECT_EQ(map.tlb_addr >> 16, (map.tlb_addr + map.size - 1) >> 16);
        EXPECT_LT(map.tlb_addr + map.size, uint64_t{1} << 24);
    }
}

} // namespace
