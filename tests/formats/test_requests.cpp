// SPDX-License-Identifier: Apache-2.0
// Requests made into mappings: how they are cut, when they end, what is remembered.
#include "reading.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

constexpr std::uint64_t kib = 1024;

struct stream {
    std::vector<bounce_event> events;
    std::uint32_t held = 0;
    std::vector<bounce_device> devices{2};

    stream() {
        bounce_device_init(&devices[0], "plain");
        bounce_device_init(&devices[1], "nvme");
        devices[1].min_align_mask = 0xfff;
    }
    void issue(std::uint64_t time, std::uint32_t handle, std::uint64_t size,
               std::uint16_t segments = 0, std::uint16_t device = 0,
               bounce_dir dir = BOUNCE_TO_DEVICE) {
        bounce_event event = {};
        event.kind = BOUNCE_EVENT_ISSUE;
        event.time_ns = time;
        event.handle = handle;
        event.size = size;
        event.segments = segments;
        event.device = device;
        event.dir = static_cast<std::uint8_t>(dir);
        event.list = BOUNCE_NO_LIST;
        events.push_back(event);
    }
    void plain(bounce_event_kind kind, std::uint64_t time, std::uint32_t handle = 0) {
        bounce_event event = {};
        event.kind = static_cast<std::uint8_t>(kind);
        event.time_ns = time;
        event.handle = handle;
        events.push_back(event);
    }
    std::vector<bounce_event> maps(bool assume = false, std::uint64_t service = 1000,
                                   bounce_requests_counts *counts = nullptr,
                                   std::size_t capacity = 64) const {
        return reading::mappings(events, devices, {assume, service, 0, held}, 100, capacity,
                                 counts);
    }
};

std::vector<std::uint64_t> sizes(const std::vector<bounce_event> &events) {
    std::vector<std::uint64_t> all;
    for (const bounce_event &event : events)
        if (event.kind == BOUNCE_EVENT_MAP)
            all.push_back(event.size);
    return all;
}

using list = std::vector<std::uint64_t>;

TEST(Requests, OneMappingUpToTheLargest) {
    stream s;
    s.issue(0, 0, 4096);
    s.issue(1, 1, 256 * kib);
    s.issue(2, 2, 256 * kib + 512);
    s.issue(3, 3, 1024 * kib);
    bounce_requests_counts counts = {};
    EXPECT_EQ(sizes(s.maps(false, 0, &counts)),
              (list{4096, 256 * kib, 256 * kib, 512, 256 * kib, 256 * kib, 256 * kib, 256 * kib}));
    EXPECT_EQ(counts.requests, 4u);
    EXPECT_EQ(counts.mappings, 8u);
    EXPECT_EQ(counts.split, 2u);
    EXPECT_EQ(counts.outstanding, 4u);
}

TEST(Requests, SlotsOfOthersStandInFront) {
    stream s;
    s.held = 5;
    s.issue(7, 0, 4096);
    s.issue(8, 1, 4096);
    s.plain(BOUNCE_EVENT_COMPLETE, 9, 0);
    for (std::size_t capacity : {1u, 3u, 64u}) {
        std::vector<bounce_event> made = s.maps(false, 0, nullptr, capacity);
        ASSERT_EQ(made.size(), 8u);
        std::set<std::uint32_t> handles;
        for (std::size_t i = 0; i < 7; i++) {
            EXPECT_EQ(made[i].flags & BOUNCE_EVENT_HELD, i < 5 ? BOUNCE_EVENT_HELD : 0);
            EXPECT_EQ(made[i].size, i < 5 ? 2048u : 4096u);
            EXPECT_EQ(made[i].time_ns, i < 6 ? 7u : 8u);
            handles.insert(made[i].handle);
        }
        EXPECT_EQ(handles.size(), 7u);
        EXPECT_EQ(made[7].kind, BOUNCE_EVENT_UNMAP);
        EXPECT_EQ(made[7].handle, made[5].handle);
    }
}

TEST(Requests, MinAlignMaskTakesAPage) {
    stream s;
    s.issue(0, 0, 256 * kib, 0, 1);
    EXPECT_EQ(sizes(s.maps()), (list{252 * kib, 4 * kib}));
    s.devices[1].min_align_mask = 0xffff;
    EXPECT_EQ(sizes(s.maps()), (list{192 * kib, 64 * kib}));
    s.devices[1].min_align_mask = 0xffffffff;
    EXPECT_EQ(sizes(s.maps()), (list{128 * kib, 128 * kib}));
}

TEST(Requests, SegmentsAreAScatterList) {
    stream s;
    s.issue(0, 0, 45056, 9); // 11 pages
    s.issue(1, 1, 4096, 3);
    s.issue(2, 2, 1000, 60000); // two sectors, the last one cut
    s.issue(3, 3, 1024 * kib, 2);
    std::vector<bounce_event> events = s.maps();
    EXPECT_EQ(sizes(events), (list{8192, 8192, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 1536, 1536,
                                   1024, 512, 488, 256 * kib, 256 * kib, 256 * kib, 256 * kib}));
    for (std::size_t i = 0; i < 9; i++) {
        EXPECT_EQ(events[i].list, events[0].handle);
        EXPECT_TRUE(events[i].flags & BOUNCE_EVENT_IN_LIST);
        EXPECT_EQ((events[i].flags & BOUNCE_EVENT_LIST_FIRST) != 0, i == 0);
        EXPECT_EQ((events[i].flags & BOUNCE_EVENT_LIST_LAST) != 0, i == 8);
    }
}

TEST(Requests, SinglePiecesAreNoLists) {
    stream s;
    s.issue(0, 0, 1024 * kib);
    s.issue(1, 1, 4096, 1);
    for (const bounce_event &event : s.maps()) {
        EXPECT_EQ(event.list, BOUNCE_NO_LIST);
        EXPECT_EQ(event.flags, 0);
    }
}

TEST(Requests, BuffersArePagesAboveFourGiB) {
    stream s;
    for (std::uint32_t i = 0; i < 1000; i++)
        s.issue(i, i, 4096);
    std::vector<bounce_event> once = s.maps(), again = s.maps();
    ASSERT_EQ(once.size(), 1000u);
    for (std::size_t i = 0; i < once.size(); i++) {
        EXPECT_EQ(once[i].orig_addr % 4096, 0u);
        EXPECT_GE(once[i].orig_addr, std::uint64_t{1} << 32);
        EXPECT_LT(once[i].orig_addr, (std::uint64_t{1} << 32) + (std::uint64_t{1} << 36));
        EXPECT_EQ(once[i].orig_addr, again[i].orig_addr);
    }
    EXPECT_NE(once[0].orig_addr,
              reading::mappings(s.events, s.devices, {false, 0, 1, 0})[0].orig_addr);
}

TEST(Requests, EndWhenCompleted) {
    stream s;
    s.issue(0, 0, 8192, 2, 0, BOUNCE_FROM_DEVICE);
    s.issue(10, 1, 4096);
    s.plain(BOUNCE_EVENT_COMPLETE, 20, 0);
    s.issue(30, 0, 512);
    s.plain(BOUNCE_EVENT_COMPLETE, 40, 0);
    s.plain(BOUNCE_EVENT_COMPLETE, 50, 7); // never issued
    bounce_requests_counts counts = {};
    std::vector<bounce_event> events = s.maps(false, 0, &counts);
    ASSERT_EQ(events.size(), 7u);
    EXPECT_EQ(events[3].kind, BOUNCE_EVENT_UNMAP);
    EXPECT_EQ(events[3].time_ns, 20u);
    EXPECT_EQ(events[3].handle, events[0].handle);
    EXPECT_EQ(events[3].dir, BOUNCE_FROM_DEVICE);
    EXPECT_EQ(events[4].handle, events[1].handle);
    EXPECT_EQ(events[6].kind, BOUNCE_EVENT_UNMAP);
    EXPECT_EQ(counts.outstanding, 1u);
}

TEST(Requests, EndAfterTheAssumedTime) {
    stream s;
    for (std::uint32_t i = 0; i < 5; i++)
        s.issue(i * 400, 0, 4096);
    s.plain(BOUNCE_EVENT_COMPLETE, 1700); // of no meaning then
    std::vector<bounce_event> events = s.maps(true, 1000);
    std::vector<std::pair<int, std::uint64_t>> got;
    for (const bounce_event &event : events)
        got.emplace_back(event.kind, event.time_ns);
    constexpr int map = BOUNCE_EVENT_MAP, unmap = BOUNCE_EVENT_UNMAP;
    EXPECT_EQ(got, (std::vector<std::pair<int, std::uint64_t>>{{map, 0},
                                                               {map, 400},
                                                               {map, 800},
                                                               {unmap, 1000},
                                                               {map, 1200},
                                                               {unmap, 1400},
                                                               {map, 1600},
                                                               {unmap, 1800},
                                                               {unmap, 2200},
                                                               {unmap, 2600}}));
}

TEST(Requests, SameWhateverTheBatches) {
    stream s;
    for (std::uint32_t i = 0; i < 300; i++) {
        s.issue(i * 10, i % 7, 4096 + i * 3000, static_cast<std::uint16_t>(i % 20));
        if (i >= 6)
            s.plain(BOUNCE_EVENT_COMPLETE, i * 10 + 5, (i + 1) % 7);
    }
    for (bool assume : {false, true}) {
        bounce_requests_config config = {assume, 95, 0, 0};
        std::vector<bounce_event> one = reading::mappings(s.events, s.devices, config, 1000, 4096);
        for (std::size_t batch : {1, 3, 64})
            for (std::size_t capacity : {1, 2, 50}) {
                std::vector<bounce_event> other =
                    reading::mappings(s.events, s.devices, config, batch, capacity);
                ASSERT_EQ(one.size(), other.size());
                for (std::size_t i = 0; i < one.size(); i++) {
                    EXPECT_EQ(one[i].id, other[i].id);
                    EXPECT_EQ(one[i].handle, other[i].handle);
                    EXPECT_EQ(one[i].time_ns, other[i].time_ns);
                    EXPECT_EQ(one[i].kind, other[i].kind);
                }
            }
    }
}

TEST(Requests, RestartForgetsThem) {
    for (bool assume : {false, true}) {
        stream s;
        s.issue(0, 0, 4096);
        s.issue(0, 1, 8192, 2);
        s.plain(BOUNCE_EVENT_RESTART, 10);
        s.plain(BOUNCE_EVENT_COMPLETE, 20, 1);
        s.issue(30, 0, 4096);
        bounce_requests_counts counts = {};
        std::vector<bounce_event> events = s.maps(assume, 100, &counts);
        ASSERT_EQ(events.size(), assume ? 6u : 5u);
        EXPECT_EQ(events[3].kind, BOUNCE_EVENT_RESTART);
        EXPECT_EQ(events[4].kind, BOUNCE_EVENT_MAP);
        EXPECT_EQ(events[4].handle, 0u);
        EXPECT_EQ(counts.outstanding, assume ? 0u : 1u);
    }
}

TEST(Requests, LiveMappingsAreBounded) {
    stream s;
    for (std::uint32_t i = 0; i < 70; i++)
        s.issue(i, i, std::uint64_t{4} << 30); // 16,384 mappings each
    bounce_requests_counts counts = {};
    std::size_t maps = s.maps(false, 0, &counts, 4096).size();
    EXPECT_EQ(maps, BOUNCE_REQUESTS_LIVE);
    EXPECT_EQ(counts.not_tracked, 6u);
    EXPECT_EQ(counts.requests, 64u);
}

} // namespace
