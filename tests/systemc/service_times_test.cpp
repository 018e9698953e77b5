// SPDX-License-Identifier: Apache-2.0
#include "models/service_times.hpp"

#include <gtest/gtest.h>

namespace {

using bouncesim::models::service_times;

TEST(ServiceTimes, NothingAddedIsNoTime) {
    service_times times;
    times.settle();
    EXPECT_EQ(times.draw(true, 4096, 77), 0u);
}

TEST(ServiceTimes, DrawsAreSpreadAsTheTimesWere) {
    service_times times;
    for (uint64_t i = 1; i <= 1000; i++)
        times.add(false, 4096, i * 1000);
    times.settle();
    double sum = 0;
    for (uint64_t random = 0; random < 1000; random++)
        sum += static_cast<double>(times.draw(false, 4096, random));
    EXPECT_NEAR(sum / 1000, 500500, 500500 * 0.01);
    EXPECT_NEAR(static_cast<double>(times.draw(false, 4096, 99)), 100000, 1000);
    EXPECT_EQ(times.draw(false, 4096, 999), 1000000u);
    EXPECT_EQ(times.draw(false, 4096, 5), times.draw(false, 4096, 1005));
}

TEST(ServiceTimes, SizeAndDirectionAreToldApart) {
    service_times times;
    for (int i = 0; i < 20; i++) {
        times.add(false, 4096, 10);
        times.add(false, 65536, 50);
        times.add(true, 4096, 90);
    }
    times.add(false, 1 << 20, 7000); // one alone tells nothing
    times.settle();
    EXPECT_EQ(times.draw(false, 5000, 1), 10u);
    EXPECT_EQ(times.draw(false, 65537, 1), 50u);
    EXPECT_EQ(times.draw(true, 4096, 1), 90u);
    EXPECT_EQ(times.draw(false, 1 << 20, 1), 50u) << "the nearest size with enough";
    EXPECT_EQ(times.draw(true, 65536, 1), 90u) << "the same direction first";
}

TEST(ServiceTimes, TheOtherDirectionWhereThereIsNone) {
    service_times times;
    times.add(true, 4096, 90);
    times.settle();
    EXPECT_EQ(times.draw(false, 512, 3), 90u) << "few are better than none";
}

} // namespace
