// SPDX-License-Identifier: Apache-2.0
// Waiting at the area lock against the M/D/1 queue, and what CPUs share.
#include "area_locks.hpp"
#include "streams.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

using namespace bouncesim::models;

namespace {

constexpr uint64_t service_ps = 100000;

double expected_wait_ps(double load) {
    return load / (2 * (1 - load)) * static_cast<double>(service_ps);
}

costs lock_only() {
    costs c = costs::zero();
    c.lock_ps = service_ps;
    return c;
}

TEST(queueing, random_arrivals_at_a_lock_wait_as_in_m_d_1) {
    for (double load : {0.2, 0.5, 0.8}) {
        costs c = lock_only();
        area_locks locks(c, 1);
        std::mt19937_64 random(11);
        std::exponential_distribution<double> gap(load / static_cast<double>(service_ps));
        double at = 0;
        constexpr unsigned count = 2000000;
        for (unsigned n = 0; n < count; n++)
            locks.hold(0, n % 64, static_cast<uint64_t>(at += gap(random)), 0, 0);
        EXPECT_NEAR(locks.wait_ps / count, expected_wait_ps(load), expected_wait_ps(load) * 0.02);
        EXPECT_NEAR(static_cast<double>(locks.waits) / count, load, 0.01); // and so many wait
    }
}

// The whole engine: maps and unmaps of many CPUs in one area.
TEST(queueing, so_do_the_cpus_of_the_engine) {
    for (double load : {0.3, 0.6}) {
        stream s(32768, 1, 512);
        std::mt19937_64 random(5);
        std::exponential_distribution<double> gap(load / static_cast<double>(service_ps));
        std::deque<uint32_t> live;
        double at = 0;
        uint32_t handles = 0;
        constexpr unsigned count = 200000;
        for (unsigned n = 0; n < count; n++) {
            at += gap(random);
            uint16_t cpu = static_cast<uint16_t>(random() % 512);
            if (n % 2 && live.size() > 200) {
                s.add(BOUNCE_EVENT_UNMAP, static_cast<uint64_t>(at / 1000), cpu, live.front());
                live.pop_front();
            } else {
                s.add(BOUNCE_EVENT_MAP, static_cast<uint64_t>(at / 1000), cpu, handles, 512);
                live.push_back(handles++);
            }
            if (n % 2 == 0 && live.size() > 16000)
                break;
        }
        outcome seen = run_systemc(s, lock_only());
        ASSERT_EQ(seen.stats.events_full, 0u);
        double wait_ps = seen.timing.lock_wait_ns * 1000 / static_cast<double>(s.events.size());
        EXPECT_NEAR(wait_ps, expected_wait_ps(load), expected_wait_ps(load) * 0.02) << load;
    }
}

TEST(queueing, a_line_comes_over_when_another_cpu_had_it) {
    costs c = costs::zero();
    c.lock_ps = 100;
    c.counters_ps = 10;
    c.line_ps = 1000;
    area_locks locks(c, 2);
    EXPECT_EQ(locks.hold(0, 0, 0, 0, 3), 100u); // nobody had it
    EXPECT_EQ(locks.hold(0, 0, 5000, 0, 3), 5100u);
    EXPECT_EQ(locks.hold(0, 1, 10000, 0, 3), 11100u);
    EXPECT_EQ(locks.hold(1, 2, 20000, 0, 3), 20100u); // another area
    EXPECT_EQ(locks.hold(0, 0, 11050, 0, 3), 11200u); // who waits gets it with the release
    EXPECT_EQ(locks.waits, 1u);
    EXPECT_EQ(locks.count(0, 100000, 100000), 100010u);
    EXPECT_EQ(locks.count(0, 100010, 100010), 100020u);
    EXPECT_EQ(locks.count(1, 100020, 100020), 101030u);
    EXPECT_EQ(locks.count(2, 100500, 100500), 102040u); // one at a time
}

TEST(queueing, a_kernel_without_counters_shares_no_line_of_them) {
    costs c = costs::zero();
    c.line_ps = 1000;
    area_locks locks(c, 1);
    EXPECT_EQ(locks.count(0, 0, 0), 0u);
    EXPECT_EQ(locks.count(1, 500, 500), 500u);
}

// ---- lines followed one by one ----

costs with_lines() {
    costs c = costs::zero();
    c.lock_ps = 100;
    c.counters_ps = 10;
    c.line_ps = c.slot_line_ps = 1000;
    return c;
}

TEST(queueing, lines_of_slots_and_of_areas_come_over) {
    costs c = with_lines();
    area_locks locks(c, 8);
    EXPECT_EQ(locks.hold(0, 0, 0, 0, 3), 100u); // nobody had it
    EXPECT_EQ(locks.hold(0, 0, 5000, 0, 3), 5100u);
    EXPECT_EQ(locks.hold(0, 1, 10000, 0, 3), 14100u); // the lock's line, and three times the slots'
    EXPECT_EQ(locks.hold(4, 2, 20000, 0, 3), 20100u); // another area, another line
    EXPECT_EQ(locks.hold(0, 0, 14050, 0, 0), 14200u); // who waits gets it with the release
    EXPECT_EQ(locks.waits, 1u);
    EXPECT_EQ(locks.hold(1, 3, 30000, 0, 3), 31100u); // another area, in the line of area 0
}

// The question takes half the way: until then the CPU that had the line still has it.
TEST(queueing, a_line_is_where_it_was_until_the_question_is_there) {
    costs c = with_lines();
    area_locks locks(c, 1);
    EXPECT_EQ(locks.count(0, 0, 0), 10u);
    EXPECT_EQ(locks.count(1, 100, 100), 1110u);
    EXPECT_EQ(locks.count(0, 599, 599), 609u);    // not yet asked
    EXPECT_EQ(locks.count(0, 600, 600), 1610u);   // asks; it is there at 1100, and here at 1600
    EXPECT_EQ(locks.count(1, 1120, 1120), 2130u); // asks in turn
    EXPECT_EQ(locks.count(1, 5000, 3000), 5010u);
}

// What is asked for early has come when it is needed.
TEST(queueing, the_counters_line_comes_while_the_cpu_works) {
    costs c = with_lines();
    area_locks locks(c, 1);
    locks.count(0, 0, 0);
    EXPECT_EQ(locks.count(1, 11500, 10000), 11510u);
    EXPECT_EQ(locks.count(0, 20400, 20000), 21010u);
}

// Completions and submissions of one CPU: the interrupt's work delays what is submitted there.
TEST(queueing, completions_and_submissions_share_a_cpu) {
    stream s(32768, 2, 2);
    costs c = costs::zero();
    c.unmap_ps = 5000000;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 512);
    s.add(BOUNCE_EVENT_MAP, 0, 1, 1, 512);
    s.add(BOUNCE_EVENT_UNMAP, 10000, 0, 0);
    s.add(BOUNCE_EVENT_MAP, 11000, 0, 2, 512); // the same CPU
    s.add(BOUNCE_EVENT_MAP, 11000, 1, 3, 512); // another one
    outcome seen = run_systemc(s, c);
    ASSERT_EQ(seen.map_times_ns.size(), 4u);
    std::sort(seen.map_times_ns.begin(), seen.map_times_ns.end());
    EXPECT_EQ(seen.map_times_ns[2], 11000u);
    EXPECT_EQ(seen.map_times_ns[3], 15000u);
}

} // namespace
