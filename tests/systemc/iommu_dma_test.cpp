// SPDX-License-Identifier: Apache-2.0
// The DMA layer above the IOMMU: addresses, flush queues, and what mapping costs.
#include "iommu_dma.hpp"
#include "modules.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

using namespace bouncesim::models;

namespace {

constexpr uint64_t page = 4096;

struct bench {
    iommu_config config;
    module_test context;
    iommu unit;
    iommu_dma dma;
    bus_initiator device{"device"};
    bus_target memory{"memory"};
    uint64_t time_ps = 0;

    explicit bench(const iommu_config &of = {})
        : config(of), unit("iommu", config), dma(unit, config) {
        device.bus.bind(unit.devices);
        unit.memory.bind(memory.socket);
    }
    bool read(uint64_t iova, uint64_t at_ps) {
        device.time_ps = at_ps;
        return device.transfer(iova, 64, BOUNCE_TO_DEVICE);
    }
};

iommu_config lazy() {
    iommu_config config;
    config.lazy = 1;
    return config;
}

TEST(iova, from_the_top_down_aligned_and_never_twice) {
    iova_allocator a(12, UINT32_MAX);
    std::set<uint64_t> taken;
    iova_source from;
    for (uint64_t pages : {1u, 3u, 8u, 33u, 64u, 1u, 5u}) {
        uint64_t at = a.allocate(0, pages, from);
        uint64_t align = 1;
        while (align < pages)
            align *= 2;
        EXPECT_EQ(at % (align * page), 0u);
        EXPECT_LE(at + pages * page - 1, UINT32_MAX);
        for (uint64_t n = 0; n < pages; n++)
            EXPECT_TRUE(taken.insert(at + n * page).second);
        EXPECT_EQ(from, pages > 32 ? iova_source::large : iova_source::tree);
    }
}

TEST(iova, freed_addresses_come_back_from_the_cpus_cache) {
    iova_allocator a(12, UINT64_MAX);
    iova_source from;
    uint64_t at = a.allocate(1, 4, from);
    a.free(1, at, 4);
    EXPECT_NE(a.allocate(2, 4, from), at); // another CPU's cache is empty
    EXPECT_EQ(from, iova_source::tree);
    EXPECT_EQ(a.allocate(1, 3, from), at); // 3 pages are 4
    EXPECT_EQ(from, iova_source::cache);
    std::vector<uint64_t> many;
    for (uint64_t n = 0; n < 2 * iova_allocator::magazine + 1; n++)
        many.push_back(a.allocate(1, 1, from));
    for (uint64_t each : many)
        a.free(1, each, 1);
    EXPECT_EQ(a.allocate(3, 1, from), many.back()); // what CPU 1 has no room for, all share
    EXPECT_EQ(from, iova_source::cache);
}

TEST(iova, ends_where_the_mask_ends) {
    iova_allocator a(12, 0xffff); // 16 pages, page 0 left out
    iova_source from;
    for (unsigned n = 0; n < 15; n++)
        EXPECT_NE(a.allocate(0, 1, from), 0u);
    EXPECT_EQ(a.allocate(0, 1, from), 0u);
    EXPECT_EQ(from, iova_source::failed);
    EXPECT_EQ(iova_allocator(12, 0xffff).allocate(0, 1000000, from), 0u);
}

TEST(iommu_dma, a_mapping_keeps_the_low_bits_and_covers_its_granules) {
    bench b;
    b.dma.set_mask(0, UINT32_MAX);
    uint64_t iova = b.dma.map(0, 0, 0x1234567890, 5000, BOUNCE_TO_DEVICE, b.time_ps);
    EXPECT_EQ(iova % page, 0x890u);
    EXPECT_LE(iova, UINT32_MAX);
    EXPECT_EQ(b.unit.lookup(0, iova)->phys, 0x1234567000u);
    EXPECT_EQ(b.unit.lookup(0, iova + page)->phys, 0x1234568000u);
    EXPECT_EQ(b.unit.lookup(0, iova + 2 * page), nullptr);
    EXPECT_EQ(b.time_ps, b.config.iova_miss_ps + b.config.map_time.at(2 * page));
    EXPECT_TRUE(b.read(iova, 0));
    b.time_ps = 0;
    b.dma.unmap(0, 0, iova, 5000, b.time_ps);
    EXPECT_EQ(b.time_ps, b.config.unmap_time.at(2 * page));
    EXPECT_FALSE(b.read(iova, 0)); // strict: at once
    EXPECT_EQ(b.dma.stats().faults.count, 1u);
    EXPECT_EQ(b.dma.stats().stale, 0u);
    b.time_ps = 0;
    EXPECT_EQ(b.dma.map(0, 0, 0x890, 5000, BOUNCE_TO_DEVICE, b.time_ps), iova);
    EXPECT_EQ(b.time_ps, b.config.map_time.at(2 * page));
    EXPECT_EQ(b.dma.stats().iova_hits, 1u);
    EXPECT_EQ(b.dma.stats().iova_misses, 1u);
}

TEST(iommu_dma, an_address_space_that_is_used_up_fails_the_map) {
    bench b;
    b.dma.set_mask(0, 0xffff);
    for (unsigned n = 0; n < 15; n++)
        ASSERT_NE(b.dma.map(0, 0, 0x100000, 100, BOUNCE_TO_DEVICE, b.time_ps), 0u);
    EXPECT_EQ(b.dma.map(0, 0, 0x100000, 100, BOUNCE_TO_DEVICE, b.time_ps), 0u);
    EXPECT_EQ(b.dma.stats().iova_failures, 1u);
    EXPECT_EQ(b.dma.stats().maps, 15u);
}

TEST(iommu_dma, lazy_serves_what_it_still_knows_until_the_timer) {
    bench b(lazy());
    uint64_t used = b.dma.map(0, 0, 0x100000, page, BOUNCE_TO_DEVICE, b.time_ps);
    uint64_t unused = b.dma.map(0, 0, 0x200000, page, BOUNCE_TO_DEVICE, b.time_ps);
    EXPECT_TRUE(b.read(used, b.time_ps));
    uint64_t before = b.time_ps;
    b.dma.unmap(0, 0, used, page, b.time_ps);
    EXPECT_EQ(b.time_ps - before, b.config.unmap_lazy.at(page));
    uint64_t due = b.time_ps + b.config.queue_timeout_us * 1000000;
    b.dma.unmap(0, 0, unused, page, b.time_ps);
    EXPECT_TRUE(b.read(used, b.time_ps));
    EXPECT_EQ(b.dma.stats().stale, 1u);
    EXPECT_FALSE(b.read(unused, b.time_ps)); // never was in the IOTLB
    EXPECT_TRUE(b.read(used, due - 1));
    EXPECT_FALSE(b.read(used, due));
    EXPECT_EQ(b.dma.stats().stale, 2u);
    EXPECT_EQ(b.dma.stats().faults.count, 2u);
    EXPECT_EQ(b.dma.stats().flushes_timeout, 1u);
    EXPECT_EQ(b.dma.stats().queue_hiwater, 2u);
}

TEST(iommu_dma, addresses_are_free_again_when_they_were_flushed) {
    bench b(lazy());
    uint64_t first = b.dma.map(0, 0, 0x100000, page, BOUNCE_TO_DEVICE, b.time_ps);
    b.dma.unmap(0, 0, first, page, b.time_ps);
    EXPECT_NE(b.dma.map(0, 0, 0x100000, page, BOUNCE_TO_DEVICE, b.time_ps), first);
    b.dma.expire(b.time_ps + 1000000 * b.config.queue_timeout_us);
    EXPECT_EQ(b.dma.map(0, 0, 0x100000, page, BOUNCE_TO_DEVICE, b.time_ps), first);
}

TEST(iommu_dma, a_full_queue_is_flushed) {
    for (bool single : {false, true}) {
        iommu_config config = lazy();
        config.single_queue = single;
        config.single_queue_entries = 256;
        config.iova_miss_ps = 0;
        bench b(config);
        uint64_t first = 0, flushed_ps = 0;
        for (unsigned n = 0; n < 300; n++) {
            uint64_t iova = b.dma.map(0, n % 2, 0x100000, page, BOUNCE_TO_DEVICE, b.time_ps);
            if (!n) {
                first = iova;
                b.read(iova, b.time_ps);
            }
            uint64_t before = b.time_ps;
            b.dma.unmap(0, n % 2, iova, page, b.time_ps);
            if (b.time_ps - before > config.unmap_lazy.at(page))
                flushed_ps = b.time_ps - before - config.unmap_lazy.at(page);
        }
        // Two CPUs have 150 entries each: no queue of their own is full.
        EXPECT_EQ(b.dma.stats().flushes_full, single ? 1u : 0u);
        EXPECT_EQ(flushed_ps, single ? config.flush_ps : 0u);
        EXPECT_EQ(b.dma.stats().queue_hiwater, single ? 256u : 300u);
        EXPECT_EQ(b.read(first, b.time_ps), !single);
    }
}

// Two pages by each of two CPUs at once: unpinning waits in the queue, pinning does not.
TEST(iommu_dma, a_host_that_pins_takes_its_time_for_each_page) {
    for (bool flushed_later : {false, true}) {
        iommu_config config = flushed_later ? lazy() : iommu_config();
        config.map_page_ps = 70000;
        config.unmap_page_ps = 1000000;
        config.iova_miss_ps = 0;
        bench b(config);
        uint64_t iova[2], time_ps[2] = {};
        for (uint32_t cpu : {0u, 1u}) {
            iova[cpu] =
                b.dma.map(0, cpu, 0x100ff0, page, BOUNCE_TO_DEVICE, time_ps[cpu]); // astride
            EXPECT_EQ(time_ps[cpu], config.map_time.at(2 * page) + 2 * 70000);
            time_ps[cpu] = 0;
        }
        for (uint32_t cpu : {0u, 1u})
            b.dma.unmap(0, cpu, iova[cpu], page, time_ps[cpu]);
        uint64_t one =
            2 * 1000000 + (flushed_later ? config.unmap_lazy : config.unmap_time).at(2 * page);
        EXPECT_EQ(time_ps[0], one);
        EXPECT_EQ(time_ps[1] - one,
                  flushed_later ? 0 : config.unmap_serial.at(2 * page) + 2 * 1000000);
    }
}

// Threads that map and unmap, each as soon as it can: us of a map and an unmap.
double map_and_unmap_us(unsigned threads, uint64_t bytes) {
    iommu_config config;
    config.iova_miss_ps = 0;
    bench b(config);
    std::vector<uint64_t> at(threads);
    unsigned rounds = 200;
    for (unsigned n = 0; n < rounds * threads; n++) {
        auto next = std::min_element(at.begin(), at.end());
        uint32_t cpu = static_cast<uint32_t>(next - at.begin());
        uint64_t iova = b.dma.map(0, cpu, 0x40000000 + cpu * bytes, bytes, BOUNCE_TO_DEVICE, *next);
        b.dma.unmap(0, cpu, iova, bytes, *next);
    }
    return static_cast<double>(*std::max_element(at.begin(), at.end())) / rounds / 1e6;
}

// dma_map_benchmark on SMMUv3: a map and an unmap with 1 and 10 threads.
TEST(iommu_dma, one_and_ten_threads_as_published) {
    const struct {
        uint64_t kib;
        double one, ten;
    } rows[] = {
        {4, 0.9, 5.9}, {16, 1.2, 5.9}, {64, 2.2, 12.7}, {256, 6.5, 47.6}, {1024, 20.1, 193.3}};
    for (const auto &row : rows) {
        EXPECT_NEAR(map_and_unmap_us(1, row.kib << 10), row.one, row.one * 0.05) << row.kib;
        EXPECT_NEAR(map_and_unmap_us(10, row.kib << 10), row.ten, row.ten * 0.25) << row.kib;
    }
}

// The table of docs/models/iommu.md: one copy against mapping and unmapping through the IOMMU.
TEST(iommu_dma, copy_against_remap_as_the_page_has_it) {
    std::ifstream file(BOUNCESIM_MODEL_PAGES "/iommu.md");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const costs copies;
    for (uint64_t kib : {4u, 16u, 64u, 256u}) {
        double copy = static_cast<double>(copies.copy_cold.at(kib << 10)) / 1e6;
        double one = map_and_unmap_us(1, kib << 10), ten = map_and_unmap_us(10, kib << 10);
        char row[200];
        std::snprintf(row, sizeof(row), "| %d KiB | %.2f | %.2f | %s | %.2f | %s |",
                      static_cast<int>(kib), copy, one, copy < one ? "copy" : "remap", ten,
                      copy < ten ? "copy" : "remap");
        EXPECT_NE(text.find(row), std::string::npos) << row;
        EXPECT_LT(copy, ten); // copying wins at every size that swiotlb serves
        if (kib == 4) {
            EXPECT_LT(copy, one);
        }
        if (kib >= 64) {
            EXPECT_GT(copy, one);
        }
    }
}

TEST(iommu_dma, untrusted_devices_bounce_what_is_not_whole_granules) {
    bench b;
    EXPECT_FALSE(b.dma.must_bounce(false, 0x1001, 100));
    EXPECT_TRUE(b.dma.must_bounce(true, 0x1001, 4095));
    EXPECT_TRUE(b.dma.must_bounce(true, 0x1000, 100));
    EXPECT_FALSE(b.dma.must_bounce(true, 0x1000, 8192));
    EXPECT_EQ(b.dma.alloc_align_mask(), 0xfffu);
    EXPECT_EQ(b.dma.pre_padding(0x41234), 0x234u);
    EXPECT_EQ(b.dma.post_padding(0x41234, 0x100), 0x1000u - 0x334u);
    EXPECT_EQ(b.dma.post_padding(0x41000, 0x1000), 0u);
}

} // namespace
