// SPDX-License-Identifier: Apache-2.0
// The engine's edges: errors, several engines in one process, empty traces.
#include "streams.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

using namespace bouncesim::models;

namespace {

engine_config config_of(const stream &s) {
    engine_config config;
    config.replay = s.config;
    config.cpus = s.cpus;
    return config;
}

event_source once(const stream &s) {
    return [&s, given = false]() mutable {
        event_batch batch;
        if (!given)
            batch = {s.events.data(), s.events.size(), s.devices.data(), s.devices.size()};
        given = true;
        return batch;
    };
}

TEST(engine, refuses_what_the_core_refuses) {
    stream s;
    engine_config config = config_of(s);
    config.replay.pool.start = 1;
    EXPECT_THROW(mapping_engine engine(config), engine_config_error);
    config = config_of(s);
    config.cpus = 0;
    EXPECT_THROW(mapping_engine engine(config), engine_config_error);
    config.cpus = BOUNCE_MAX_CPUS + 1;
    EXPECT_THROW(mapping_engine engine(config), engine_config_error);
    config.cpus = 1;
    config.max_pending = 0;
    EXPECT_THROW(mapping_engine engine(config), engine_config_error);
}

TEST(engine, an_empty_trace_takes_no_time) {
    stream s;
    mapping_engine engine(config_of(s));
    engine.run([] { return event_batch(); });
    EXPECT_EQ(engine.timing().simulated_ns, 0);
    EXPECT_EQ(engine.timing().map_p999_ns, 0);
    EXPECT_EQ(engine.stats().events_maps, 0u);
    EXPECT_THROW(engine.run(once(s)), engine_error);
}

TEST(engine, may_be_made_and_not_run) {
    stream s;
    mapping_engine engine(config_of(s));
    EXPECT_EQ(bounce_swiotlb_nareas(engine.pool()), 1u);
}

TEST(engine, runs_with_as_many_cpus_as_a_kernel_has) {
    stream s(32768, 256, BOUNCE_MAX_CPUS);
    s.add(BOUNCE_EVENT_MAP, 0, BOUNCE_MAX_CPUS - 1, 0, 4096);
    EXPECT_EQ(run_systemc(s, {}).stats.events_maps, 1u);
}

TEST(engine, cpus_beyond_the_models_share_them) {
    stream s(32768, 4, 2);
    s.add(BOUNCE_EVENT_MAP, 0, 3, 0, 4096);
    outcome seen = run_systemc(s, costs::zero());
    EXPECT_EQ(seen.text, run_replay(s).text); // the pool still sees CPU 3
}

TEST(engine, what_the_source_throws_comes_out) {
    stream s;
    mapping_engine engine(config_of(s));
    EXPECT_THROW(engine.run([]() -> event_batch { throw std::out_of_range("x"); }),
                 std::out_of_range);
}

TEST(engine, what_a_hook_throws_comes_out) {
    stream s;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096, BOUNCE_FROM_DEVICE);
    s.add(BOUNCE_EVENT_UNMAP, 100000, 0, 0);
    s.add(BOUNCE_EVENT_MAP, 200000, 0, 0, 4096);
    bounce_replay_hooks hooks = {};
    hooks.mapped = [](void *, const bounce_event *, const bounce_map_result *) {
        throw std::domain_error("x");
    };
    mapping_engine in_player(config_of(s), &hooks);
    EXPECT_THROW(in_player.run(once(s)), std::domain_error);

    hooks.mapped = nullptr;
    hooks.changed = [](void *, const bounce_event *event, const bounce_swiotlb *) {
        if (event->kind == BOUNCE_EVENT_UNMAP)
            throw std::domain_error("x");
    };
    mapping_engine in_cpu(config_of(s), &hooks); // an unmap that copies is done by a wake-up
    EXPECT_THROW(in_cpu.run(once(s)), std::domain_error);
}

TEST(engine, stops_when_asked) {
    static int asked;
    stream s;
    for (uint64_t i = 0; i < 100000; i++) {
        s.add(BOUNCE_EVENT_MAP, 2 * i * 10000, 0, 0, 4096, BOUNCE_FROM_DEVICE);
        s.add(BOUNCE_EVENT_UNMAP, (2 * i + 1) * 10000, 0, 0, 4096);
    }
    asked = 0;
    mapping_engine engine(config_of(s));
    EXPECT_THROW(engine.run(once(s), [] { return ++asked == 2; }), engine_error);
    EXPECT_EQ(asked, 2);
    EXPECT_LT(engine.stats().events_maps, 100000u);
}

TEST(engine, times_end_somewhere) {
    stream s;
    s.add(BOUNCE_EVENT_MAP, UINT64_MAX, 0, 0, 4096);
    mapping_engine engine(config_of(s));
    EXPECT_THROW(engine.run(once(s)), engine_error);

    stream t;
    t.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096);
    engine_config config = config_of(t);
    config.timing.map_ps = UINT64_MAX / 2;
    mapping_engine slow(config);
    EXPECT_THROW(slow.run(once(t)), engine_error);
}

TEST(engine, engines_live_side_by_side) {
    stream s = random_stream(3, 2000, 1024, 2, 4);
    outcome alone = run_systemc(s, {});
    auto first = std::make_unique<mapping_engine>(config_of(s));
    auto second = std::make_unique<mapping_engine>(config_of(s));
    second->run(once(s));
    first->run(once(s));
    second.reset();
    EXPECT_EQ(first->timing().simulated_ns, alone.timing.simulated_ns);
    EXPECT_EQ(first->stats().search_probes, alone.stats.search_probes);
}

TEST(engine, odd_events_do_no_harm) {
    stream s;
    s.add(BOUNCE_EVENT_UNMAP, 0, 0, 5);
    s.add(BOUNCE_EVENT_SYNC_FOR_CPU, 0, 0, 6, 100);
    s.add(BOUNCE_EVENT_MAP, 10, 0, 6, UINT64_MAX / 2);
    s.add(BOUNCE_EVENT_MAP, 5, 0, 6, 4096); // time steps back
    s.add(BOUNCE_EVENT_UNMAP, 20, 0, 6);
    s.add(BOUNCE_EVENT_UNMAP, 20, 0, 6);
    bounce_event &entry = s.add(BOUNCE_EVENT_MAP, 30, 0, 7, 4096);
    entry.flags = BOUNCE_EVENT_IN_LIST; // of a list that never began
    entry.list = 4000000000;
    s.add(BOUNCE_EVENT_RESTART, 40, 0, 0);
    s.add(BOUNCE_EVENT_UNMAP, 50, 0, 7);
    outcome seen = run_systemc(s, {});
    EXPECT_EQ(seen.stats.events_failed_maps, 1u);
    EXPECT_EQ(seen.stats.events_maps, 3u);
    EXPECT_EQ(seen.stats.swiotlb_used, 0u);
}

} // namespace
