// SPDX-License-Identifier: Apache-2.0
// The IOMMU's tables against plain ones that are searched from one end to the other.
#include "io_page_table.hpp"
#include "iotlb.hpp"
#include "page_walkers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

using namespace bouncesim::models;

namespace {

struct plain_tlb {
    struct entry {
        uint32_t domain;
        uint64_t page;
        uint64_t stamp; // 0: free
    };
    uint64_t ways;
    iotlb_replacement replacement;
    std::vector<entry> entries;
    uint64_t clock = 0;
    std::mt19937_64 random = {};

    entry *begin_of(uint32_t domain, uint64_t page) {
        return &entries[(page + domain * UINT64_C(0x9e37)) % (entries.size() / ways) * ways];
    }
    entry *find(uint32_t domain, uint64_t page) {
        entry *set = begin_of(domain, page);
        for (uint64_t i = 0; i < ways; i++)
            if (set[i].stamp && set[i].page == page && set[i].domain == domain)
                return &set[i];
        return nullptr;
    }
    void insert(uint32_t domain, uint64_t page) {
        entry *set = begin_of(domain, page), *victim = set;
        for (uint64_t i = 0; i < ways && victim->stamp; i++)
            if (set[i].stamp < victim->stamp)
                victim = &set[i];
        if (victim->stamp && replacement == iotlb_random)
            victim = &set[random() % ways];
        *victim = {domain, page, ++clock};
    }
};

void same_as_plain(uint64_t entries, uint64_t ways, iotlb_replacement replacement) {
    iotlb tlb(entries, ways, replacement);
    plain_tlb plain{ways ? ways : entries, replacement, std::vector<plain_tlb::entry>(entries)};
    std::mt19937 random(5);
    uint64_t held = 0;
    for (int step = 0; step < 20000; step++) {
        auto domain = static_cast<uint32_t>(random() % 3);
        uint64_t page = random() % (entries * 2);
        plain_tlb::entry *expected = plain.find(domain, page);
        switch (random() % 8) {
        case 0:
            tlb.drop(domain, page);
            if (expected)
                *expected = {};
            break;
        case 1:
            if (step % 50)
                break;
            tlb.drop_domain(domain);
            for (plain_tlb::entry &each : plain.entries)
                if (each.stamp && each.domain == domain)
                    each = {};
            break;
        default: {
            iotlb::entry *found = tlb.use(domain, page);
            ASSERT_EQ(found != nullptr, expected != nullptr) << step;
            if (!found) {
                tlb.insert(domain, page);
                plain.insert(domain, page);
                break;
            }
            held++;
            if (replacement == iotlb_lru)
                expected->stamp = ++plain.clock;
        }
        }
        auto used = std::count_if(plain.entries.begin(), plain.entries.end(),
                                  [](const plain_tlb::entry &each) { return each.stamp; });
        ASSERT_EQ(tlb.size(), static_cast<uint64_t>(used)) << step;
    }
    EXPECT_GT(held, 1000u);
}

TEST(iotlb, holds_what_a_search_through_all_entries_would) {
    for (iotlb_replacement replacement : {iotlb_lru, iotlb_fifo, iotlb_random})
        for (uint64_t ways : {0u, 1u, 4u, 24u}) {
            SCOPED_TRACE(testing::Message() << replacement << ' ' << ways);
            same_as_plain(48, ways, replacement);
        }
    same_as_plain(1, 0, iotlb_lru);
}

// Runs of all lengths at all places, and over each other.
TEST(io_page_table, has_what_a_map_of_single_pages_has) {
    io_page_table table(4096);
    std::map<std::pair<uint32_t, uint64_t>, io_page> small, huge;
    std::mt19937 random(9);
    auto same = [](const io_page *a, const io_page *b) {
        return a && b ? a->phys == b->phys && a->space == b->space && a->dir == b->dir : a == b;
    };
    auto at = [](const auto &pages, uint32_t domain, uint64_t page) -> const io_page * {
        auto found = pages.find({domain, page});
        return found == pages.end() ? nullptr : &found->second;
    };
    for (int step = 0; step < 4000; step++) {
        uint32_t domain = random() % 2;
        uint64_t first = random() % 600, count = 1 + random() % (step % 3 ? 8 : 200);
        io_page to = {uint64_t{random()} << 12, random() % 3, static_cast<uint8_t>(random() % 3)};
        switch (random() % 4) {
        case 0:
            table.map(domain, first, count, to);
            for (uint64_t i = 0; i < count; i++)
                small[{domain, first + i}] = {to.phys + 4096 * i, to.space, to.dir};
            break;
        case 1:
            table.map_huge(domain, first, to);
            huge[{domain, first}] = to;
            break;
        case 2:
            ASSERT_EQ(table.unmap_huge(domain, first), huge.erase({domain, first}) == 1);
            break;
        default:
            table.unmap(domain, first, count);
            for (uint64_t i = 0; i < count; i++)
                small.erase({domain, first + i});
        }
        ASSERT_EQ(table.size(), small.size() + huge.size()) << step;
        ASSERT_EQ(table.has_huge(), !huge.empty()) << step;
        for (int look = 0; look < 20; look++) {
            uint64_t page = random() % 820;
            ASSERT_TRUE(same(table.find(domain, page), at(small, domain, page))) << step;
            ASSERT_TRUE(same(table.find_huge(domain, page), at(huge, domain, page))) << step;
        }
    }
}

TEST(io_page_table, tells_a_page_from_a_later_one_in_its_place) {
    io_page_table table(4096);
    io_page to = {0x5000, 0, 1};
    table.map(0, 62, 4, to); // of two leaves
    uint32_t entered = table.find(0, 62)->entered;
    EXPECT_EQ(table.find(0, 65)->entered, entered);
    table.unmap(0, 62, 1);
    table.map(0, 62, 1, to);
    EXPECT_NE(table.find(0, 62)->entered, entered);
    EXPECT_EQ(table.find(0, 63)->entered, entered);
    table.map_huge(0, 62, to);
    entered = table.find_huge(0, 62)->entered;
    table.map_huge(0, 62, to);
    EXPECT_NE(table.find_huge(0, 62)->entered, entered);
}

TEST(page_walkers, the_one_that_is_free_first_walks) {
    for (std::size_t count : {1u, 2u, 6u}) {
        page_walkers walkers(count);
        std::vector<uint64_t> free_at(count);
        std::mt19937 random(3);
        uint64_t time = 0;
        for (int step = 0; step < 5000; step++) {
            uint64_t arrival = time += random() % 40;
            arrival -= std::min<uint64_t>(arrival, random() % 100); // not in order
            uint64_t takes = random() % 2 ? 77 : 312;
            uint64_t &first = *std::min_element(free_at.begin(), free_at.end());
            first = std::max(arrival, first) + takes;
            ASSERT_EQ(walkers.walk(arrival, takes), first) << step;
        }
    }
}

} // namespace
