// SPDX-License-Identifier: Apache-2.0
#include "histogram.hpp"

#include <gtest/gtest.h>

#include <memory>

using bouncesim::models::histogram;

namespace {

TEST(histogram, small_values_are_exact) {
    auto h = std::make_unique<histogram>();
    EXPECT_EQ(h->percentile(500), 0u);
    for (uint64_t value = 1; value <= 100; value++)
        h->add(value);
    EXPECT_EQ(h->percentile(500), 50u);
    EXPECT_EQ(h->percentile(900), 90u);
    EXPECT_EQ(h->percentile(990), 99u);
    EXPECT_EQ(h->percentile(999), 100u);
    EXPECT_EQ(h->percentile(1000), 100u);
    EXPECT_EQ(h->max(), 100u);
    EXPECT_DOUBLE_EQ(h->mean(), 50.5);
}

TEST(histogram, every_value_is_known_to_within_a_hundredth) {
    auto h = std::make_unique<histogram>();
    for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
        auto one = std::make_unique<histogram>();
        one->add(value);
        EXPECT_EQ(one->percentile(500), value); // cut at the largest
        one->add(UINT64_MAX);
        EXPECT_GE(one->percentile(500), value);
        EXPECT_LE(static_cast<double>(one->percentile(500)), static_cast<double>(value) * 1.008);
    }
}

TEST(histogram, a_uniform_distribution) {
    auto h = std::make_unique<histogram>();
    for (uint64_t value = 1; value <= 1000000; value++)
        h->add(value);
    EXPECT_NEAR(static_cast<double>(h->percentile(500)), 500000, 4000);
    EXPECT_NEAR(static_cast<double>(h->percentile(900)), 900000, 7200);
    EXPECT_NEAR(static_cast<double>(h->percentile(999)), 999000, 8000);
}

} // namespace
