// SPDX-License-Identifier: Apache-2.0
// The index of live mappings against a list of pairs.
#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

extern "C" {
#include "trace/index.h"
}

#include <gtest/gtest.h>

namespace {

class IndexTest : public testing::Test {
  protected:
    IndexTest() = default;
    ~IndexTest() override {
        index_free(&index);
    }
    IndexTest(const IndexTest &) = delete;
    IndexTest &operator=(const IndexTest &) = delete;

    std::vector<std::uint32_t> values(std::uint64_t key) {
        std::vector<std::uint32_t> all;
        for (std::uint32_t v = index_find(&index, key); v != INDEX_NONE;
             v = index_find_next(&index, v))
            all.push_back(v);
        return all;
    }

    struct index index = {};
};

TEST_F(IndexTest, FindsNothingWhenEmpty) {
    EXPECT_EQ(index_find(&index, 0), INDEX_NONE);
    EXPECT_EQ(index_find(&index, 42), INDEX_NONE);
    index_clear(&index);
    EXPECT_EQ(index_find(&index, 42), INDEX_NONE);
}

TEST_F(IndexTest, OldestFirstUnderOneKey) {
    for (std::uint32_t v : {7u, 3u, 900u, 5u})
        ASSERT_EQ(index_insert(&index, 42, v), BOUNCE_OK);
    ASSERT_EQ(index_insert(&index, 43, 6), BOUNCE_OK);
    EXPECT_EQ(values(42), (std::vector<std::uint32_t>{7, 3, 900, 5}));
    index_remove(&index, 42, 3);
    EXPECT_EQ(values(42), (std::vector<std::uint32_t>{7, 900, 5}));
    index_remove(&index, 42, 5); // the youngest: the next one goes behind 900
    ASSERT_EQ(index_insert(&index, 42, 1), BOUNCE_OK);
    index_remove(&index, 42, 7); // the oldest
    EXPECT_EQ(values(42), (std::vector<std::uint32_t>{900, 1}));
    EXPECT_EQ(values(43), (std::vector<std::uint32_t>{6}));
    index_clear(&index);
    EXPECT_TRUE(values(42).empty());
}

TEST_F(IndexTest, AsAListOfPairs) {
    std::mt19937_64 random(3);
    std::vector<std::pair<std::uint64_t, std::uint32_t>> model; // in order of insertion
    std::vector<bool> in(3000);
    for (int step = 0; step < 40000; step++) {
        std::uint32_t value = static_cast<std::uint32_t>(random() % (step < 20000 ? 200 : 3000));
        std::uint64_t key = random() % 40 << (random() % 3 * 20);
        if (!in[value]) {
            ASSERT_EQ(index_insert(&index, key, value), BOUNCE_OK);
            model.emplace_back(key, value);
        } else {
            auto at = std::find_if(model.begin(), model.end(),
                                   [&](const auto &p) { return p.second == value; });
            index_remove(&index, at->first, value);
            model.erase(at);
        }
        in[value] = !in[value];
        std::uint64_t asked = random() % 40 << (random() % 3 * 20);
        std::vector<std::uint32_t> wanted;
        for (const auto &p : model)
            if (p.first == asked)
                wanted.push_back(p.second);
        ASSERT_EQ(values(asked), wanted) << "step " << step;
    }
}

} // namespace
