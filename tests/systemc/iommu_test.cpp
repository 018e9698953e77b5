// SPDX-License-Identifier: Apache-2.0
// The IOMMU against closed forms and published figures.
#include "iommu.hpp"
#include "iotlb_reach.hpp"
#include "modules.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

using namespace bouncesim::models;

namespace {

constexpr uint64_t page = 4096, huge = UINT64_C(2) << 20;

std::string models_page(const char *name) {
    std::ifstream file(std::string(BOUNCESIM_MODEL_PAGES "/") + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A device with mappings of its own behind an IOMMU.
struct bench {
    iommu_config config;
    module_test context;
    std::unique_ptr<iommu> unit;
    bus_initiator device{"device"};
    bus_target memory{"memory"};

    explicit bench(const iommu_config &of = {}) : config(of) {
        unit = std::make_unique<iommu>("iommu", config);
        device.bus.bind(unit->devices);
        unit->memory.bind(memory.socket);
        memory.keep = true;
    }
    bool read(uint64_t address, unsigned bytes, uint64_t at_ps = 0, uint32_t number = 0) {
        device.extension().device = number;
        device.time_ps = at_ps;
        return device.transfer(address, bytes, BOUNCE_TO_DEVICE);
    }
};

TEST(iotlb, hit_rate_of_a_uniform_random_window_is_size_over_window) {
    for (uint64_t replacement : {0u, 1u, 2u})
        for (uint64_t ways : {0u, 1u, 4u})
            for (uint64_t pages : {32u, 64u, 128u, 256u, 1024u}) {
                iommu_config config;
                config.iotlb_replacement = replacement;
                config.iotlb_ways = ways;
                reach seen = measure_reach(pages * page, page, config, 50000);
                double expected = std::min(1.0, 64.0 / static_cast<double>(pages));
                EXPECT_NEAR(seen.hit_rate, expected, 0.01)
                    << replacement << ' ' << ways << ' ' << pages;
            }
}

// Row R23: figures within 25 %, and the order of the windows.
TEST(iotlb, reach_as_published) {
    const struct {
        uint64_t kib;
        double published;
    } rows[] = {{256, 27.6}, {512, 20.2}, {1024, 14.3}, {2048, 11.7}, {4096, 10.7}, {65536, 9.84}};
    const std::string text = models_page("iommu.md");
    double last = 1000;
    for (const auto &row : rows) {
        reach seen = measure_reach(row.kib << 10);
        EXPECT_NEAR(seen.gbit_per_s, row.published, row.published * 0.25) << row.kib;
        EXPECT_LT(seen.gbit_per_s, last);
        char line[200];
        std::snprintf(line, sizeof(line), "| %d KiB | %.2f | %.2f | %+ld %% |",
                      static_cast<int>(row.kib), row.published, seen.gbit_per_s,
                      std::lround((seen.gbit_per_s / row.published - 1) * 100));
        EXPECT_NE(text.find(line), std::string::npos) << line;
        last = seen.gbit_per_s;
        if (row.kib == 256) {
            EXPECT_NEAR(seen.latency_ns, 612, 1);
        }
        if (row.kib == 65536) {
            EXPECT_GE(seen.latency_ns, 612 + 289 * 0.75);
            EXPECT_LE(seen.latency_ns, 612 + 354 * 1.25);
        }
    }
    EXPECT_NEAR(measure_reach(64 << 20, huge).latency_ns - 612, 67, 67 * 0.25);
}

TEST(iommu, walks_wait_for_a_walker) {
    for (uint64_t walkers : {1u, 2u, 6u}) {
        iommu_config config;
        config.walkers = walkers;
        config.walk_ps = 100000;
        bench b(config);
        b.unit->map(0, page, page * 9, 20 * page, BOUNCE_TO_DEVICE);
        for (uint64_t n = 1; n <= 20; n++) { // all at once
            ASSERT_TRUE(b.read(n * page, 64));
            EXPECT_EQ(b.device.time_ps, (n + walkers - 1) / walkers * 100000);
        }
        EXPECT_EQ(b.unit->stats().walks, 20u);
        // And one transfer over as many pages takes as long.
        bench c(config);
        c.unit->map(0, page, page * 9, 20 * page, BOUNCE_TO_DEVICE);
        ASSERT_TRUE(c.read(page, 20 * page));
        EXPECT_EQ(c.device.time_ps, (20 + walkers - 1) / walkers * 100000);
        EXPECT_EQ(c.memory.accesses, 1u); // contiguous: one access
    }
}

// One walker, random arrivals: the mean wait of an M/D/1 queue.
TEST(iommu, a_single_walker_is_an_m_d_1_queue) {
    iommu_config config;
    config.walkers = 1;
    config.walk_ps = 300000;
    config.iotlb_entries = 1;
    bench b(config);
    b.memory.keep = false;
    const uint64_t pages = 1 << 16;
    b.unit->map(0, page << 20, page, pages * page, BOUNCE_TO_DEVICE);
    std::mt19937_64 random(7);
    for (double load : {0.3, 0.6, 0.8}) {
        std::exponential_distribution<double> gap(load / 300000);
        double before = b.unit->stats().walk_wait_ns, at = static_cast<double>(b.device.time_ps);
        unsigned count = 400000;
        at += 1e9;
        for (unsigned n = 0; n < count; n++) {
            at += gap(random);
            b.read((page << 20) + random() % pages * page, 64, static_cast<uint64_t>(at));
        }
        double wait = (b.unit->stats().walk_wait_ns - before) / count;
        double expected = load / (2 * (1 - load)) * 300;
        EXPECT_NEAR(wait, expected, expected * 0.02) << load;
    }
}

TEST(iommu, who_asks_for_a_page_under_walk_waits_for_that_walk) {
    bench b;
    b.unit->map(0, page, page, page, BOUNCE_TO_DEVICE);
    b.read(page, 64, 0);
    b.read(page + 64, 64, 1000);
    EXPECT_EQ(b.device.time_ps, b.config.walk_ps);
    b.read(page, 64, b.config.walk_ps + 5);
    EXPECT_EQ(b.device.time_ps, b.config.walk_ps + 5);
    EXPECT_EQ(b.unit->stats().walks, 1u);
    EXPECT_EQ(b.unit->stats().iotlb_hits, 2u);
}

TEST(iommu, translates_into_the_pieces_that_are_contiguous) {
    bench b;
    b.unit->map(0, page, 50 * page, 2 * page, BOUNCE_TO_DEVICE, 7);
    b.unit->map(0, 3 * page, 90 * page, page, BOUNCE_TO_DEVICE, 7);
    unsigned char data[3 * page];
    b.device.extension().device = 0;
    ASSERT_TRUE(b.device.transfer(page + 100, 2 * page + 500, BOUNCE_TO_DEVICE, data));
    ASSERT_EQ(b.memory.log.size(), 2u);
    EXPECT_EQ(b.memory.log[0].address, 50 * page + 100);
    EXPECT_EQ(b.memory.log[0].bytes, 2 * page - 100);
    EXPECT_EQ(b.memory.log[0].data_bytes, 2 * page - 100);
    EXPECT_EQ(b.memory.log[0].space, 7u);
    EXPECT_EQ(b.memory.log[1].address, 90 * page);
    EXPECT_EQ(b.memory.log[1].bytes, 600u);
}

TEST(iommu, serves_nothing_that_is_not_mapped_for_it) {
    bench b;
    b.unit->map(0, 2 * page, 50 * page, page, BOUNCE_TO_DEVICE);
    EXPECT_FALSE(b.read(page, 64));           // no mapping
    EXPECT_FALSE(b.read(2 * page, 64, 0, 1)); // another device's
    EXPECT_EQ(b.memory.accesses, 0u);
    EXPECT_FALSE(b.read(3 * page - 32, 64)); // half outside: that half is not served
    ASSERT_EQ(b.memory.accesses, 1u);
    EXPECT_EQ(b.memory.log[0].bytes, 32u);
    EXPECT_FALSE(b.device.transfer(2 * page, 8, BOUNCE_FROM_DEVICE));
    EXPECT_EQ(b.memory.accesses, 1u);
    const fault_stats &faults = b.unit->stats().faults;
    ASSERT_EQ(faults.count, 4u);
    EXPECT_EQ(faults.by_kind[static_cast<unsigned>(dma_fault::unmapped)], 3u);
    EXPECT_EQ(faults.by_kind[static_cast<unsigned>(dma_fault::direction)], 1u);
    EXPECT_EQ(faults.first[1].device, 1u);
    EXPECT_EQ(faults.first[2].address, 3 * page);
    EXPECT_EQ(faults.first[2].bytes, 32u);
    EXPECT_TRUE(faults.first[3].write);
}

TEST(iommu, huge_pages_where_address_and_size_allow) {
    bench b;
    b.unit->map(0, 8 * huge - page, 4 * huge - page, huge + 2 * page, BOUNCE_TO_DEVICE);
    EXPECT_EQ(b.unit->stats().pages_hiwater, 3u);
    EXPECT_EQ(b.unit->lookup(0, 8 * huge + 5 * page)->phys, 4 * huge);
    ASSERT_TRUE(b.read(8 * huge - page, huge + 2 * page));
    EXPECT_EQ(b.unit->stats().walks, 3u);
    EXPECT_EQ(b.memory.accesses, 1u);
    b.unit->unmap(0, 8 * huge - page, huge + 2 * page);
    EXPECT_EQ(b.unit->lookup(0, 8 * huge), nullptr);
    b.unit->invalidate(0, 8 * huge - page, huge + 2 * page);
    EXPECT_FALSE(b.read(8 * huge, 64));
    EXPECT_EQ(b.unit->stats().stale, 0u);
}

TEST(iommu, an_entry_that_was_not_invalidated_is_stale_and_serves) {
    bench b;
    b.unit->map(0, page, 50 * page, page, BOUNCE_TO_DEVICE);
    b.read(page, 64);
    b.unit->unmap(0, page, page);
    EXPECT_TRUE(b.read(page, 64));
    EXPECT_EQ(b.unit->stats().stale, 1u);
    b.unit->map(0, page, 60 * page, page, BOUNCE_TO_DEVICE); // still the old translation
    EXPECT_TRUE(b.read(page, 64));
    EXPECT_EQ(b.memory.log.back().address, 50 * page);
    EXPECT_EQ(b.unit->stats().stale, 2u);
    b.unit->invalidate(0, page, page);
    EXPECT_TRUE(b.read(page, 64));
    EXPECT_EQ(b.memory.log.back().address, 60 * page);
    EXPECT_EQ(b.unit->stats().stale, 2u);
}

TEST(iommu_config, refuses_what_does_not_fit_together) {
    iommu_config config;
    EXPECT_EQ(config.check(), "");
    config.iotlb_ways = 5;
    EXPECT_NE(config.check(), "");
    config.iotlb_ways = 4;
    EXPECT_EQ(config.check(), "");
    config.granule = 5000;
    EXPECT_NE(config.check(), "");
    config.granule = 65536;
    config.walkers = 0;
    EXPECT_NE(config.check().find("walkers"), std::string::npos);
    for (std::size_t i = 0; const iommu_parameter *row = iommu_parameter_at(i); i++) {
        EXPECT_EQ(find_iommu_parameter(row->key), row);
        EXPECT_NE(row->value == nullptr, row->curve == nullptr);
        EXPECT_NE(std::string(row->meaning), "");
        EXPECT_NE(std::string(row->source), "");
    }
}

TEST(iommu_config, the_page_names_every_parameter_and_every_count) {
    const std::string text = models_page("iommu.md");
    const iommu_config defaults;
    for (std::size_t i = 0; const iommu_parameter *row = iommu_parameter_at(i); i++) {
        std::string cell = std::string("| `") + row->key + "` | ";
        if (row->value)
            cell += std::to_string(defaults.*row->value) + " | " + row->unit + " |";
        EXPECT_NE(text.find(cell), std::string::npos) << cell;
        EXPECT_NE(text.find(row->meaning), std::string::npos) << row->meaning;
        EXPECT_NE(text.find(row->source), std::string::npos) << row->source;
    }
#define BOUNCESIM_CHECK(type, name, unit, meaning)                                                 \
    EXPECT_NE(text.find("| `" #name "` | " unit " | " meaning " |"), std::string::npos) << #name;
    BOUNCESIM_IOMMU_STATS(BOUNCESIM_CHECK)
#undef BOUNCESIM_CHECK
}

} // namespace
