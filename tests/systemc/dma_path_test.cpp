// SPDX-License-Identifier: Apache-2.0
// Whole runs of the timed engine with an IOMMU or encrypted memory on the way, bytes followed.
#include "streams.hpp"

#include <gtest/gtest.h>

using namespace bouncesim::models;

namespace {

struct seen {
    bounce_stats pool;
    timing_stats timing;
    path_stats path;
};

seen run(const stream &s, const path_config &path, const costs &timing = {}) {
    engine_config config;
    config.replay = s.config;
    config.timing = timing;
    config.cpus = s.cpus;
    config.path = path;
    config.path.check_data = true;
    mapping_engine engine(config);
    bool given = false;
    engine.run([&]() -> event_batch {
        if (given)
            return {};
        given = true;
        return {s.events.data(), s.events.size(), s.devices.data(), s.devices.size()};
    });
    return {engine.stats(), engine.timing(), engine.path()};
}

path_config behind_iommu(iommu_use use, bool lazy = false) {
    path_config path;
    path.iommu = iommu_config();
    path.iommu->lazy = lazy;
    path.use = [use](const bounce_device &) { return use; };
    return path;
}

// Buffers of all kinds that live for a while, one after the other.
stream buffers(bounce_dir dir, uint64_t first = 0x100000200, uint64_t size = 3000) {
    stream s;
    for (uint32_t i = 0; i < 300; i++) {
        s.add(BOUNCE_EVENT_MAP, 20000 * i, 0, i % 40, size, dir).orig_addr = first + 0x10000 * i;
        if (i >= 30)
            s.add(BOUNCE_EVENT_UNMAP, 20000 * i + 10000, 0, (i - 30) % 40, size);
    }
    return s;
}

TEST(dma_path, a_trusted_device_does_not_bounce) {
    for (bool lazy : {false, true}) {
        stream s = buffers(BOUNCE_FROM_DEVICE);
        s.devices[0].dma_mask = UINT32_MAX; // its buffers are above: the IOMMU reaches them
        seen r = run(s, behind_iommu(iommu_use::trusted, lazy));
        EXPECT_EQ(r.pool.events_maps, 0u);
        EXPECT_EQ(r.pool.events_direct_maps, 300u);
        EXPECT_EQ(r.path.iommu.maps, 300u);
        EXPECT_EQ(r.path.iommu.unmaps, 270u);
        EXPECT_EQ(r.path.iommu.bounced, 0u);
        EXPECT_EQ(r.path.iommu.transfers, 300u);
        EXPECT_EQ(r.path.iommu.faults.count, 0u);
        EXPECT_EQ(r.path.iommu.invalidations, lazy ? 0u : 270u);
        EXPECT_EQ(r.path.iommu.queue_hiwater > 0, lazy);
        EXPECT_TRUE(r.path.check.clean());
        EXPECT_EQ(r.path.check.device_writes, 300u);
    }
}

TEST(dma_path, an_untrusted_device_bounces_what_is_not_whole_granules) {
    // 0x200..0xdb8 of its page: one granule, and all of it but the buffer is zeroed.
    seen r = run(buffers(BOUNCE_BIDIRECTIONAL), behind_iommu(iommu_use::untrusted));
    EXPECT_EQ(r.pool.events_maps, 300u);
    EXPECT_EQ(r.path.iommu.bounced, 300u);
    EXPECT_EQ(r.path.iommu.zeroed_bytes, 300u * (4096 - 3000));
    EXPECT_TRUE(r.path.check.clean());
    EXPECT_EQ(r.path.check.device_reads, 300u);
    EXPECT_EQ(r.pool.swiotlb_used, 30u * 2);

    r = run(buffers(BOUNCE_BIDIRECTIONAL, 0x100000000, 8192), behind_iommu(iommu_use::untrusted));
    EXPECT_EQ(r.pool.events_maps, 0u);
    EXPECT_EQ(r.path.iommu.bounced, 0u);
    EXPECT_EQ(r.path.iommu.maps, 300u);
    EXPECT_TRUE(r.path.check.clean());
}

TEST(dma_path, devices_that_are_not_behind_it_bounce_as_ever) {
    stream s = buffers(BOUNCE_FROM_DEVICE);
    s.devices.push_back(s.devices[0]);
    for (std::size_t i = 0; i < s.events.size(); i++)
        s.events[i].device = s.events[i].handle % 2;
    path_config path = behind_iommu(iommu_use::trusted);
    s.devices[1].min_align_mask = 0xfff;
    path.use = [](const bounce_device &d) {
        return d.min_align_mask ? iommu_use::trusted : iommu_use::direct;
    };
    for (bool force : {true, false}) {
        s.config.force = force;
        s.devices[0].dma_mask = force ? UINT64_MAX : UINT32_MAX;
        seen r = run(s, path);
        EXPECT_EQ(r.pool.events_maps, 150u);
        EXPECT_EQ(r.pool.events_direct_maps, 150u);
        EXPECT_EQ(r.path.iommu.maps, 150u);
        EXPECT_EQ(r.path.check.mismatches, 0u);
    }
}

TEST(dma_path, random_streams_are_clean_behind_an_iommu) {
    for (iommu_use use : {iommu_use::trusted, iommu_use::untrusted})
        for (uint32_t seed : {1u, 2u}) {
            SCOPED_TRACE(seed);
            stream s = random_stream(seed, 5000, seed % 2 ? 1024 : 32768, 2, 4);
            seen r = run(s, behind_iommu(use, seed % 2));
            EXPECT_EQ(r.path.check.mismatches, 0u);
            EXPECT_EQ(r.path.check.faults.count, 0u);
            EXPECT_EQ(r.path.check.lost_bytes, 0u);
            EXPECT_EQ(r.path.iommu.faults.count, 0u);
            EXPECT_GT(r.path.iommu.maps, 500u);
            EXPECT_EQ(r.path.iommu.stale, 0u); // no device uses what was unmapped
        }
}

TEST(dma_path, mapping_takes_what_the_parameters_say) {
    stream s;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 4096).orig_addr = 0x100000000;
    s.add(BOUNCE_EVENT_UNMAP, 100000, 0, 0);
    path_config path = behind_iommu(iommu_use::trusted);
    costs timing = costs::zero();
    seen r = run(s, path, timing);
    const iommu_config &c = *path.iommu;
    EXPECT_EQ(r.timing.cpu_busy_ns,
              static_cast<double>(c.iova_miss_ps + c.map_time.at(4096) + c.unmap_time.at(4096)) /
                  1000);
    EXPECT_EQ(r.timing.dma_ns, static_cast<double>(c.walk_ps) / 1000);
    path.iommu->make_free();
    EXPECT_EQ(run(s, path, timing).timing.cpu_busy_ns, 0);
}

TEST(dma_path, a_device_without_addresses_left_gets_no_mapping) {
    stream s;
    s.devices[0].dma_mask = 0xffff; // 15 pages
    for (uint32_t i = 0; i < 20; i++)
        s.add(BOUNCE_EVENT_MAP, 10000 * i, 0, i, 100);
    for (uint32_t i = 0; i < 20; i++)
        s.add(BOUNCE_EVENT_UNMAP, 1000000 + 10000 * i, 0, i, 100);
    seen r = run(s, behind_iommu(iommu_use::trusted));
    EXPECT_EQ(r.path.iommu.maps, 15u);
    EXPECT_EQ(r.path.iommu.iova_failures, 5u);
    EXPECT_EQ(r.path.iommu.unmaps, 15u);
    EXPECT_EQ(r.path.check.device_reads, 15u);
    EXPECT_TRUE(r.path.check.clean());
}

TEST(dma_path, bounced_buffers_are_shared_memory) {
    for (bounce_guest guest : {BOUNCE_GUEST_SEV_SNP, BOUNCE_GUEST_TDX})
        for (const char *kernel : {"linux-6.12", "linux-6.12-dynamic"}) {
            stream s = random_stream(3, 5000, 1024, 1, 2); // forced, and full at times
            for (bounce_device &device : s.devices)
                device.dma_mask = UINT64_MAX;
            s.config.pool.kernel = bounce_kernel_find(kernel);
            s.config.pool.encrypted = true;
            s.config.pool.memory = UINT64_C(4) << 30;
            path_config path;
            path.encryption = encryption_config::of(guest);
            seen r = run(s, path);
            EXPECT_EQ(r.path.encryption.faults.count, 0u);
            EXPECT_TRUE(r.path.check.clean());
            EXPECT_GT(r.path.check.device_reads, 100u);
        }
}

TEST(dma_path, a_direct_mapping_of_a_guest_meets_private_memory) {
    stream s = buffers(BOUNCE_BIDIRECTIONAL);
    s.config.force = false;
    path_config path;
    path.encryption = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    seen snp = run(s, path);
    EXPECT_EQ(snp.path.encryption.private_reads, 300u);
    EXPECT_EQ(snp.path.encryption.private_writes, 300u);
    EXPECT_EQ(snp.path.encryption.faults.count, 600u);
    EXPECT_EQ(snp.path.check.mismatches, 300u + 270u); // ciphertext read, garbage left
    path.encryption = encryption_config::of(BOUNCE_GUEST_TDX);
    seen tdx = run(s, path);
    EXPECT_EQ(tdx.path.encryption.faults.count, 600u);
    EXPECT_EQ(tdx.path.check.mismatches, 270u); // nothing reached the buffers
}

TEST(dma_path, a_guest_copies_slower) {
    stream s;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, 65536);
    path_config path;
    seen plain = run(s, path);
    path.encryption = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    seen snp = run(s, path);
    double adder = 16;
    EXPECT_NEAR((snp.timing.copy_ns - adder) / plain.timing.copy_ns, 1 / 0.93, 0.001);
    EXPECT_NEAR(snp.timing.dma_ns - plain.timing.dma_ns, adder, 0.001);
}

} // namespace
