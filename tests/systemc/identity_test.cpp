// SPDX-License-Identifier: Apache-2.0
// With zero costs the timed engine and the replay engine see the same pool, event by event.
#include "streams.hpp"

#include <gtest/gtest.h>

#include <cstring>

using namespace bouncesim::models;

namespace {

void expect_same(const outcome &a, const outcome &b) {
    EXPECT_TRUE(a.text == b.text) << "the hooks saw different things";
    for (std::size_t i = 0; const bounce_stat_info *stat = bounce_stat_at(i); i++)
        EXPECT_EQ(bounce_stat_value(&a.stats, stat), bounce_stat_value(&b.stats, stat))
            << stat->section << '.' << stat->name;
    EXPECT_EQ(a.stats.fragmentation_external_hiwater, b.stats.fragmentation_external_hiwater);
}

struct shape {
    uint64_t nslabs;
    uint32_t nareas;
    uint32_t cpus;
};

class random_identity : public testing::TestWithParam<shape> {};

TEST_P(random_identity, zero_costs_give_the_replay_engines_events) {
    shape p = GetParam();
    for (uint32_t seed = 0; seed < 20; seed++) {
        SCOPED_TRACE(seed);
        stream s = random_stream(seed, 5000, p.nslabs, p.nareas, p.cpus);
        outcome replay = run_replay(s), systemc = run_systemc(s, costs::zero());
        ASSERT_GT(replay.stats.events_maps, 500u);
        expect_same(replay, systemc);
        EXPECT_EQ(systemc.timing.cpu_busy_ns, 0);
        EXPECT_EQ(systemc.timing.lag_max_ns, 0);
        EXPECT_EQ(systemc.timing.simulated_ns, static_cast<double>(s.events.back().time_ns));
        if (HasFailure())
            break;
    }
}

TEST_P(random_identity, with_costs_nothing_is_lost_and_two_runs_are_equal) {
    shape p = GetParam();
    for (uint32_t seed = 0; seed < 10; seed++) {
        SCOPED_TRACE(seed);
        stream s = random_stream(seed, 5000, p.nslabs, p.nareas, p.cpus);
        outcome replay = run_replay(s), first = run_systemc(s, {}), second = run_systemc(s, {});
        expect_same(first, second);
        EXPECT_EQ(std::memcmp(&first.timing, &second.timing, sizeof(first.timing)), 0);
        EXPECT_EQ(first.stats.events_maps + first.stats.events_direct_maps +
                      first.stats.events_list_entries_not_tried,
                  replay.stats.events_maps + replay.stats.events_direct_maps +
                      replay.stats.events_list_entries_not_tried);
        // Batches are how events come, not what they are.
        expect_same(first, run_systemc(s, {}, 65536, 1));
    }
}

TEST_P(random_identity, a_trace_held_back_still_ends) {
    shape p = GetParam();
    stream s = random_stream(7, 5000, p.nslabs, p.nareas, p.cpus);
    for (bounce_event &event : s.events)
        event.time_ns = 0; // nobody can keep up
    for (uint32_t pending : {1u, 2u, 7u, 65536u}) {
        outcome held = run_systemc(s, {}, pending);
        EXPECT_GT(held.timing.lag_max_ns, 0);
        EXPECT_GT(held.timing.simulated_ns, held.timing.cpu_busy_max_ns * 0.99);
    }
}

INSTANTIATE_TEST_SUITE_P(pools, random_identity,
                         testing::Values(shape{32768, 1, 1}, shape{32768, 4, 4}, shape{1024, 8, 16},
                                         shape{256, 2, 3}, shape{128, 1, 64}, shape{0, 1, 2}));

TEST(identity, a_map_without_costs_happens_at_its_recorded_time) {
    stream s(32768, 4, 4);
    for (uint32_t i = 0; i < 100; i++)
        s.add(BOUNCE_EVENT_MAP, i / 7 * 3, static_cast<uint16_t>(i % 4), i, 4096);
    outcome seen = run_systemc(s, costs::zero());
    ASSERT_EQ(seen.map_times_ns.size(), 100u);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_EQ(seen.map_times_ns[i], i / 7 * 3);
}

} // namespace
