// SPDX-License-Identifier: Apache-2.0
// The request platform: receive rings, and packets that find no buffer.
#include "requests.hpp"

#include <gtest/gtest.h>

using namespace bouncesim::models;

namespace {

TEST(requests, a_ring_keeps_its_buffers_mapped) {
    request_stream s("e1000", 1024);
    s.model.dma_bits = 64;
    for (uint32_t i = 0; i < 300; i++)
        s.issue(i * 100000, i, 1400, 0, BOUNCE_FROM_DEVICE);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 256u);
    EXPECT_EQ(seen.stats.swiotlb_used, 256u);
    EXPECT_EQ(seen.requests.completed, 300u);
    EXPECT_EQ(seen.stats.events_maps, 556u);

    s.config.replay.pool.nslabs = 128; // half the ring cannot be filled, the rest serves
    seen = run_requests(s);
    EXPECT_EQ(seen.stats.swiotlb_used_hiwater, 128u);
    EXPECT_GT(seen.stats.events_full, 0u);
    EXPECT_EQ(seen.requests.completed, 300u);
}

TEST(requests, cpus_fill_a_ring_together) {
    request_stream s("virtio-net", 4096, 16, 16);
    s.config.timing = costs();
    s.config.arrivals = arrival_mode::open;
    for (uint32_t i = 0; i < 2000; i++)
        s.issue(i / 16 * 20000, i, 1400, static_cast<uint16_t>(i % 16), BOUNCE_FROM_DEVICE);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.arrived, 2000u);
    EXPECT_EQ(seen.stats.swiotlb_used, 256u); // and none beyond
    EXPECT_LE(seen.stats.swiotlb_used_hiwater, 256u);
    EXPECT_EQ(seen.requests.dropped, 0u); // the first ones wait for the ring
}

TEST(requests, a_ring_without_room_ends_with_the_trace) {
    request_stream s("e1000", 128);
    s.config.held_slots = 128;
    for (uint32_t i = 0; i < 10; i++)
        s.issue(i * 1000000, i, 1400, 0, i % 2 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.dropped, 10u);
    EXPECT_LE(seen.timing.simulated_ns, 9000000.0);
}

TEST(requests, a_packet_received_takes_as_long_as_it_did) {
    request_stream s("virtio-net", 1024);
    for (uint32_t i = 0; i < 4; i++) {
        s.issue(i * 1000000, 0, 4000, 0, BOUNCE_FROM_DEVICE); // three buffers
        s.complete(i * 1000000 + 70000, 0);
    }
    EXPECT_EQ(run_requests(s).requests.latency_max_ns, 70000.0);
    s.config.service_ns = 90000;
    EXPECT_EQ(run_requests(s).requests.latency_max_ns, 90000.0);
    s.config.service_ns = UINT64_MAX;
    s.config.recorded_service = false;
    EXPECT_LT(run_requests(s).requests.latency_max_ns, 20000.0);
}

TEST(requests, a_ring_of_a_million_is_no_load) {
    request_stream s("virtio-net");
    s.config.replay.force = false;
    s.model.ring_entries = 1u << 20;
    for (uint32_t i = 0; i < 3; i++)
        s.issue(1000 * i, i, 1400, 0, BOUNCE_FROM_DEVICE);
    EXPECT_EQ(run_requests(s).requests.completed, 3u);
}

TEST(requests, packets_that_find_no_buffer_are_dropped) {
    request_stream s("e1000", 1024);
    s.model.ring_entries = 4;
    for (uint32_t i = 0; i < 100; i++)
        s.issue(1000, i, 1400, 0, BOUNCE_FROM_DEVICE);
    request_outcome seen = run_requests(s);
    EXPECT_GT(seen.requests.dropped, 0u);
    EXPECT_EQ(seen.requests.dropped + seen.requests.completed, 100u);
}

} // namespace
