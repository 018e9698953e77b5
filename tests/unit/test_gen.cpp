// SPDX-License-Identifier: Apache-2.0
// Distributions and the generator: known numbers, laws that every trace obeys.
#include "bounce/gen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace {

bounce_dist constant(std::uint64_t value) {
    return {BOUNCE_DIST_CONSTANT, value, 0, 0, nullptr, 0};
}

std::vector<std::uint64_t> draws(const bounce_dist &dist, int count, std::uint64_t seed = 1) {
    bounce_random random = {seed};
    std::vector<std::uint64_t> all;
    for (int i = 0; i < count; i++)
        all.push_back(bounce_dist_draw(&dist, &random));
    std::sort(all.begin(), all.end());
    return all;
}

double mean(const std::vector<std::uint64_t> &all) {
    double sum = 0;
    for (std::uint64_t value : all)
        sum += static_cast<double>(value);
    return sum / static_cast<double>(all.size());
}

// The reference values of SplitMix64 with seed 1234567.
TEST(random, known_numbers) {
    bounce_random random = {1234567};
    for (std::uint64_t want : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                               4593380528125082431u, 16408922859458223821u})
        EXPECT_EQ(bounce_random_next(&random), want);
}

TEST(random, below_is_below_and_even) {
    bounce_random random = {7};
    std::map<std::uint64_t, int> seen;
    for (int i = 0; i < 30000; i++)
        seen[bounce_random_below(&random, 3)]++;
    ASSERT_EQ(seen.size(), 3u);
    for (const auto &[value, count] : seen)
        EXPECT_NEAR(count, 10000, 400) << value;
    EXPECT_EQ(bounce_random_below(&random, 1), 0u);
}

TEST(dist, exponential_is_one) {
    std::vector<std::uint64_t> all =
        draws({BOUNCE_DIST_EXPONENTIAL, 1000000, 0, 0, nullptr, 0}, 40000);
    EXPECT_NEAR(mean(all), 1e6, 2e4);
    for (double share : {0.1, 0.5, 0.9, 0.99})
        EXPECT_NEAR(static_cast<double>(all[static_cast<std::size_t>(share * 40000)]),
                    -std::log(1 - share) * 1e6, 0.04e6 * (1 - std::log(1 - share)))
            << share;
}

TEST(dist, log_normal_has_its_median_and_p99) {
    std::vector<std::uint64_t> all =
        draws({BOUNCE_DIST_LOG_NORMAL, 90000, 600000, 0, nullptr, 0}, 40000);
    EXPECT_NEAR(static_cast<double>(all[20000]), 90000, 2500);
    EXPECT_NEAR(static_cast<double>(all[39600]), 600000, 50000);
    EXPECT_GT(all[0], 500u); // six sigma down
}

TEST(dist, uniform_keeps_its_steps) {
    for (std::uint64_t value : draws({BOUNCE_DIST_UNIFORM, 64, 4096, 64, nullptr, 0}, 5000)) {
        EXPECT_GE(value, 64u);
        EXPECT_LE(value, 4096u);
        EXPECT_EQ(value % 64, 0u);
    }
}

TEST(dist, values_by_weight) {
    const bounce_bin bins[] = {{512, 1}, {4096, 8}, {65536, 10}}; // weights 1, 7, 2
    std::vector<std::uint64_t> all = draws({BOUNCE_DIST_VALUES, 0, 0, 0, bins, 3}, 10000);
    EXPECT_NEAR(static_cast<double>(std::count(all.begin(), all.end(), 512u)), 1000, 150);
    EXPECT_NEAR(static_cast<double>(std::count(all.begin(), all.end(), 65536u)), 2000, 200);
    const bounce_dist empty = {BOUNCE_DIST_VALUES, 0, 0, 0, nullptr, 0};
    EXPECT_EQ(draws(empty, 1)[0], 0u);
}

TEST(dist, extremes_do_not_overflow) {
    draws({BOUNCE_DIST_EXPONENTIAL, UINT64_MAX, 0, 0, nullptr, 0}, 1000);
    draws({BOUNCE_DIST_LOG_NORMAL, 1, UINT64_MAX, 0, nullptr, 0}, 1000);
    draws({BOUNCE_DIST_UNIFORM, 0, UINT64_MAX, 0, nullptr, 0}, 1000);
}

struct made {
    std::vector<bounce_event> events;
    bounce_status status = BOUNCE_OK;
    bounce_error error = {};
};

made make(const bounce_gen_config &config, std::size_t capacity = 100) {
    made out;
    bounce_gen *gen = nullptr;
    out.status = bounce_gen_create(&config, &gen, &out.error);
    if (out.status != BOUNCE_OK)
        return out;
    std::vector<bounce_event> batch(capacity);
    std::size_t got = 0;
    while ((out.status = bounce_gen_next(gen, batch.data(), capacity, &got, &out.error)) ==
           BOUNCE_OK)
        out.events.insert(out.events.end(), batch.begin(),
                          batch.begin() + static_cast<std::ptrdiff_t>(got));
    bounce_gen_destroy(gen);
    return out;
}

const std::uint16_t cpus[] = {0, 1, 2, 3};

struct setup {
    bounce_gen_device device = {0, cpus, 4, 100, 0};
    bounce_gen_stream stream = {};
    bounce_gen_config config = {};

    setup() {
        stream.dir = BOUNCE_TO_DEVICE;
        stream.rate_mhz = 20000 * 1000; // 20,000 a second
        stream.size = constant(4096);
        stream.segments = constant(1);
        stream.lifetime_ns = {BOUNCE_DIST_EXPONENTIAL, 100000, 0, 0, nullptr, 0};
        config.duration_ns = 1000000000;
        config.seed = 1;
        config.devices = &device;
        config.ndevices = 1;
        config.streams = &stream;
        config.nstreams = 1;
    }
};

// Times never go back, ids do not repeat, a handle is live at most once, everything ends.
void check_laws(const made &trace, std::uint64_t left_live = 0) {
    std::map<std::uint32_t, bounce_event> live;
    std::uint64_t now = 0, next_id = 0;
    ASSERT_EQ(trace.status, BOUNCE_END) << trace.error.text;
    for (const bounce_event &event : trace.events) {
        ASSERT_GE(event.time_ns, now);
        now = event.time_ns;
        if (event.kind == BOUNCE_EVENT_MAP || event.kind == BOUNCE_EVENT_ISSUE) {
            ASSERT_EQ(event.id, next_id++);
            ASSERT_TRUE(live.emplace(event.handle, event).second);
            ASSERT_GT(event.size, 0u);
        } else {
            auto at = live.find(event.handle);
            ASSERT_NE(at, live.end());
            ASSERT_EQ(at->second.id, event.id);
            ASSERT_EQ(at->second.size, event.size);
            if (event.kind == BOUNCE_EVENT_UNMAP || event.kind == BOUNCE_EVENT_COMPLETE)
                live.erase(at);
        }
    }
    EXPECT_EQ(live.size(), left_live);
}

std::uint64_t begun(const made &trace) {
    return static_cast<std::uint64_t>(
        std::count_if(trace.events.begin(), trace.events.end(), [](const bounce_event &e) {
            return e.kind == BOUNCE_EVENT_MAP || e.kind == BOUNCE_EVENT_ISSUE;
        }));
}

std::uint64_t live_peak(const made &trace) {
    std::uint64_t live = 0, peak = 0;
    for (const bounce_event &e : trace.events) {
        live += e.kind == BOUNCE_EVENT_MAP;
        live -= e.kind == BOUNCE_EVENT_UNMAP;
        peak = std::max(peak, live);
    }
    return peak;
}

TEST(gen, poisson_rate_and_laws) {
    setup s;
    made trace = make(s.config);
    check_laws(trace);
    EXPECT_NEAR(static_cast<double>(begun(trace)), 20000, 600);
}

TEST(gen, the_same_whatever_the_batch) {
    setup s;
    s.stream.segments = {BOUNCE_DIST_UNIFORM, 1, 9, 1, nullptr, 0};
    made one = make(s.config, 1), many = make(s.config, 4096);
    ASSERT_EQ(one.events.size(), many.events.size());
    for (std::size_t i = 0; i < one.events.size(); i++) {
        EXPECT_EQ(one.events[i].time_ns, many.events[i].time_ns);
        EXPECT_EQ(one.events[i].orig_addr, many.events[i].orig_addr);
    }
    check_laws(one);
    s.config.seed = 2;
    EXPECT_NE(make(s.config).events[0].time_ns, one.events[0].time_ns);
}

TEST(gen, regular_arrivals) {
    setup s;
    s.stream.arrivals = BOUNCE_ARRIVALS_REGULAR;
    s.stream.rate_mhz = 1000 * 1000;
    made trace = make(s.config);
    EXPECT_EQ(begun(trace), 999u); // at 1 ms, 2 ms, ... below 1 s
}

TEST(gen, queue_depth_holds_back_and_loses_nothing) {
    setup s;
    s.device.queue_depth = 3;
    s.stream.operations = 5000;
    made trace = make(s.config);
    check_laws(trace);
    EXPECT_EQ(live_peak(trace), 3u);
    EXPECT_EQ(begun(trace), 5000u);
}

TEST(gen, closed_arrivals_keep_the_queue_full) {
    setup s;
    s.stream.arrivals = BOUNCE_ARRIVALS_CLOSED;
    s.stream.rate_mhz = 0;
    s.stream.in_flight = 8;
    s.stream.lifetime_ns = constant(100000);
    made trace = make(s.config);
    check_laws(trace);
    EXPECT_EQ(live_peak(trace), 8u);
    EXPECT_EQ(begun(trace), 8u * 10000); // one after the other, 100 us each, for 1 s
}

TEST(gen, bursts_are_silent_between) {
    setup s;
    s.stream.on_ns = 1000000;
    s.stream.off_ns = 9000000;
    made trace = make(s.config);
    check_laws(trace);
    for (const bounce_event &e : trace.events)
        if (e.kind == BOUNCE_EVENT_MAP) {
            ASSERT_LT(e.time_ns % 10000000, 1000000u);
        }
    EXPECT_NEAR(static_cast<double>(begun(trace)), 2000, 250);
}

TEST(gen, diurnal_is_low_at_night) {
    setup s;
    s.stream.period_ns = s.config.duration_ns;
    s.stream.low_permille = 100;
    made trace = make(s.config);
    std::uint64_t tenths[10] = {};
    for (const bounce_event &e : trace.events)
        if (e.kind == BOUNCE_EVENT_MAP)
            tenths[e.time_ns / 100000000]++;
    EXPECT_LT(tenths[0], 400u); // 2,000 at noon
    EXPECT_GT(tenths[5], 1700u);
    EXPECT_NEAR(static_cast<double>(begun(trace)), 20000 * 0.55, 600);
}

TEST(gen, ring_stays_mapped) {
    setup s;
    s.stream.ring = 64;
    s.stream.dir = BOUNCE_FROM_DEVICE;
    s.stream.sync = true;
    made trace = make(s.config);
    check_laws(trace, 64);
    EXPECT_EQ(live_peak(trace), 64u);
    s.stream.recycle = 75;
    made recycled = make(s.config);
    check_laws(recycled, 64);
    EXPECT_LT(begun(recycled), begun(trace) / 3);
}

TEST(gen, lists_belong_together) {
    setup s;
    s.stream.segments = constant(5);
    made trace = make(s.config);
    check_laws(trace);
    for (std::size_t i = 0, in_list = 0; i < trace.events.size(); i++) {
        const bounce_event &e = trace.events[i];
        if (e.kind != BOUNCE_EVENT_MAP)
            continue;
        EXPECT_EQ((e.flags & BOUNCE_EVENT_LIST_FIRST) != 0, in_list == 0);
        EXPECT_EQ((e.flags & BOUNCE_EVENT_LIST_LAST) != 0, in_list == 4);
        in_list = (in_list + 1) % 5;
    }
}

TEST(gen, values_of_loads_all_come_up) {
    setup s;
    const bounce_bin gaps[] = {{1000, 500}, {90000, 1000}};
    const bounce_bin sizes[] = {{512, 900}, {8192, 1000}};
    const bounce_gen_load loads[] = {
        {1, {BOUNCE_DIST_VALUES, 0, 0, 0, gaps, 2}, {}, {BOUNCE_DIST_VALUES, 0, 0, 0, sizes, 2}},
        {4, {BOUNCE_DIST_VALUES, 0, 0, 0, gaps, 2}, {}, {}},
    };
    s.stream.arrivals = BOUNCE_ARRIVALS_LOADS;
    s.stream.rate_mhz = 0;
    s.stream.loads = loads;
    s.stream.nloads = 2;
    s.stream.operations = 1000;
    made trace = make(s.config);
    check_laws(trace);
    EXPECT_EQ(begun(trace), 1000u);
    EXPECT_EQ(std::count_if(trace.events.begin(), trace.events.end(),
                            [](const bounce_event &e) {
                                return e.kind == BOUNCE_EVENT_MAP && e.size == 8192;
                            }),
              100);
}

TEST(gen, refusals) {
    setup s;
    s.stream.device = 1;
    EXPECT_EQ(make(s.config).status, BOUNCE_INVALID);
    s.stream.device = 0;
    s.stream.ring = BOUNCE_GEN_LIVE + 1;
    EXPECT_EQ(make(s.config).status, BOUNCE_INVALID);
    s.stream.ring = 0;
    s.stream.rate_mhz = 1000000000000;
    s.stream.lifetime_ns = constant(std::uint64_t{1} << 50);
    made flood = make(s.config);
    EXPECT_EQ(flood.status, BOUNCE_INVALID);
    EXPECT_NE(std::string(flood.error.text).find("live"), std::string::npos);
}

} // namespace
