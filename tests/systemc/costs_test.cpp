// SPDX-License-Identifier: Apache-2.0
#include "models/check_stats.hpp"
#include "models/costs.hpp"
#include "models/timing_stats.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace bouncesim::models;

namespace {

TEST(costs, every_row_has_a_unit_a_meaning_and_a_source) {
    std::set<std::string> keys;
    std::size_t i = 0;
    for (; const cost_info *row = cost_at(i); i++) {
        EXPECT_TRUE(keys.insert(row->key).second) << row->key;
        EXPECT_EQ(find_cost(row->key), row);
        EXPECT_NE(std::string(row->unit), "");
        EXPECT_NE(std::string(row->meaning), "");
        EXPECT_NE(std::string(row->source), "");
        EXPECT_NE(row->value == nullptr, row->curve == nullptr) << row->key;
    }
    EXPECT_EQ(i, keys.size());
    EXPECT_EQ(find_cost("no_such_cost"), nullptr);
}

TEST(costs, zero_is_free) {
    costs zero = costs::zero();
    for (std::size_t i = 0; const cost_info *row = cost_at(i); i++) {
        if (row->value)
            EXPECT_EQ(zero.*row->value, 0u) << row->key;
        else
            EXPECT_EQ((zero.*row->curve).at(262144), 0u) << row->key;
    }
}

TEST(costs, curves_meet_their_points_and_are_straight_between_them) {
    costs c;
    EXPECT_EQ(c.copy_cold.at(0), 0u);
    EXPECT_EQ(c.copy_cold.at(1024), 70000u);
    EXPECT_EQ(c.copy_cold.at(2048), 140000u);
    EXPECT_EQ(c.copy_cold.at(3072), 190000u);
    EXPECT_EQ(c.copy_cold.at(4096), 240000u);
    EXPECT_EQ(c.copy_cold.at(262144), 11550000u);
    EXPECT_EQ(c.copy_cold.at(262144 + 196608), 11550000u + 8400000u);
    EXPECT_EQ(c.copy_hot.at(4096), 35000u);
    EXPECT_EQ(c.bus_read.at(64), 552000u);
    EXPECT_EQ(c.bus_read.at(UINT64_MAX), c.bus_read.at(cost_curve::limit));
    cost_curve single = {1, {{{1024, 2048}}}};
    EXPECT_EQ(single.at(512), 1024u);
    EXPECT_EQ(single.at(4096), 8192u);
}

TEST(costs, curves_rise) {
    for (std::size_t i = 0; const cost_info *row = cost_at(i); i++) {
        if (!row->curve)
            continue;
        const cost_curve curve = costs().*row->curve;
        for (uint64_t bytes = 1; bytes < 1u << 20; bytes += 511)
            ASSERT_LE(curve.at(bytes), curve.at(bytes + 511)) << row->key;
    }
}

std::string page(const char *name) {
    std::ifstream file(std::string(BOUNCESIM_MODEL_PAGES "/") + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(pages, name_every_cost_with_its_default_and_every_measure) {
    const std::string costs_page = page("costs.md"), timing_page = page("timing.md");
    const costs defaults;
    for (std::size_t i = 0; const cost_info *row = cost_at(i); i++) {
        std::string cell = std::string("| `") + row->key + "` | ";
        if (row->value)
            cell += std::to_string(defaults.*row->value) + " | " + row->unit + " |";
        EXPECT_NE(costs_page.find(cell), std::string::npos) << cell;
        EXPECT_NE(costs_page.find(row->meaning), std::string::npos) << row->meaning;
        EXPECT_NE(costs_page.find(row->source), std::string::npos) << row->source;
    }
#define BOUNCESIM_CHECK(type, name, unit, meaning)                                                 \
    EXPECT_NE(timing_page.find("| `" #name "` | " unit " | " meaning " |"), std::string::npos)     \
        << #name;
    BOUNCESIM_TIMING_STATS(BOUNCESIM_CHECK)
#undef BOUNCESIM_CHECK
}

TEST(pages, name_what_a_check_counts) {
    const std::string text = page("data_check.md");
#define BOUNCESIM_CHECK(name, unit, meaning)                                                       \
    EXPECT_NE(text.find("| `" #name "` | " unit " | " meaning " |"), std::string::npos) << #name;
    BOUNCESIM_CHECK_STATS(BOUNCESIM_CHECK)
#undef BOUNCESIM_CHECK
    for (std::size_t i = 1; i < dma_fault_kinds; i++) {
        std::string cell = std::string("| `") + dma_fault_name(static_cast<dma_fault>(i)) + "` | ";
        EXPECT_NE(text.find(cell), std::string::npos) << cell;
    }
}

} // namespace
