// SPDX-License-Identifier: Apache-2.0
// Order, pairs and bounds of request traces, whatever their format: told with the CSV.
#include "reading.hpp"

#include <gtest/gtest.h>

namespace {

std::string csv(const std::vector<std::string> &rows, const char *header = "time_ns,op,size,id") {
    std::string text = std::string(header) + "\n";
    for (const std::string &row : rows)
        text += row + "\n";
    return text;
}

std::vector<std::uint64_t> times(const reading::outcome &out) {
    std::vector<std::uint64_t> all;
    for (const bounce_event &event : out.events)
        all.push_back(event.time_ns);
    return all;
}

using list = std::vector<std::uint64_t>;

TEST(Records, TimesBeginAtZeroAndAreSorted) {
    reading::outcome out =
        reading::read(csv({"5000,read,512,1", "7000,read,512,2", "4000,read,512,3",
                           "6000,complete,,2", "8000,complete,,2"}));
    EXPECT_EQ(out.status, BOUNCE_END);
    EXPECT_EQ(times(out), (list{0, 1000, 3000, 4000}));
    EXPECT_EQ(out.counts.first_ns, 4000u);
    EXPECT_EQ(out.counts.span_ns, 4000u);
    EXPECT_EQ(out.counts.unmatched_unmaps, 1u); // at 6000 request 2 had not begun
    EXPECT_EQ(out.counts.late_records, 0u);
    EXPECT_TRUE(out.recorded.has_completions);
}

TEST(Records, LaterThanTheWindowIsCounted) {
    std::vector<std::string> rows;
    for (int i = 0; i < 20000; i++)
        rows.push_back(std::to_string(1000000 + i * 10) + ",read,512,");
    rows.push_back("1000005,read,512,");
    reading::outcome out = reading::read(csv(rows));
    EXPECT_EQ(out.counts.late_records, 1u);
    EXPECT_EQ(out.counts.time_steps_back, 0u);
    EXPECT_EQ(out.number, 20001u);
    EXPECT_TRUE(std::is_sorted(out.events.begin(), out.events.end(),
                               [](auto &a, auto &b) { return a.time_ns < b.time_ns; }));
}

TEST(Records, AStepBackOfMoreThanASecondBeginsAnew) {
    reading::outcome out =
        reading::read(csv({"0,read,512,1", "9000000000,read,512,2", "100,read,512,1",
                           "50,read,512,3", "300,complete,,1"}));
    EXPECT_EQ(out.counts.time_steps_back, 1u);
    EXPECT_EQ(out.counts.late_records, 1u); // 50 ns before the first of the second recording
    ASSERT_EQ(out.number, 6u);
    EXPECT_EQ(out.events[2].kind, BOUNCE_EVENT_RESTART);
    EXPECT_EQ(out.events[5].kind, BOUNCE_EVENT_COMPLETE);
    EXPECT_EQ(out.events[5].time_ns, 9000000200u);
    EXPECT_EQ(out.counts.unmatched_unmaps, 0u);
    EXPECT_EQ(out.counts.implied_unmaps, 0u);
}

TEST(Records, ResponsesEndRequestsInOrder) {
    reading::outcome out =
        reading::read(csv({"0,read,512,5000", "1000,read,512,100", "2000,read,512,0"},
                          "time_ns,op,size,response_ns"));
    EXPECT_EQ(times(out), (list{0, 1000, 1100, 2000, 2000, 5000}));
    EXPECT_EQ(out.events[2].handle, out.events[1].handle);
    EXPECT_EQ(out.events[5].handle, out.events[0].handle);
    EXPECT_EQ(out.counts.span_ns, 2000u); // of the records
}

TEST(Records, HandlesAreUsedAgain) {
    std::vector<std::string> rows;
    for (int i = 0; i < 30000; i++) {
        rows.push_back(std::to_string(i * 10) + ",read,512," + std::to_string(i));
        rows.push_back(std::to_string(i * 10 + 15) + ",complete,," + std::to_string(i));
    }
    reading::outcome out = reading::read(csv(rows));
    EXPECT_EQ(out.number, 60000u);
    for (const bounce_event &event : out.events)
        ASSERT_LT(event.handle, 2u);
}

TEST(Records, TheSameRequestAgainMeansALostCompletion) {
    reading::outcome out = reading::read(csv({"0,read,512,1", "10,read,1024,1", "20,complete,,1"}));
    EXPECT_EQ(out.counts.implied_unmaps, 1u);
    ASSERT_EQ(out.number, 4u);
    EXPECT_EQ(out.events[1].flags, BOUNCE_EVENT_IMPLIED);
    EXPECT_EQ(out.events[3].size, 1024u);
}

TEST(Records, WithoutCompletionsNothingIsRemembered) {
    constexpr int count = 600000; // more than can be live at once
    std::string text = "time_ns,op,size,id\n";
    for (int i = 0; i < count; i++)
        text += std::to_string(i) + ",write,4096," + std::to_string(i) + "\n";
    reading::outcome out = reading::read(text, {}, 1 << 16, 0);
    EXPECT_EQ(out.number, static_cast<std::uint64_t>(count));
    EXPECT_EQ(out.counts.not_tracked, 0u);
    EXPECT_FALSE(out.recorded.has_completions);
}

TEST(Records, LiveRequestsAreBounded) {
    std::string text = "time_ns,op,size,id\n0,read,512,x";
    text = "time_ns,op,size,id\n0,read,512,0\n1,complete,,0\n";
    for (int i = 1; i < 600000; i++)
        text += std::to_string(i) + ",write,4096," + std::to_string(i) + "\n";
    reading::outcome out = reading::read(text, {}, 1 << 16, 0);
    EXPECT_EQ(out.counts.not_tracked, 599999u - (1u << 19));
}

TEST(Records, SizesAreExactForManyKinds) {
    std::string text = "time_ns,op,size\n";
    for (int i = 1; i <= 60001; i++)
        text += std::to_string(i) + ",write," + std::to_string(i * 512) + "\n";
    reading::outcome out = reading::read(text, {}, 1 << 16, 0);
    EXPECT_EQ(out.requests.count, 60001u);
    EXPECT_EQ(out.requests.size_min, 512u);
    EXPECT_EQ(out.requests.size_median, 30001u * 512);
    EXPECT_EQ(out.requests.size_max, 60001u * 512);
    EXPECT_EQ(out.requests.writes, 60001u);
}

TEST(Records, MoreKindsOfSizesThanAreKept) {
    std::string text = "time_ns,op,size\n";
    for (int i = 1; i <= 200000; i++)
        text += std::to_string(i) + ",read," + std::to_string(i) + "\n";
    reading::outcome out = reading::read(text, {}, 1 << 16, 0);
    EXPECT_EQ(out.requests.count, 200000u);
    EXPECT_NEAR(static_cast<double>(out.requests.size_median), 100000, 2000);
}

TEST(Records, ThousandsOfDevices) {
    std::string text;
    for (int i = 0; i < 6000; i++)
        text += std::to_string(i) + ",W,0,4096," + std::to_string(i) + "\n";
    reading::outcome out = reading::read(text);
    EXPECT_EQ(out.status, BOUNCE_END);
    EXPECT_EQ(out.format, "alibaba");
    EXPECT_EQ(out.devices.size(), 4096u);
    EXPECT_EQ(out.events.back().device, 4095u);
    EXPECT_EQ(out.counts.shared_devices, 6000u - 4096u);
}

TEST(Records, NumbersBeyondReasonAreRefused) {
    for (const char *row :
         {"0,read,4294967297,1,0", "0,read,512,1,8192", "0,read,99999999999999999999,1,0"}) {
        reading::outcome out = reading::read(csv({row}, "time_ns,op,size,id,cpu"));
        EXPECT_EQ(out.status, BOUNCE_MALFORMED) << row;
        EXPECT_EQ(out.error.line, 2u) << row;
    }
}

} // namespace
