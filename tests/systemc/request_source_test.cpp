// SPDX-License-Identifier: Apache-2.0
// From events to arrivals, where buffers lie, and the pages of the request platform.
#include "physical_memory.hpp"
#include "request_source.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <set>

using namespace bouncesim::models;

namespace {

std::vector<arrival> arrivals(const request_stream &of, bool hidden) {
    std::size_t at = 0;
    event_source events = [&]() -> event_batch {
        std::size_t count = std::min<std::size_t>(7, of.events.size() - at);
        at += count;
        return {of.events.data() + at - count, count, of.devices.data()};
    };
    request_source source(events, [&](uint16_t) { return hidden; });
    std::vector<arrival> all;
    for (arrival next; source.next(next);)
        all.push_back(next);
    return all;
}

TEST(request_source, pairs_and_orders) {
    request_stream s;
    s.issue(100, 0, 4096);
    s.issue(200, 1, 8192, 2);
    s.complete(700, 1, 3);
    s.issue(900, 1, 512);
    s.complete(1000, 0, 1);
    std::vector<arrival> got = arrivals(s, false);
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[0].service_ns, 900u);
    EXPECT_EQ(got[0].done_cpu, 1u);
    EXPECT_EQ(got[1].service_ns, 500u);
    EXPECT_EQ(got[1].cpu, 2u);
    EXPECT_EQ(got[1].done_cpu, 3u);
    EXPECT_EQ(got[2].service_ns, arrival::unknown);
    EXPECT_EQ(got[2].completions, 1u);
    EXPECT_EQ(got[2].since_ns, 200u);
}

TEST(request_source, a_request_issued_again_is_one) {
    request_stream s;
    bounce_event first = s.issue(100, 0, 4096);
    s.complete(300, 0).flags = BOUNCE_EVENT_IMPLIED;
    s.issue(300, 5, 4096).offset = first.offset;
    s.complete(1000, 5);
    std::vector<arrival> got = arrivals(s, false);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].time_ns, 100u);
    EXPECT_EQ(got[0].service_ns, 700u);
    // Another request at the same time is another one.
    s.events[2].offset++;
    EXPECT_EQ(arrivals(s, false).size(), 2u);
}

TEST(request_source, what_a_worker_issues_came_with_its_batch) {
    request_stream s;
    s.issue(1000000, 0, 4096, 1);
    s.issue(1100000, 1, 4096, 1);
    s.issue(1150000, 2, 4096, 0); // of another CPU
    s.complete(2000000, 0, 1);
    s.issue(2100000, 0, 131072, 1).flags = BOUNCE_EVENT_BY_WORKER;
    for (uint32_t h = 0; h < 3; h++)
        s.complete(3000000 + h, h, 1);
    std::vector<arrival> got = arrivals(s, true);
    ASSERT_EQ(got.size(), 4u);
    EXPECT_EQ(got[2].size, 131072u); // after the one that came at the same time
    EXPECT_EQ(got[2].time_ns, 1100000u);
    EXPECT_EQ(got[2].completions, 0u);
    EXPECT_EQ(got[2].service_ns, 900000u);
    // A driver whose tries are logged tells the arrival itself.
    EXPECT_EQ(arrivals(s, false)[3].time_ns, 2100000u);
}

TEST(request_source, several_of_a_batch_came_with_its_last_ones) {
    request_stream s;
    for (uint32_t h = 0; h < 6; h++)
        s.issue(1000000 + h * 1000, h, 4096);
    s.complete(2000000, 0);
    s.issue(2100000, 6, 8192).flags = BOUNCE_EVENT_BY_WORKER;
    s.issue(2200000, 7, 16384).flags = BOUNCE_EVENT_BY_WORKER;
    for (uint32_t h = 1; h < 8; h++)
        s.complete(3000000, h);
    std::vector<arrival> got = arrivals(s, true);
    ASSERT_EQ(got.size(), 8u);
    EXPECT_EQ(got[5].size, 8192u);
    EXPECT_EQ(got[5].time_ns, 1004000u);
    EXPECT_EQ(got[7].size, 16384u);
    EXPECT_EQ(got[7].time_ns, 1005000u);
}

// Writes come from workers all the time, reads never do: not for lack of room.
TEST(request_source, one_kind_from_workers_was_not_tried_before) {
    for (bool reads_too : {false, true}) {
        request_stream s;
        uint64_t time_ns = 0;
        for (uint32_t i = 0; i < 100; i++, time_ns += 1000000) {
            bool by_worker = reads_too && i == 3;
            s.issue(time_ns, 0, 4096, 0, BOUNCE_FROM_DEVICE);
            s.issue(time_ns + 1000, 1, 8192, 0, BOUNCE_FROM_DEVICE).flags =
                by_worker ? BOUNCE_EVENT_BY_WORKER : 0;
            s.complete(time_ns + 2000, 0);
            s.issue(time_ns + 3000, 2, 512).flags = BOUNCE_EVENT_BY_WORKER;
            s.complete(time_ns + 4000, 1);
            s.complete(time_ns + 5000, 2);
        }
        uint32_t moved = 0;
        for (const arrival &each : arrivals(s, true))
            moved += each.size == 512 && each.time_ns % 1000000 != 3000;
        EXPECT_EQ(moved, reads_too ? 100u : 3u); // 8 of the other kind would have been seen by then
    }
}

// The last of the batch is another device's, which has completed often.
TEST(request_source, what_a_worker_issues_waits_for_its_own_device) {
    request_stream s;
    s.devices.resize(2);
    for (uint32_t i = 0; i < 50; i++) {
        s.issue(1000 + i * 1000, 0, 512).device = 1;
        s.complete(1500 + i * 1000, 0, 1).device = 1;
    }
    s.issue(1000000, 0, 4096);
    s.issue(1100000, 1, 4096).device = 1;
    s.complete(2000000, 0);
    s.issue(2100000, 2, 131072).flags = BOUNCE_EVENT_BY_WORKER;
    s.complete(3000000, 2);
    std::vector<arrival> got = arrivals(s, true);
    ASSERT_EQ(got.size(), 53u);
    EXPECT_EQ(got[51].size, 131072u);
    EXPECT_EQ(got[51].time_ns, 1000000u);
    EXPECT_EQ(got[51].completions, 0u);
}

// Whatever a trace says: as many requests with a known end come before as a request waits for.
TEST(request_source, nobody_waits_for_what_does_not_end) {
    std::mt19937_64 chance(7);
    for (int round = 0; round < 200; round++) {
        request_stream s;
        s.devices.resize(3);
        uint64_t time_ns = 0;
        for (int i = 0; i < 400; i++) {
            auto handle = static_cast<uint32_t>(chance() % 24);
            auto cpu = static_cast<uint16_t>(chance() % 3);
            time_ns += chance() % 2000000;
            bounce_event &event = chance() % 2 ? s.issue(time_ns, handle, 512 << chance() % 4, cpu)
                                               : s.complete(time_ns, handle, cpu);
            event.device = static_cast<uint16_t>(handle % 3);
            if (event.kind == BOUNCE_EVENT_COMPLETE)
                event.flags = chance() % 8 ? 0 : BOUNCE_EVENT_IMPLIED;
            else
                event.flags = chance() % 4 ? 0 : BOUNCE_EVENT_BY_WORKER;
        }
        uint64_t ends[3] = {};
        for (const arrival &each : arrivals(s, true)) {
            ASSERT_LE(each.completions, ends[each.device]) << round;
            ends[each.device] += each.service_ns != arrival::unknown;
        }
    }
}

TEST(request_source, memory_is_bounded_when_nothing_completes) {
    request_stream s;
    for (uint32_t i = 0; i < 3 * request_source::window; i++)
        s.issue(i, i, 512);
    EXPECT_EQ(arrivals(s, false).size(), 3 * request_source::window);
}

TEST(physical_memory, buffers_do_not_overlap_and_are_used_again) {
    physical_memory memory({uint64_t{8} << 30, uint64_t{2} << 30, 30, 5});
    std::set<std::pair<uint64_t, uint64_t>> taken;
    std::vector<uint32_t> buffers;
    uint64_t high = 0, scattered = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t bytes = 131072;
        buffers.push_back(memory.take(bytes, false));
        uint64_t sum = 0;
        for (uint32_t k = 0; k < memory.run_count(buffers.back()); k++) {
            physical_memory::run run = memory.runs(buffers.back())[k];
            sum += run.bytes;
            taken.insert({run.address, run.address + run.bytes});
            EXPECT_EQ(run.address % 4096, 0u);
            EXPECT_LT(run.address + run.bytes, (uint64_t{10} << 30) + 1);
        }
        EXPECT_EQ(sum, bytes);
        high += memory.runs(buffers.back())->address >> 32 != 0;
        scattered += memory.run_count(buffers.back()) > 1;
    }
    uint64_t end = 0;
    for (const auto &[from, to] : taken) {
        EXPECT_GE(from, end);
        end = to;
    }
    EXPECT_NEAR(static_cast<double>(high), 3000 * 0.75, 150);
    EXPECT_NEAR(static_cast<double>(scattered), 3000 * 0.3, 150);
    uint32_t last = buffers.back();
    memory.give_back(last);
    EXPECT_EQ(memory.take(131072, false), last);
    EXPECT_EQ(memory.run_count(memory.take(1 << 20, true)), 1u);
}

TEST(pages, name_every_device_key_and_every_measure_of_requests) {
    auto page = [](const char *name) {
        std::ifstream file(std::string(BOUNCESIM_MODEL_PAGES "/") + name);
        return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    };
    const std::string devices = page("devices.md"), timing = page("timing.md");
    for (std::size_t i = 0; const device_key *key = device_key_at(i); i++) {
        std::string row =
            std::string("| `") + key->name + "` | " + key->unit + " | " + key->meaning + " |";
        EXPECT_NE(devices.find(row), std::string::npos) << row;
    }
    for (std::size_t i = 0; const device_model *model = device_model_at(i); i++) {
        EXPECT_NE(devices.find(std::string("| ") + model->name + " |"), std::string::npos)
            << model->name;
        EXPECT_EQ(find_device_model(model->name), model);
    }
#define BOUNCESIM_CHECK(type, name, unit, meaning)                                                 \
    EXPECT_NE(timing.find("| `" #name "` | " unit " | " meaning " |"), std::string::npos) << #name;
    BOUNCESIM_REQUEST_STATS(BOUNCESIM_CHECK)
#undef BOUNCESIM_CHECK
}

} // namespace
