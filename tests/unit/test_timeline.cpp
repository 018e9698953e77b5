// SPDX-License-Identifier: Apache-2.0
// Rows are bounded, peaks survive merging, counts add up.
#include "pool.hpp"

#include "bounce/timeline.h"

#include <algorithm>
#include <vector>

namespace {

struct row {
    bounce_timeline_row values;
    std::vector<std::uint32_t> areas;
};

class TimelineTest : public testing::Test {
  protected:
    TimelineTest() : mem(unit::make_pool(1024, 4)), device(unit::make_device()) {}
    ~TimelineTest() override {
        bounce_timeline_destroy(timeline);
    }
    TimelineTest(const TimelineTest &) = delete;
    TimelineTest &operator=(const TimelineTest &) = delete;

    void create(std::size_t rows, std::uint32_t nareas = 4) {
        timeline = bounce_timeline_create(rows, nareas);
        ASSERT_NE(timeline, nullptr);
    }

    std::uint64_t map(std::uint64_t time_ns, std::uint64_t slots, std::uint32_t cpu = 0) {
        bounce_map_request request = unit::make_request(device, 0x1000, slots * 2048, cpu);
        bounce_map_result result = {};
        bounce_swiotlb_map(mem.get(), &request, &result);
        EXPECT_EQ(result.outcome, BOUNCE_MAP_OK);
        bounce_timeline_note(timeline, time_ns, mem.get(), true);
        return result.tlb_addr;
    }

    void unmap(std::uint64_t time_ns, std::uint64_t address) {
        EXPECT_GT(bounce_swiotlb_unmap(mem.get(), &device, address), 0u);
        bounce_timeline_note(timeline, time_ns, mem.get(), false);
    }

    std::vector<row> rows() {
        std::vector<row> all;
        const std::uint32_t *areas = nullptr;
        for (std::size_t i = 0;
             const bounce_timeline_row *r = bounce_timeline_get_row(timeline, i, &areas); i++)
            all.push_back({*r, {areas, areas + bounce_timeline_areas(timeline)}});
        return all;
    }

    unit::mem_ptr mem;
    bounce_device device;
    bounce_timeline *timeline = nullptr;
};

TEST_F(TimelineTest, IsEmptyAtFirst) {
    create(16);
    EXPECT_TRUE(rows().empty());
    EXPECT_EQ(bounce_timeline_areas(timeline), 4u);
}

TEST_F(TimelineTest, ListsAtMostSixtyFourAreas) {
    create(16, 4096);
    EXPECT_EQ(bounce_timeline_areas(timeline), BOUNCE_TIMELINE_AREAS_MAX);
}

TEST_F(TimelineTest, OneRowHoldsEndAndPeak) {
    create(16);
    std::uint64_t a = map(10, 3, 0), b = map(20, 5, 1);
    unmap(30, a);
    ASSERT_EQ(rows().size(), 1u);
    row r = rows()[0];
    EXPECT_EQ(r.values.time_ns, 0u);
    EXPECT_EQ(r.values.used, 5u);
    EXPECT_EQ(r.values.used_max, 8u);
    EXPECT_EQ(r.values.used_hiwater, 8u);
    EXPECT_EQ(r.values.maps, 2u);
    EXPECT_EQ(r.values.nslabs, 1024u);
    EXPECT_EQ(r.values.free_segments_min, 6u);
    EXPECT_EQ(r.areas, (std::vector<std::uint32_t>{3, 5, 0, 0}));
    unmap(40, b);
    EXPECT_EQ(rows()[0].values.used, 0u);
    EXPECT_EQ(rows()[0].values.used_max, 8u);
}

TEST_F(TimelineTest, StaysBoundedAndKeepsPeaksAndCounts) {
    create(16);
    std::uint64_t maps = 0, peak = 0;
    for (std::uint64_t i = 0; i < 5000; i++) {
        std::uint64_t slots = i == 2718 ? 100 : 1 + i % 7; // one peak among 5000
        std::uint64_t address = map(i * 997, slots, static_cast<std::uint32_t>(i % 3));
        maps++;
        peak = std::max(peak, slots);
        unmap(i * 997 + 1, address);
        if (i % 1000 == 17)
            bounce_timeline_note_full(timeline, i * 997 + 2, BOUNCE_CAUSE_FRAGMENTED);
        ASSERT_LE(rows().size(), 16u);
    }
    std::uint64_t seen = 0, highest = 0, full = 0, last = 0, interval = 0;
    std::uint32_t area_peak = 0;
    interval = bounce_timeline_interval_ns(timeline);
    EXPECT_GE(rows().size(), 8u) << "merging halves, it does not throw away";
    for (const row &r : rows()) {
        EXPECT_EQ(r.values.time_ns % interval, 0u);
        EXPECT_TRUE(r.values.time_ns > last || r.values.time_ns == 0);
        last = r.values.time_ns;
        seen += r.values.maps;
        full += r.values.full[BOUNCE_CAUSE_FRAGMENTED];
        highest = std::max(highest, r.values.used_max);
        area_peak = std::max(area_peak, r.areas[2718 % 3]);
        bool has_peak = 2718ull * 997 / interval * interval == r.values.time_ns;
        EXPECT_EQ(r.values.used_max == 100, has_peak);
    }
    EXPECT_EQ(seen, maps);
    EXPECT_EQ(full, 5u);
    EXPECT_EQ(highest, peak);
    EXPECT_EQ(area_peak, 100u);
}

TEST_F(TimelineTest, CoversAGapOfAnyLength) {
    create(16);
    map(0, 1);
    for (std::uint64_t i = 1; i <= 40; i++)
        map(std::uint64_t{1} << i, 1);
    map(std::uint64_t{1} << 62, 1);
    EXPECT_LE(rows().size(), 16u);
    std::uint64_t maps = 0;
    for (const row &r : rows())
        maps += r.values.maps;
    EXPECT_EQ(maps, 42u);
    EXPECT_EQ(rows().back().values.used, 42u);
}

TEST_F(TimelineTest, TimesThatStepBackAreClamped) {
    create(16);
    map(50000, 2);
    map(10000, 3);
    ASSERT_EQ(rows().size(), 1u);
    EXPECT_EQ(rows()[0].values.used, 5u);
    EXPECT_EQ(rows()[0].values.maps, 2u);
}

TEST_F(TimelineTest, AFullEventAloneHasARowWithThePoolAsItWas) {
    create(16);
    map(0, 7);
    bounce_timeline_note_full(timeline, 5000, BOUNCE_CAUSE_EXHAUSTED);
    ASSERT_EQ(rows().size(), 2u);
    const row r = rows()[1];
    EXPECT_EQ(r.values.full[BOUNCE_CAUSE_EXHAUSTED], 1u);
    EXPECT_EQ(r.values.used, 7u);
    EXPECT_EQ(r.values.used_max, 7u);
    EXPECT_EQ(r.values.maps, 0u);
    EXPECT_EQ(r.values.nslabs, 1024u);
    EXPECT_EQ(rows()[0].values.full[BOUNCE_CAUSE_EXHAUSTED], 0u);
}

// Until its first event a row has what was in use when it began.
TEST_F(TimelineTest, ARowBeginsWithWhatIsInUse) {
    create(16);
    std::uint64_t address = map(0, 9);
    unmap(5500, address);
    ASSERT_EQ(rows().size(), 2u);
    EXPECT_EQ(rows()[1].values.used, 0u);
    EXPECT_EQ(rows()[1].values.used_max, 9u);
    EXPECT_EQ(rows()[1].values.maps, 0u);
}

TEST_F(TimelineTest, APeakStaysInItsRow) {
    create(16);
    std::uint64_t address = map(0, 100);
    unmap(1, address);
    bounce_timeline_note_full(timeline, 5000, BOUNCE_CAUSE_FRAGMENTED);
    ASSERT_EQ(rows().size(), 2u);
    EXPECT_EQ(rows()[0].values.used_max, 100u);
    EXPECT_EQ(rows()[1].values.used_max, 0u);
    EXPECT_EQ(rows()[1].values.used_hiwater, 100u);
}

} // namespace
