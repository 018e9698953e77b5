// SPDX-License-Identifier: Apache-2.0
// Request platforms with an IOMMU, encrypted memory and followed bytes on the way of their devices.
#include "requests.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace bouncesim::models;

namespace {

// Reads and writes of many sizes, some of them while others are under way.
request_stream busy(const char *model, uint64_t nslabs = 32768) {
    request_stream s(model, nslabs, 1, 2);
    std::mt19937 random(4);
    for (uint32_t i = 0; i < 600; i++) {
        s.issue(3000 * i, i % 8, 512 * (1 + random() % 200), static_cast<uint16_t>(random() % 2),
                random() % 2 ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE);
        s.complete(3000 * i + 20000, i % 8, static_cast<uint16_t>(random() % 2));
    }
    std::stable_sort(s.events.begin(), s.events.end(),
                     [](const bounce_event &a, const bounce_event &b) {
                         return a.time_ns != b.time_ns ? a.time_ns < b.time_ns
                                                       : a.kind == BOUNCE_EVENT_COMPLETE &&
                                                             b.kind != BOUNCE_EVENT_COMPLETE;
                     });
    s.config.path.check_data = true;
    s.config.timing = {};
    return s;
}

void behind_iommu(request_stream &s, iommu_use use) {
    s.model.iommu = static_cast<uint64_t>(use);
    s.config.path.iommu.emplace();
    s.config.path.use = [use](const bounce_device &) { return use; };
}

TEST(request_path, bytes_reach_their_buffers) {
    for (const char *model : {"generic", "nvme", "virtio-blk", "ahci", "xhci-storage"})
        for (uint64_t nslabs : {32768u, 512u}) { // with room, and waiting for it
            SCOPED_TRACE(model);
            request_outcome seen = run_requests(busy(model, nslabs));
            EXPECT_TRUE(seen.path.check.clean());
            EXPECT_EQ(seen.path.check.mappings,
                      seen.stats.events_maps - seen.stats.events_failed_maps);
            EXPECT_GT(seen.path.check.device_reads, 200u);
            EXPECT_GT(seen.path.check.device_writes, 200u);
            EXPECT_EQ(seen.requests.completed, 600u);
        }
}

TEST(request_path, receive_rings_too) {
    request_stream s("e1000", 32768, 1, 1);
    for (uint32_t i = 0; i < 500; i++) {
        s.issue(50000 * (i + 20), i % 4, 60 + i * 2, 0, BOUNCE_FROM_DEVICE);
        s.complete(50000 * (i + 20) + 10, i % 4, 0);
    }
    s.config.path.check_data = true;
    request_outcome seen = run_requests(s);
    EXPECT_TRUE(seen.path.check.clean());
    EXPECT_GE(seen.path.check.device_writes, 450u);
}

TEST(request_path, a_planted_fault_is_found) {
    request_stream s = busy("nvme");
    s.config.path.fault = planted_fault::lost_back;
    s.config.path.fault_nth = 100;
    EXPECT_GE(run_requests(s).path.check.mismatches, 1u);
    s.config.path.fault = planted_fault::wrong_offset;
    uint64_t found = 0; // not where the device then overwrites all of it
    for (s.config.path.fault_nth = 100; s.config.path.fault_nth < 140; s.config.path.fault_nth++)
        found += run_requests(s).path.check.mismatches;
    EXPECT_GE(found, 1u);
}

TEST(request_path, trusted_devices_behind_an_iommu_do_not_bounce) {
    request_stream s = busy("nvme");
    behind_iommu(s, iommu_use::trusted);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.stats.events_maps, 0u);
    EXPECT_GT(seen.path.iommu.maps, 600u);
    EXPECT_EQ(seen.path.iommu.maps, seen.path.iommu.unmaps);
    EXPECT_EQ(seen.path.iommu.faults.count, 0u);
    EXPECT_TRUE(seen.path.check.clean());
}

TEST(request_path, untrusted_devices_bounce_what_is_less_than_a_granule) {
    request_stream s = busy("generic");
    behind_iommu(s, iommu_use::untrusted);
    request_outcome seen = run_requests(s);
    EXPECT_GT(seen.path.iommu.bounced, 100u);
    EXPECT_LT(seen.path.iommu.bounced, seen.path.iommu.maps); // the others are whole
    EXPECT_EQ(seen.path.iommu.bounced, seen.stats.events_maps);
    EXPECT_GT(seen.path.iommu.zeroed_bytes, 0u);
    EXPECT_TRUE(seen.path.check.clean());
}

TEST(request_path, exits_take_the_cpus_time) {
    request_stream s("virtio-blk");
    s.issue(0, 0, 4096);
    s.complete(1000000, 0);
    request_outcome plain = run_requests(s);
    s.config.path.encryption = encryption_config::of(BOUNCE_GUEST_TDX);
    s.config.path.encryption->latency_ps = 0;
    request_outcome guest = run_requests(s);
    EXPECT_EQ(guest.path.encryption.doorbells, 1u);
    EXPECT_EQ(guest.path.encryption.interrupts, 1u);
    double exits = (12140000 + 12200000) / 1000.0;
    EXPECT_DOUBLE_EQ(guest.path.encryption.exit_ns, exits);
    EXPECT_DOUBLE_EQ(guest.timing.cpu_busy_ns - plain.timing.cpu_busy_ns, exits);
    EXPECT_EQ(guest.path.encryption.faults.count, 0u);
}

TEST(request_path, ends_that_come_together_share_an_interrupt) {
    request_stream s("virtio-blk");
    s.config.timing.map_ps = 1; // an end takes some time
    s.config.timing.unmap_ps = 1000000;
    for (uint32_t i = 0; i < 5; i++)
        s.issue(i * 100000, i, 4096);
    for (uint32_t i = 0; i < 5; i++)
        s.complete(1000000, i);
    s.config.path.encryption = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.path.encryption.doorbells, 5u);
    EXPECT_GE(seen.path.encryption.interrupts, 1u);
    EXPECT_LT(seen.path.encryption.interrupts, 5u);
}

TEST(request_path, the_handler_that_takes_a_packet_posts_the_next_buffers) {
    request_stream s("virtio-net", 32768, 1, 1);
    s.config.timing.map_ps = s.config.timing.unmap_ps = 1000;
    s.issue(1000000, 0, 15000, 0, BOUNCE_FROM_DEVICE); // ten buffers
    s.complete(1100000, 0, 0);
    s.config.path.encryption = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    request_outcome seen = run_requests(s);
    EXPECT_EQ(seen.requests.completed, 1u);
    EXPECT_EQ(seen.path.encryption.interrupts, 1u);
}

TEST(request_path, a_guest_without_bouncing_meets_private_memory) {
    request_stream s = busy("nvme");
    s.config.replay.force = false;
    s.config.path.encryption = encryption_config::of(BOUNCE_GUEST_TDX);
    request_outcome seen = run_requests(s);
    EXPECT_GT(seen.path.encryption.faults.count, 600u);
    EXPECT_FALSE(seen.path.check.clean());
}

} // namespace
