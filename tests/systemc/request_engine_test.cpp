// SPDX-License-Identifier: Apache-2.0
// The request platform: what small cases take in closed form, and what drivers do when the pool is
// full.
#include "requests.hpp"

#include "bounce/requests.h"

#include <gtest/gtest.h>

#include <random>

using namespace bouncesim::models;

namespace {

// As `--engine replay` does it: requests.h makes the mappings, one after the other.
std::vector<mapping_row> replayed(const request_stream &of) {
    std::vector<mapping_row> maps;
    bounce_requests_config wanted = {false, 0, 0, 0};
    bounce_requests *requests = nullptr;
    bounce_replay *replay = nullptr;
    bounce_replay_hooks hooks = {};
    hooks.context = &maps;
    hooks.mapped = [](void *rows, const bounce_event *event, const bounce_map_result *result) {
        static_cast<std::vector<mapping_row> *>(rows)->push_back(
            {event->time_ns, event->id, result->tlb_addr, event->size, event->orig_addr,
             result->slots, event->cpu, event->dir, result->outcome});
    };
    EXPECT_EQ(bounce_requests_create(&wanted, &requests, nullptr), BOUNCE_OK);
    EXPECT_EQ(bounce_replay_create(&of.config.replay, &hooks, &replay, nullptr), BOUNCE_OK);
    std::vector<bounce_event> out(1000);
    for (std::size_t at = 0; at < of.events.size();) {
        std::size_t taken = 0, got = 0;
        EXPECT_EQ(bounce_requests_next(requests, of.devices.data(), of.events.data() + at,
                                       of.events.size() - at, &taken, out.data(), out.size(), &got),
                  BOUNCE_OK);
        EXPECT_EQ(bounce_replay_run(replay, of.devices.data(), out.data(), got), BOUNCE_OK);
        at += taken;
    }
    bounce_requests_destroy(requests);
    bounce_replay_destroy(replay);
    return maps;
}

// Requests of all sizes on several CPUs, at times of their own.
request_stream wild(uint32_t seed, uint64_t nslabs, uint32_t areas, uint32_t cpus) {
    std::mt19937 random(seed);
    request_stream s("generic", nslabs, areas, cpus);
    std::vector<uint32_t> live, idle;
    for (uint32_t h = 64; h-- > 0;)
        idle.push_back(h);
    uint64_t time = 1;
    for (; s.events.size() < 4000; time += 1 + random() % 1000) {
        auto cpu = static_cast<uint16_t>(random() % cpus);
        if (!idle.empty() && (live.empty() || random() % 2)) {
            uint64_t size = random() % 3 ? 4096 : 1 + random() % 600000;
            s.issue(time, idle.back(), size, cpu,
                    random() % 2 ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE);
            live.push_back(idle.back());
            idle.pop_back();
        } else {
            std::size_t at = random() % live.size();
            s.complete(time, live[at], cpu);
            idle.push_back(live[at]);
            live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
    for (uint32_t handle : live)
        s.complete(time++, handle);
    return s;
}

TEST(requests, zero_latencies_give_the_pool_events_of_the_replay_engine) {
    for (uint32_t seed = 0; seed < 8; seed++) {
        request_stream s = wild(seed, 32768, 1u << seed % 3, 4);
        std::vector<mapping_row> expected = replayed(s);
        std::vector<mapping_row> seen = run_requests(s).maps;
        ASSERT_EQ(seen.size(), expected.size()) << seed;
        for (std::size_t i = 0; i < seen.size(); i++)
            ASSERT_TRUE(seen[i] == expected[i])
                << seed << " map " << i << " at " << seen[i].time_ns << ' ' << expected[i].time_ns
                << " slots " << seen[i].slots << ' ' << expected[i].slots << " address "
                << seen[i].tlb_addr << ' ' << expected[i].tlb_addr;
        EXPECT_GT(expected.size(), 1500u);
    }
}

TEST(requests, at_depth_1_time_is_the_sum_of_latencies) {
    request_stream s("nvme");
    s.config.timing = costs();
    s.config.recorded_service = false;
    s.config.arrivals = arrival_mode::closed;
    s.config.depth = 1;
    s.config.scattered_percent = 0;
    s.model.read_ns = s.model.write_ns = 20000;
    s.model.read_ns_per_kib = s.model.write_ns_per_kib = 100;
    s.model.interrupt_ns = 3000;
    for (uint32_t i = 0; i < 50; i++)
        s.issue(i, i, 8192);
    request_outcome seen = run_requests(s);
    double service = 20000 + 8 * 100 + 3000;
    double each = seen.timing.map_max_ns + service + seen.timing.unmap_max_ns;
    EXPECT_EQ(seen.requests.completed, 50u);
    EXPECT_EQ(seen.requests.inflight_hiwater, 1u);
    EXPECT_NEAR(seen.requests.latency_max_ns, each, 1e-3);
    EXPECT_NEAR(seen.timing.simulated_ns,
                50 * (seen.timing.map_mean_ns + service + seen.timing.unmap_mean_ns), 1e-3);
}

TEST(requests, a_channel_is_as_fast_as_it_says) {
    for (uint64_t channels : {1u, 4u}) {
        request_stream s;
        s.config.recorded_service = false;
        s.config.arrivals = arrival_mode::open;
        s.model.channels = channels;
        s.model.write_ns_per_kib = 1000;
        for (uint32_t i = 0; i < 400; i++)
            s.issue(0, i, 65536);
        EXPECT_EQ(run_requests(s).timing.simulated_ns,
                  static_cast<double>(400 / channels * 64 * 1000));
    }
}

TEST(requests, a_network_card_is_as_fast_as_its_wire) {
    for (auto [name, gbit] : {std::pair{"e1000", 1.0}, std::pair{"virtio-net", 10.0}}) {
        request_stream s(name);
        s.config.arrivals = arrival_mode::closed;
        s.model.ring_entries = 0;
        for (uint32_t i = 0; i < 1000; i++)
            s.issue(0, i, 1500);
        double seen = 1000 * 1500 * 8 / run_requests(s).timing.simulated_ns;
        EXPECT_LE(seen, gbit);
        EXPECT_GT(seen, gbit * 0.95);
    }
}

TEST(requests, the_link_bounds_what_moves) {
    request_stream s;
    s.config.timing.bus_read_ps_per_kib = 1000000; // 1 GiB/s and a bit less
    s.config.recorded_service = false;
    s.config.arrivals = arrival_mode::open;
    for (uint32_t i = 0; i < 100; i++)
        s.issue(0, i, 131072);
    EXPECT_EQ(run_requests(s).timing.simulated_ns, 100 * 128 * 1000.0);
}

TEST(requests, closed_keeps_its_depth) {
    for (uint32_t depth : {1u, 7u, 32u}) {
        request_stream s("nvme");
        s.config.recorded_service = false;
        s.config.arrivals = arrival_mode::closed;
        s.config.depth = depth;
        for (uint32_t i = 0; i < 500; i++)
            s.issue(i * 1000000, i, 4096);
        request_outcome seen = run_requests(s);
        EXPECT_EQ(seen.requests.inflight_hiwater, depth);
        EXPECT_EQ(seen.stats.swiotlb_used_hiwater, depth * 2);
        EXPECT_EQ(seen.requests.completed, 500u);
    }
}

TEST(requests, trace_keeps_what_depends_on_completions) {
    // Two requests at a time, each pair after the one before; recorded 100 us each, now 300.
    request_stream s;
    s.config.service_ns = 300000;
    for (uint32_t i = 0; i < 10; i++) {
        uint64_t time = i * 110000;
        s.issue(time, 0, 4096);
        s.issue(time, 1, 4096);
        s.complete(time + 100000, 0);
        s.complete(time + 100000, 1);
    }
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.inflight_hiwater, 2u);
    EXPECT_EQ(seen.timing.simulated_ns, 9 * 310000.0 + 300000);
    s.config.arrivals = arrival_mode::open;
    EXPECT_EQ(run_requests(s).requests.inflight_hiwater, 6u);
}

TEST(requests, virtio_blk_maps_header_status_and_table) {
    request_stream s("virtio-blk");
    s.config.scattered_percent = 0;
    s.issue(0, 0, 8192, 0, BOUNCE_FROM_DEVICE);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    ASSERT_EQ(seen.maps.size(), 4u);
    uint64_t sizes[] = {16, 8192, 1, 48};
    uint8_t dirs[] = {BOUNCE_TO_DEVICE, BOUNCE_FROM_DEVICE, BOUNCE_FROM_DEVICE, BOUNCE_TO_DEVICE};
    for (std::size_t i = 0; i < 4; i++) {
        EXPECT_EQ(seen.maps[i].size, sizes[i]);
        EXPECT_EQ(seen.maps[i].dir, dirs[i]);
    }
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 7u);
    EXPECT_EQ(seen.stats.swiotlb_used, 0u);
}

// The list begins behind the header, and anew with each try.
TEST(requests, a_list_may_stand_behind_a_header) {
    request_stream s("nvme", 256, 1, 2);
    s.model.header_bytes = 64;
    s.config.scattered_percent = 100;
    s.config.arrivals = arrival_mode::open;
    s.config.service_ns = 500000;
    for (uint32_t i = 0; i < 200; i++)
        s.issue(i * 1000, i, 98304, static_cast<uint16_t>(i % 2));
    request_outcome seen = run_requests(s);
    EXPECT_GT(seen.requests.tries_failed, 0u);
    EXPECT_EQ(seen.requests.completed, 200u);
    EXPECT_EQ(seen.stats.swiotlb_used, 0u);
    uint64_t mapped = 0;
    for (const mapping_row &row : seen.maps)
        mapped += row.outcome == BOUNCE_MAP_OK;
    EXPECT_EQ(seen.stats.events_unmaps, mapped); // each once, those of lists that failed too
}

TEST(requests, nvme_tries_three_times_and_waits_for_its_queue) {
    request_stream s("nvme", 128);
    s.config.scattered_percent = 0;
    s.issue(0, 0, 131072);
    s.issue(1000, 1, 258048);
    s.complete(1000000, 0);
    s.complete(2000000, 1);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.stats.events_full, 3u);
    EXPECT_EQ(seen.requests.held, 1u);
    EXPECT_EQ(seen.requests.completed, 2u);
    ASSERT_EQ(seen.maps.size(), 5u);
    EXPECT_EQ(seen.maps[1].time_ns, 1000u);
    EXPECT_EQ(seen.maps[4].time_ns, 1000000 + s.model.worker_ns);
}

TEST(requests, virtio_blk_gives_back_what_it_mapped_and_lets_a_worker_try) {
    request_stream s("virtio-blk", 128);
    s.config.scattered_percent = 0;
    s.issue(0, 0, 131072); // 67 slots
    s.issue(1000, 1, 131072);
    s.complete(1000000, 0);
    s.complete(2000000, 1);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.stats.events_full, 3u); // by the submitter, and twice by the worker
    EXPECT_EQ(seen.stats.swiotlb_used, 0u);
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 68u); // the second's header beside the first
    EXPECT_EQ(seen.requests.completed, 2u);
}

TEST(requests, devices_that_do_not_wait_fail_or_drop) {
    for (const char *name : {"ahci", "xhci-storage", "isa-dma"}) {
        request_stream s(name, 128);
        s.model.dma_bits = 64;
        s.model.depth = 32; // ISA has a single one
        s.issue(0, 0, 65536);
        s.issue(0, 1, 65536);
        for (uint32_t i = 2; i < 6; i++)
            s.issue(1000, i, 65536);
        s.config.arrivals = arrival_mode::open;
        s.config.service_ns = 1000000;
        s.config.replay.pool.nslabs = 128;
        request_outcome seen = run_requests(s);
        EXPECT_EQ(seen.requests.failed, 2u) << name;
        EXPECT_EQ(seen.requests.completed, 4u) << name;
    }
}

TEST(requests, usb_commands_are_not_mapped) {
    request_stream s("xhci-storage");
    uint64_t time = 0;
    for (uint64_t bytes : {31u, 65536u, 13u}) {
        s.issue(time, 0, bytes, 0, BOUNCE_FROM_DEVICE);
        s.complete(time += 1000, 0);
    }
    request_outcome seen = run_requests(s);
    ASSERT_EQ(seen.maps.size(), 1u);
    EXPECT_EQ(seen.maps[0].size, 65536u);
    EXPECT_EQ(seen.requests.completed, 3u);
}

TEST(requests, slots_of_others_stay_taken) {
    request_stream s("generic", 1024);
    s.config.held_slots = 256;
    s.issue(0, 0, 4096);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.stats.swiotlb_used, 256u);
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 258u);
    EXPECT_EQ(seen.stats.events_held_maps, 256u);
}

TEST(requests, slots_of_others_are_not_bound_by_the_limits_of_a_device) {
    request_stream s("isa-dma", 1024); // reaches nothing of the pool
    s.config.held_slots = 256;
    s.issue(0, 0, 4096);
    s.complete(1000, 0);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.failed, 1u);
    EXPECT_EQ(seen.stats.swiotlb_used, 256u);
}

TEST(requests, the_watchdog_says_what_waits) {
    request_stream s("nvme", 128);
    s.config.held_slots = 120;
    s.issue(0, 0, 131072);
    s.complete(1000, 0);
    try {
        run_requests(s);
        FAIL() << "it would try for ever";
    } catch (const engine_stalled &e) {
        std::string text = e.what();
        EXPECT_NE(text.find("device disk (nvme) queue 0"), std::string::npos) << text;
        EXPECT_NE(text.find("120 of 128 slots"), std::string::npos) << text;
        EXPECT_NE(text.find("1 wait for room"), std::string::npos) << text;
        EXPECT_NE(text.find("131072 bytes"), std::string::npos) << text;
        EXPECT_NE(text.find("needs a larger pool"), std::string::npos) << text;
    }
}

TEST(requests, the_watchdog_is_quiet_while_others_get_on) {
    // CPUs run ahead of each other by what a step takes: progress may lie in the future of one.
    request_stream s("nvme", 4096, 16, 16);
    s.config.timing = costs();
    s.config.arrivals = arrival_mode::closed;
    s.config.depth = 256;
    for (uint32_t i = 0; i < 4000; i++) {
        s.issue(i * 10000, 2 * i, 131072, static_cast<uint16_t>(i / 300 % 16));
        s.complete(i * 10000 + 5000000, 2 * i);
    }
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.completed, 4000u);
    EXPECT_GT(seen.stats.events_full, 0u);
}

TEST(requests, the_watchdog_does_not_count_idle_time) {
    request_stream s("nvme", 128);
    s.config.arrivals = arrival_mode::open;
    s.config.service_ns = 1000000;
    s.issue(0, 0, 4096);
    for (uint32_t i = 1; i < 4; i++) // a minute later, more than there is room for
        s.issue(60000000000, i, 131072, 0);
    EXPECT_EQ(run_requests(s).requests.completed, 4u);
    s.config.cpus = 2; // those of CPU 1 wait with nothing under way in their queue
    for (uint32_t i = 2; i < 4; i++)
        s.events[i].cpu = 1;
    EXPECT_EQ(run_requests(s).requests.completed, 4u);
}

TEST(requests, the_watchdog_waits_for_what_devices_have) {
    request_stream s("nvme", 128, 1, 2);
    s.config.arrivals = arrival_mode::open;
    s.config.service_ns = 60000000000;
    s.issue(0, 0, 258048, 0);
    s.issue(1000, 1, 258048, 1); // nothing under way in its own queue for a minute
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.completed, 2u);
    EXPECT_EQ(seen.requests.held, 1u);
}

TEST(requests, a_failed_request_leaves_its_place_to_those_that_wait) {
    for (const char *name : {"ahci", "isa-dma", "e1000"}) {
        request_stream s(name, 128);
        s.model.dma_bits = 64;
        s.model.depth = 1;
        s.config.held_slots = 100;
        s.config.arrivals = arrival_mode::open;
        s.config.service_ns = 1000000;
        s.model.ring_entries = 0;
        for (uint32_t i = 0; i < 12; i++) // one of four finds room
            s.issue(0, i, i % 4 ? 65536 : 4096);
        request_outcome seen = run_requests(s);
        EXPECT_EQ(seen.requests.completed, 3u) << name;
        EXPECT_EQ(seen.requests.failed + seen.requests.dropped, 9u) << name;
        EXPECT_EQ(seen.stats.swiotlb_used, 100u) << name;
    }
}

TEST(requests, a_queue_has_no_more_than_its_depth_whatever_the_cpus) {
    for (uint64_t depth : {1u, 3u}) {
        request_stream s("ahci", 32768, 16, 16);
        s.config.timing = costs();
        s.config.arrivals = arrival_mode::open;
        s.model.depth = depth;
        for (uint32_t i = 0; i < 320; i++)
            s.issue(i / 16 * 1000, i, 4096, static_cast<uint16_t>(i % 16));
        request_outcome seen = run_requests(s);
        EXPECT_EQ(seen.requests.inflight_hiwater, depth);
        EXPECT_EQ(seen.requests.completed, 320u);
        EXPECT_LE(seen.requests.tag_waits, 320u); // each waits once
    }
}

TEST(requests, a_device_that_waits_for_room_does_not_hold_up_others) {
    for (arrival_mode mode : {arrival_mode::trace, arrival_mode::closed}) {
        request_stream s("nvme", 128);
        s.config.arrivals = mode;
        s.config.depth = mode == arrival_mode::closed ? 2 : 0;
        s.devices.resize(2);
        bounce_device_init(&s.devices[1], "other");
        s.issue(0, 0, 204800).device = 1; // takes its time
        s.issue(1000, 1, 131072);         // finds no room until then
        s.issue(2000, 2, 131072);
        s.complete(20000000, 1);
        s.complete(20000001, 2);
        s.issue(25000000, 1, 8192); // waits for those two
        s.complete(26000000, 1);
        s.issue(30000000, 3, 4096).device = 1; // waits for nothing
        s.complete(31000000, 3).device = 1;
        s.complete(100000000, 0).device = 1;
        request_outcome seen = run_requests(s);
        EXPECT_EQ(seen.requests.completed, 5u);
        auto came = [&](uint64_t size) {
            for (const mapping_row &row : seen.maps)
                if (row.size == size && row.outcome == BOUNCE_MAP_OK)
                    return row.time_ns;
            return UINT64_MAX;
        };
        EXPECT_LE(came(4096), 30000000u);
        EXPECT_GT(came(131072), 100000000u);
        EXPECT_GT(came(8192), came(131072));
    }
}

TEST(requests, what_is_above_the_pool_takes_the_cpu_too) {
    request_stream s("generic", 32768, 1, 1);
    for (uint32_t i = 0; i < 10; i++) {
        s.issue(0, i, 3 * 1024 + 512);
        s.complete(0, i);
    }
    s.config.timing.request_ps = 2000000;
    s.config.timing.request_ps_per_kib = 100000;
    EXPECT_EQ(run_requests(s).timing.cpu_busy_ns, 10 * (2000 + 350));
}

TEST(requests, before_5_19_an_unmap_copied_back_twice) {
    for (uint64_t copies : {1u, 2u}) {
        request_stream s("generic", 32768, 1, 1);
        s.issue(0, 0, 4096, 0, BOUNCE_FROM_DEVICE);
        s.complete(100000, 0);
        s.model.unmap_copies = copies;
        s.config.timing.copy_cold = cost_curve{1, {{{4096, 1000000}}}};
        s.config.timing.copy_hot = cost_curve{1, {{{4096, 10000}}}};
        s.config.timing.cache_bytes = 1 << 20;
        s.config.timing.dma_write_evicts = 1;
        // Cold at the map, cold after the device, hot after that.
        EXPECT_EQ(run_requests(s).timing.copy_ns, copies == 2 ? 2010 : 2000);
        s.config.timing.dma_write_evicts = 0;
        EXPECT_EQ(run_requests(s).timing.copy_ns, copies == 2 ? 1020 : 1010);
    }
}

} // namespace
