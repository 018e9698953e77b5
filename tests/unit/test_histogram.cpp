// SPDX-License-Identifier: Apache-2.0
// Counts of values: exact while there are few, to 7 leading bits beyond; percentiles by rank.
#include "bounce/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

struct histogram {
    explicit histogram(std::uint32_t exact) {
        h.exact = exact;
    }
    ~histogram() {
        bounce_histogram_free(&h);
    }
    void add(std::uint64_t value, std::uint64_t times = 1) {
        ASSERT_EQ(bounce_histogram_add(&h, value, times), BOUNCE_OK);
    }
    std::uint64_t at(std::uint64_t rank) const {
        std::unique_ptr<bounce_bin[], void (*)(void *)> sorted(bounce_histogram_sorted(&h),
                                                               std::free);
        return bounce_histogram_at(&h, sorted.get(), rank);
    }
    std::uint64_t percentile(std::uint32_t per_mille) const {
        std::unique_ptr<bounce_bin[], void (*)(void *)> sorted(bounce_histogram_sorted(&h),
                                                               std::free);
        return bounce_histogram_percentile(&h, sorted.get(), per_mille);
    }

    bounce_histogram h = {};
};

TEST(histogram, empty) {
    histogram empty(16);
    EXPECT_EQ(bounce_histogram_sorted(&empty.h), nullptr);
    EXPECT_EQ(empty.percentile(500), 0u);
}

TEST(histogram, exact_values_and_ranks) {
    histogram few(100);
    for (std::uint64_t value : {4096u, 512u, 4096u, 65536u, 0u})
        few.add(value);
    EXPECT_EQ(few.h.count, 5u);
    EXPECT_EQ(few.h.sum, 2 * 4096u + 512u + 65536u);
    EXPECT_EQ(few.h.min, 0u);
    EXPECT_EQ(few.h.max, 65536u);
    const std::vector<std::uint64_t> sorted = {0, 512, 4096, 4096, 65536};
    for (std::size_t rank = 0; rank < sorted.size(); rank++)
        EXPECT_EQ(few.at(rank), sorted[rank]);
    EXPECT_EQ(few.percentile(1), 0u);
    EXPECT_EQ(few.percentile(200), 0u);
    EXPECT_EQ(few.percentile(201), 512u);
    EXPECT_EQ(few.percentile(600), 4096u);
    EXPECT_EQ(few.percentile(1000), 65536u);
}

TEST(histogram, percentiles_against_a_sorted_list) {
    histogram rounded(0), exact(100000);
    std::vector<std::uint64_t> all;
    std::uint64_t x = 12345;
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        std::uint64_t value = (x >> 33) >> (x >> 28 & 31);
        all.push_back(value);
        rounded.add(value);
        exact.add(value);
    }
    std::sort(all.begin(), all.end());
    for (std::uint32_t per_mille : {1u, 10u, 250u, 500u, 900u, 990u, 999u, 1000u}) {
        std::size_t rank = (all.size() * per_mille + 999) / 1000 - 1;
        EXPECT_EQ(exact.percentile(per_mille), all[rank]) << per_mille;
        double want = static_cast<double>(all[rank]);
        EXPECT_NEAR(static_cast<double>(rounded.percentile(per_mille)), want, want / 128 + 0.5)
            << per_mille;
    }
    EXPECT_EQ(rounded.h.min, all.front());
    EXPECT_EQ(rounded.h.max, all.back());
    EXPECT_EQ(rounded.h.sum, exact.h.sum);
}

TEST(histogram, memory_is_bounded) {
    histogram many(64);
    for (std::uint64_t i = 0; i < 200000; i++)
        many.add(i * 0x9e3779b97f4a7c15u);
    EXPECT_EQ(many.h.count, 200000u);
    EXPECT_LE(many.h.used, 64u + 58 * 128);
}

TEST(histogram, sum_saturates) {
    histogram large(8);
    large.add(UINT64_MAX, 2);
    large.add(1, UINT64_MAX - 2);
    EXPECT_EQ(large.h.sum, UINT64_MAX);
    EXPECT_EQ(large.h.count, UINT64_MAX);
    EXPECT_EQ(large.percentile(1000), UINT64_MAX);
}

TEST(histogram, one_value_is_itself_even_when_rounded) {
    histogram one(0);
    one.add(1000003, 10);
    EXPECT_EQ(one.percentile(500), 1000003u);
}

} // namespace
