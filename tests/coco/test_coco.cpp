// SPDX-License-Identifier: Apache-2.0
// Guests with encrypted memory: how large their pools are, and the atomic pool behind transient
// buffers. Rules read in arch/x86/mm/mem_encrypt.c, kernel/dma/swiotlb.c and kernel/dma/pool.c of
// 6.12.117.
#include "bounce/replay.h"

extern "C" {
#include "swiotlb/atomic_pool.h"
}

#include <gtest/gtest.h>

#include <vector>

namespace {

constexpr std::uint64_t mib = 1 << 20, gib = 1 << 30, kib = 1 << 10;

std::uint64_t pool_slots(std::uint64_t memory, bounce_boot boot = {}, std::uint32_t cpus = 4,
                         std::uint32_t *areas = nullptr) {
    bounce_machine machine = {};
    std::uint64_t nslabs = 0;
    std::uint32_t nareas = 0;
    machine.cpus = cpus;
    machine.memory = memory;
    machine.guest = BOUNCE_GUEST_SEV_SNP;
    bounce_boot_pool(&boot, &machine, &nslabs, &nareas);
    if (areas)
        *areas = nareas;
    return nslabs;
}

TEST(CocoPool, IsSixPercentBetweenItsBoundsRoundedUp) {
    const struct {
        std::uint64_t memory, megabytes;
    } rule[] = {
        {512 * mib, 64},   // 30.7 MiB
        {1 * gib, 64},     // 61.4
        {1092 * mib, 128}, // 65.5
        {2 * gib, 128},    // 122.9
        {3 * gib, 256},    // 184.3
        {4 * gib, 256},    // 245.8
        {5 * gib, 512},    // 307.2
        {8 * gib, 512},    // 491.5
        {16 * gib, 1024},  // 983.0
        {17 * gib, 1024},  // 1044.5
        {64 * gib, 1024},
    };
    for (const auto &r : rule)
        EXPECT_EQ(pool_slots(r.memory), r.megabytes * 512) << r.memory / mib << " MiB";
}

TEST(CocoPool, ManyCpusRaiseIt) {
    std::uint32_t areas = 0;
    EXPECT_EQ(pool_slots(512 * mib, {}, 512, &areas), 65536u);
    EXPECT_EQ(areas, 512u);
}

TEST(CocoPool, AnOptionOverridesTheRuleUnlessItAsksForTheDefault) {
    auto with = [](std::uint64_t nslabs, std::uint32_t areas = 0) {
        bounce_boot boot = {};
        boot.nslabs = nslabs;
        boot.nareas = areas;
        return pool_slots(8 * gib, boot);
    };
    const std::uint64_t by_rule = 262144;
    EXPECT_EQ(with(512), 512u);
    EXPECT_EQ(with(65536), 65536u);
    EXPECT_EQ(with(524288), 524288u);
    EXPECT_EQ(with(32768), by_rule) << "the kernel cannot tell that from nothing asked for";
    EXPECT_EQ(with(32641), by_rule) << "rounded up to whole slot sets at once";
    EXPECT_EQ(with(32640), 32768u) << "rounded up only after the rule looked";
    EXPECT_EQ(with(32896), 65536u);
    // With areas the option itself is rounded to a power of two.
    EXPECT_EQ(with(20000, 4), by_rule);
    EXPECT_EQ(with(20000), 32768u);
    EXPECT_EQ(with(512, 256), by_rule) << "128 slots for each of 256 areas";
    EXPECT_EQ(with(512, 128), 16384u);
    EXPECT_EQ(with(32768, 512), 65536u);
}

TEST(AtomicPool, SizeIsAnEighthOfAMebibyteForEachGibibyte) {
    EXPECT_EQ(atomic_pool_size(0), 128 * kib);
    EXPECT_EQ(atomic_pool_size(512 * mib), 128 * kib);
    EXPECT_EQ(atomic_pool_size(1 * gib), 128 * kib);
    EXPECT_EQ(atomic_pool_size(2 * gib), 256 * kib);
    EXPECT_EQ(atomic_pool_size(3 * gib), 384 * kib);
    EXPECT_EQ(atomic_pool_size(3 * gib / 2), 192 * kib);
    EXPECT_EQ(atomic_pool_size(16 * gib), 2 * mib);
    EXPECT_EQ(atomic_pool_size(32 * gib), 4 * mib);
    EXPECT_EQ(atomic_pool_size(64 * gib), 4 * mib);
}

class AtomicPoolTest : public testing::Test {
  protected:
    ~AtomicPoolTest() override {
        atomic_pool_destroy(&pool);
        pages_free_all(&pages);
    }
    void create(std::uint64_t memory) {
        pages_init(&pages, 16 * mib, PAGES_MAX_ORDER, true);
        ASSERT_EQ(atomic_pool_init(&pool, &pages, memory), BOUNCE_OK);
    }
    std::uint64_t take(std::uint64_t bytes, std::uint64_t limit = UINT64_MAX) {
        return atomic_pool_alloc(&pool, bytes, limit);
    }
    atomic_pool pool = {};
    struct pages pages = {};
};

TEST_F(AtomicPoolTest, IsWholePageOrdersOfWhatIsWanted) {
    create(3 * gib);
    EXPECT_EQ(pool.wanted, 384 * kib);
    EXPECT_EQ(pool.size, 512 * kib);
    EXPECT_EQ(pool.available, 512 * kib);
}

TEST_F(AtomicPoolTest, IsExhaustedAndRefilledByDoubling) {
    create(1 * gib);
    EXPECT_FALSE(pool.worker_queued);
    std::vector<std::uint64_t> taken;
    for (int i = 0; i < 4; i++) {
        taken.push_back(take(32 * kib));
        EXPECT_EQ(taken.back(), taken[0] + i * 32 * kib);
        EXPECT_TRUE(pool.worker_queued);
    }
    EXPECT_EQ(take(4 * kib), 0u);
    EXPECT_EQ(atomic_pool_run_worker(&pool, &pages), 128 * kib);
    EXPECT_EQ(pool.size, 256 * kib);
    EXPECT_EQ(pool.available, 128 * kib);
    EXPECT_EQ(atomic_pool_run_worker(&pool, &pages), 0u) << "it is not queued";
    EXPECT_NE(take(4 * kib), 0u);
    EXPECT_EQ(atomic_pool_run_worker(&pool, &pages), 256 * kib) << "by its size now";
    EXPECT_EQ(pool.size, 512 * kib);
    for (std::uint64_t address : taken)
        atomic_pool_free(&pool, address, 32 * kib);
    EXPECT_EQ(pool.available, pool.size - 4 * kib);
}

TEST_F(AtomicPoolTest, AWorkerThatFindsEnoughDoesNothing) {
    create(1 * gib);
    std::uint64_t address = take(8 * kib);
    atomic_pool_free(&pool, address, 8 * kib);
    EXPECT_TRUE(pool.worker_queued);
    EXPECT_EQ(atomic_pool_run_worker(&pool, &pages), 0u);
    EXPECT_EQ(pool.size, 128 * kib);
}

TEST_F(AtomicPoolTest, TheNewestChunkIsAskedFirst) {
    create(1 * gib);
    std::uint64_t old = take(4 * kib);
    atomic_pool_run_worker(&pool, &pages);
    std::uint64_t young = take(4 * kib);
    EXPECT_GE(young, old + 128 * kib);
    for (int i = 0; i < 31; i++)
        take(4 * kib);
    EXPECT_EQ(take(4 * kib), old + 4 * kib) << "the newest is full";
}

TEST_F(AtomicPoolTest, BlocksAreAlignedToTheirOrder) {
    create(1 * gib);
    std::uint64_t base = take(4 * kib);
    EXPECT_EQ(take(12 * kib), base + 16 * kib);
    EXPECT_EQ(take(4 * kib), base + 4 * kib);
    EXPECT_EQ(take(64 * kib), base + 64 * kib);
}

TEST_F(AtomicPoolTest, WhatADeviceDoesNotReachIsGivenBack) {
    create(1 * gib);
    EXPECT_EQ(take(4 * kib, 16 * mib - 1), 0u);
    EXPECT_EQ(pool.available, pool.size);
    EXPECT_FALSE(pool.worker_queued);
}

// ---- the allocator above it ----

class CocoReplay : public testing::Test {
  protected:
    CocoReplay() {
        bounce_replay_config config = {};
        bounce_error error = {};
        config.pool.kernel = bounce_kernel_find("linux-6.12-dynamic");
        config.pool.nslabs = 512;
        config.pool.nareas = config.pool.cpus = 1;
        config.pool.start = 0x10000000;
        config.pool.reuse_pages = true;
        config.pool.encrypted = true;
        config.pool.memory = 1 * gib;
        config.worker_delay_ns = 1000;
        config.conversion_page_ns = bounce_guest_conversion_ns(BOUNCE_GUEST_TDX);
        config.force = true;
        EXPECT_EQ(bounce_replay_create(&config, nullptr, &replay, &error), BOUNCE_OK);
        bounce_device_init(&device, "dev");
    }
    ~CocoReplay() override {
        bounce_replay_destroy(replay);
    }
    void map(std::uint32_t handle, std::uint64_t slots, std::uint64_t time_ns) {
        bounce_event event = {};
        event.kind = BOUNCE_EVENT_MAP;
        event.handle = handle;
        event.list = BOUNCE_NO_LIST;
        event.orig_addr = 4 * gib;
        event.size = slots * 2048;
        event.time_ns = time_ns;
        ASSERT_EQ(bounce_replay_run(replay, &device, &event, 1), BOUNCE_OK);
    }
    bounce_stats stats() const {
        bounce_stats s;
        bounce_replay_stats(replay, &s);
        return s;
    }
    bounce_replay *replay = nullptr;
    bounce_device device;
};

TEST_F(CocoReplay, PoolsAreConverted) {
    EXPECT_EQ(stats().conversion_bytes, 1 * mib + 128 * kib);
    EXPECT_EQ(stats().conversion_pages, 288u);
    EXPECT_EQ(stats().conversion_ns, 288u * 1660);
}

TEST_F(CocoReplay, AnExhaustedAtomicPoolIsTheCause) {
    for (std::uint32_t i = 0; i < 4; i++)
        map(i, 128, 0);
    EXPECT_EQ(stats().events_transient_maps, 0u);
    for (std::uint32_t i = 0; i < 4; i++)
        map(10 + i, 16, 0);
    EXPECT_EQ(stats().events_transient_maps, 4u);
    EXPECT_EQ(stats().events_full, 0u);
    EXPECT_EQ(stats().conversion_bytes, 1 * mib + 128 * kib) << "transient buffers convert nothing";
    map(20, 1, 0);
    EXPECT_EQ(stats().full_by_cause_atomic_pool, 1u);
    EXPECT_EQ(stats().events_full, 1u);

    map(21, 1, 2000); // the worker has run: a grown pool, and twice the atomic pool
    EXPECT_EQ(stats().events_full, 1u);
    EXPECT_EQ(stats().swiotlb_pools, 2u);
    EXPECT_EQ(stats().conversion_bytes, 2 * (1 * mib + 128 * kib));
}

TEST(Conversion, CostsOfTheGuests) {
    EXPECT_EQ(bounce_guest_conversion_ns(BOUNCE_GUEST_NONE), 0u);
    EXPECT_EQ(bounce_guest_conversion_ns(BOUNCE_GUEST_SEV_SNP), 1250u);
    EXPECT_EQ(bounce_guest_conversion_ns(BOUNCE_GUEST_TDX), 1660u);
}

} // namespace
