// SPDX-License-Identifier: Apache-2.0
// Time in closed form: what small cases take, to the picosecond.
#include "streams.hpp"

#include <gtest/gtest.h>

using namespace bouncesim::models;

namespace {

double ns(uint64_t ps) {
    return static_cast<double>(ps) / 1000;
}

// A map that looks at one candidate: its time under the area lock, and all of it.
uint64_t under_lock(const costs &c, uint64_t slots) {
    return c.lock_ps + c.probe_ps + slots * c.slot_ps;
}
uint64_t map_ps(const costs &c, uint64_t bytes) {
    return under_lock(c, (bytes + 2047) / 2048) + c.map_ps + c.counters_ps + c.copy_cold.at(bytes);
}
uint64_t unmap_ps(const costs &c, uint64_t bytes) {
    return c.lock_ps + (bytes + 2047) / 2048 * c.slot_ps + c.unmap_ps + c.counters_ps;
}

TEST(timing, a_map_takes_the_sum_of_its_parts) {
    for (uint64_t bytes : {1u, 512u, 2048u, 4096u, 10000u, 65536u, 262144u}) {
        stream s;
        s.add(BOUNCE_EVENT_MAP, 7, 0, 0, bytes);
        costs c;
        outcome seen = run_systemc(s, c);
        EXPECT_EQ(seen.timing.map_max_ns, ns(map_ps(c, bytes))) << bytes;
        EXPECT_EQ(seen.timing.map_p50_ns, seen.timing.map_max_ns);
        EXPECT_EQ(seen.timing.cpu_busy_ns, seen.timing.map_max_ns);
        EXPECT_EQ(seen.timing.copy_ns, ns(c.copy_cold.at(bytes)));
        EXPECT_EQ(seen.timing.simulated_ns, 7 + ns(map_ps(c, bytes) + c.bus_read.at(bytes)));
    }
}

TEST(timing, every_cost_counts) {
    for (std::size_t i = 0; const cost_info *row = cost_at(i); i++) {
        stream s(32768, 1, 2);
        for (uint32_t n = 0; n < 4; n++) {
            s.add(BOUNCE_EVENT_MAP, 0, n % 2, n, 4096, BOUNCE_BIDIRECTIONAL);
            s.add(BOUNCE_EVENT_SYNC_FOR_CPU, 0, n % 2, n, 4096);
            s.add(BOUNCE_EVENT_UNMAP, 0, n % 2, n);
        }
        costs base, more;
        base.memory_ps_per_kib = 100;
        more = base;
        if (row->value)
            more.*row->value = (base.*row->value) * 1000 + 1000;
        else
            for (cost_curve::point &point : (more.*row->curve).points)
                point.ps *= 100;
        if (row->value == &costs::cache_bytes)
            base.*row->value = more.*row->value = 0;
        if (row->value == &costs::cache_bytes)
            more.cache_bytes = 1 << 30;
        if (row->value == &costs::request_ps || row->value == &costs::request_ps_per_kib ||
            row->value == &costs::bus_reads)
            continue; // tests of their own, the first two with requests
        EXPECT_NE(run_systemc(s, base).timing.simulated_ns,
                  run_systemc(s, more).timing.simulated_ns)
            << row->key;
    }
}

TEST(timing, an_unmap_takes_the_sum_of_its_parts) {
    stream s;
    costs c;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096, BOUNCE_TO_DEVICE);
    s.add(BOUNCE_EVENT_UNMAP, 1000000, 0, 0);
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.timing.unmap_max_ns, ns(unmap_ps(c, 4096)));
    EXPECT_EQ(seen.timing.dma_waits, 0u);
    EXPECT_EQ(seen.timing.simulated_ns, 1000000 + ns(unmap_ps(c, 4096)));

    stream t; // copied back, and the cache holds what the map has just copied
    t.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096, BOUNCE_FROM_DEVICE);
    t.add(BOUNCE_EVENT_UNMAP, 1000000, 0, 0);
    seen = run_systemc(t, c);
    EXPECT_EQ(seen.timing.unmap_max_ns, ns(unmap_ps(c, 4096) + c.copy_hot.at(4096)));
    EXPECT_EQ(seen.timing.copies_hot, 1u);
    EXPECT_EQ(seen.timing.copies_cold, 1u);

    t.events[1].attrs = BOUNCE_ATTR_SKIP_CPU_SYNC;
    EXPECT_EQ(run_systemc(t, c).timing.unmap_max_ns, ns(unmap_ps(c, 4096)));
}

TEST(timing, a_buffer_cools_when_more_than_the_cache_was_copied) {
    for (unsigned others : {3u, 4u}) {
        stream s;
        s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096, BOUNCE_FROM_DEVICE);
        for (unsigned i = 0; i < others; i++)
            s.add(BOUNCE_EVENT_MAP, 100000 * (i + 1), 0, 1 + i, 262144);
        s.add(BOUNCE_EVENT_UNMAP, 1000000, 0, 0);
        costs c;
        c.cache_bytes = 3 * 262144 + 4096;
        outcome seen = run_systemc(s, c);
        EXPECT_EQ(seen.timing.copies_hot, others == 3 ? 1u : 0u);
    }
}

TEST(timing, syncs_copy_what_they_name) {
    stream s;
    costs c;
    c.sync_ps = 5000;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 65536, BOUNCE_FROM_DEVICE);
    s.add(BOUNCE_EVENT_SYNC_FOR_CPU, 1000000, 0, 0, 4096);
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.timing.simulated_ns, 1000000 + ns(c.sync_ps + c.copy_hot.at(4096)));
    s.events[1].kind = BOUNCE_EVENT_SYNC_FOR_DEVICE; // nothing to copy out; the device writes again
    seen = run_systemc(s, c);
    EXPECT_EQ(seen.timing.simulated_ns, 1000000 + ns(c.sync_ps + c.bus_write.at(4096)));
    EXPECT_EQ(seen.timing.dma_transfers, 2u);
}

TEST(timing, a_direct_mapping_takes_only_the_bus) {
    stream s;
    costs c;
    s.config.force = false;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096);
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.timing.cpu_busy_ns, 0);
    EXPECT_EQ(seen.timing.simulated_ns, ns(c.bus_read.at(4096)));
}

TEST(timing, the_second_cpu_waits_for_the_area_of_the_first) {
    stream s(32768, 1, 2);
    costs c;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096);
    s.add(BOUNCE_EVENT_MAP, 0, 1, 1, 4096);
    outcome seen = run_systemc(s, c);
    uint64_t wait = under_lock(c, 2) + c.lock_handoff_ps;
    EXPECT_EQ(seen.timing.lock_waits, 1u);
    EXPECT_EQ(seen.timing.lock_wait_ns, ns(wait));
    EXPECT_EQ(seen.timing.lock_wait_max_ns, ns(wait));
    // And the line of the counters comes over.
    EXPECT_EQ(seen.timing.map_max_ns, ns(wait + map_ps(c, 4096) + c.line_ps));

    s.events[1].time_ns = 5; // 3 ns less: the lock is held for 6.5 ns
    seen = run_systemc(s, c);
    EXPECT_EQ(seen.timing.lock_wait_ns, ns(wait - 5000));
    s.events[1].time_ns = 7;
    EXPECT_EQ(run_systemc(s, c).timing.lock_waits, 0u);
}

TEST(timing, areas_do_not_wait_for_each_other) {
    stream s(32768, 2, 2);
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096);
    s.add(BOUNCE_EVENT_MAP, 0, 1, 1, 4096);
    outcome seen = run_systemc(s, {});
    EXPECT_EQ(seen.timing.lock_waits, 0u);
    // But for the counters, which all areas share.
    EXPECT_EQ(seen.timing.map_max_ns, ns(map_ps({}, 4096) + costs().counters_ps + costs().line_ps));
}

TEST(timing, a_full_area_costs_its_probes_and_locks) {
    stream s(256, 2, 1);
    costs c;
    for (uint32_t i = 0; i < 64; i++)
        s.add(BOUNCE_EVENT_MAP, 1000 * i, 0, i, 2048);
    s.add(BOUNCE_EVENT_MAP, 200000, 0, 100, 262144); // the first area has no room: one more lock
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.stats.search_locks, 66u);
    EXPECT_EQ(seen.timing.map_max_ns, ns(map_ps(c, 262144) + c.lock_ps));
}

TEST(timing, an_unmap_waits_for_its_device_while_the_cpu_goes_on) {
    stream s;
    costs c;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096);
    s.add(BOUNCE_EVENT_UNMAP, 1, 0, 0);
    s.add(BOUNCE_EVENT_MAP, 2, 0, 1, 512);
    outcome seen = run_systemc(s, c);
    uint64_t done = map_ps(c, 4096) + c.bus_read.at(4096);
    EXPECT_EQ(seen.timing.dma_waits, 1u);
    EXPECT_EQ(seen.timing.dma_wait_ns, ns(c.bus_read.at(4096)));
    ASSERT_EQ(seen.map_times_ns.size(), 2u);
    EXPECT_EQ(seen.map_times_ns[1], map_ps(c, 4096) / 1000);
    EXPECT_EQ(seen.timing.lag_max_ns, ns(done - 1000));
    // The second transfer queues behind the first and is the last thing to end.
    EXPECT_GT(seen.timing.simulated_ns, ns(done + unmap_ps(c, 4096)) - 1);
}

TEST(timing, a_list_is_unmapped_when_all_its_transfers_are_done) {
    stream s;
    costs c;
    for (uint32_t i = 0; i < 3; i++) {
        bounce_event &e = s.add(BOUNCE_EVENT_MAP, 0, 0, i, 65536);
        e.list = 0;
        e.flags = static_cast<uint8_t>(BOUNCE_EVENT_IN_LIST | (i ? 0 : BOUNCE_EVENT_LIST_FIRST) |
                                       (i == 2 ? BOUNCE_EVENT_LIST_LAST : 0));
    }
    for (uint32_t i = 0; i < 3; i++)
        s.add(BOUNCE_EVENT_UNMAP, 1, 0, i);
    outcome seen = run_systemc(s, c);
    // Three copies one after the other; each takes longer on the bus than on the CPU.
    uint64_t on_link = 64 * c.bus_read_ps_per_kib;
    uint64_t done = map_ps(c, 65536) + 2 * on_link + c.bus_read.at(65536);
    EXPECT_EQ(seen.timing.simulated_ns, ns(done + 3 * unmap_ps(c, 65536)));
}

TEST(timing, transfers_of_one_device_share_its_link_and_others_do_not) {
    stream s(32768, 2, 2);
    costs c;
    s.devices.push_back(s.devices[0]);
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 65536);
    s.add(BOUNCE_EVENT_MAP, 0, 1, 1, 65536);
    uint64_t alone = map_ps(c, 65536) + c.bus_read.at(65536);
    EXPECT_EQ(run_systemc(s, c).timing.simulated_ns, ns(alone + 64 * c.bus_read_ps_per_kib));
    s.events[1].device = 1;
    EXPECT_EQ(run_systemc(s, c).timing.simulated_ns, ns(alone + c.counters_ps + c.line_ps));
}

TEST(timing, slots_are_free_when_the_copy_back_is_done) {
    for (uint64_t map_at : {105000u, 112000u}) {
        stream s(128, 1, 2);
        costs c;
        c.cache_bytes = 0; // cold: 11.55 us
        s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 262144, BOUNCE_FROM_DEVICE);
        s.add(BOUNCE_EVENT_UNMAP, 100000, 0, 0);
        s.add(BOUNCE_EVENT_MAP, map_at, 1, 1, 4096);
        EXPECT_EQ(run_replay(s).stats.events_full, 0u);
        EXPECT_EQ(run_systemc(s, c).stats.events_full, map_at < 111550 ? 1u : 0u) << map_at;
    }
}

TEST(timing, a_slow_device_keeps_its_slots) {
    stream s;
    for (uint32_t i = 0; i < 10; i++) { // one handle, ten mappings
        s.add(BOUNCE_EVENT_MAP, 1000 * i, 0, 0, 2048);
        s.add(BOUNCE_EVENT_UNMAP, 1000 * i + 500, 0, 0);
    }
    EXPECT_EQ(run_replay(s).stats.swiotlb_used_hiwater, 1u);
    costs c = costs::zero();
    c.bus_read = {1, {{{2048, 1000000000}}}}; // 1 ms
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 10u);
    EXPECT_EQ(seen.stats.swiotlb_used, 0u);
    EXPECT_EQ(seen.timing.dma_waits, 10u);
}

TEST(timing, a_device_has_so_many_reads_outstanding) {
    for (uint64_t reads : {0u, 1u, 4u}) {
        stream s;
        for (uint32_t i = 0; i < 40; i++)
            s.add(BOUNCE_EVENT_MAP, 0, 0, i, 2048);
        costs c = costs::zero();
        c.bus_read = {1, {{{2048, 1000000}}}}; // 1 us
        c.bus_reads = reads;
        EXPECT_EQ(run_systemc(s, c).timing.simulated_ns, reads ? 40000 / reads : 1000);
    }
}

TEST(timing, an_unmap_elsewhere_waits_for_a_map_that_is_queued) {
    stream s(32768, 2, 2);
    costs c;
    c.map_ps = 10000000; // 10 us
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 512);
    s.add(BOUNCE_EVENT_MAP, 0, 0, 1, 512);
    s.add(BOUNCE_EVENT_UNMAP, 1, 1, 1);
    outcome seen = run_systemc(s, c);
    EXPECT_EQ(seen.stats.events_unmaps, 1u);
    EXPECT_EQ(seen.stats.swiotlb_used, 1u);
    EXPECT_EQ(seen.timing.simulated_ns,
              ns(2 * map_ps(c, 512) + c.bus_read.at(512) + unmap_ps(c, 512) + 2 * c.line_ps));
}

TEST(timing, percentiles_of_a_known_distribution) {
    stream s;
    costs c;
    c.cache_bytes = 0;
    for (uint32_t i = 0; i < 1000; i++) { // 94 % of 2 KiB, 5.5 % of 16 KiB, 0.5 % of 256 KiB
        uint64_t bytes = i % 200 == 0 ? 262144 : i % 200 < 12 ? 16384 : 2048;
        s.add(BOUNCE_EVENT_MAP, 1000000 * i, 0, i, bytes);
    }
    timing_stats t = run_systemc(s, c).timing;
    EXPECT_NEAR(t.map_p50_ns, ns(map_ps(c, 2048)), ns(map_ps(c, 2048)) * 0.008);
    EXPECT_NEAR(t.map_p90_ns, ns(map_ps(c, 2048)), ns(map_ps(c, 2048)) * 0.008);
    EXPECT_NEAR(t.map_p99_ns, ns(map_ps(c, 16384)), ns(map_ps(c, 16384)) * 0.008);
    EXPECT_EQ(t.map_max_ns, t.map_p999_ns);
    EXPECT_GE(t.map_max_ns, ns(map_ps(c, 262144)));
}

} // namespace
