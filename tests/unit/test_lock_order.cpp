// SPDX-License-Identifier: Apache-2.0
// Which locks a search takes, against where it found its slots.
#include "pool.hpp"

#include <random>
#include <vector>

namespace {

class LockOrder : public testing::TestWithParam<const char *> {};

// The last of the locks that a map took is that of the area in which its slots lie.
TEST_P(LockOrder, EndsAtTheAreaThatServes) {
    bounce_swiotlb_config config = unit::pool_config(512, 4);
    config.kernel = bounce_kernel_find(GetParam());
    bounce_swiotlb *made = nullptr;
    bounce_error error = {};
    ASSERT_EQ(bounce_swiotlb_create(&config, &made, &error), BOUNCE_OK) << error.text;
    unit::mem_ptr mem(made, bounce_swiotlb_destroy);
    bounce_device device = unit::make_device();
    std::vector<std::uint64_t> live;
    std::mt19937 random(3);
    unsigned grown = 0, transient = 0, beyond_the_first = 0;
    for (int step = 0; step < 20000; step++) {
        if (step % 64 == 0)
            bounce_swiotlb_run_worker(made);
        if (!live.empty() && random() % 100 < 48) {
            std::swap(live[random() % live.size()], live.back());
            bounce_swiotlb_unmap(made, &device, live.back());
            live.pop_back();
            continue;
        }
        std::uint32_t cpu = random() % 4;
        bounce_map_request request = unit::make_request(device, 0x1000, 1 + random() % 65536, cpu);
        bounce_map_result result = {};
        bounce_swiotlb_map(made, &request, &result);
        ASSERT_EQ(result.outcome, BOUNCE_MAP_OK);
        live.push_back(result.tlb_addr);
        bounce_lock lock = bounce_swiotlb_lock_of(made, result.tlb_addr);
        if (bounce_swiotlb_is_transient(made, result.tlb_addr)) {
            EXPECT_EQ(lock.pool, BOUNCE_OWN_LOCK);
            transient++;
            continue;
        }
        bounce_lock_walk walk = {};
        bounce_lock last = {};
        for (std::uint32_t i = 0; i < result.locks; i++)
            last = bounce_swiotlb_next_lock(made, cpu, &walk);
        ASSERT_EQ(last.pool, lock.pool) << step;
        ASSERT_EQ(last.area, lock.area) << step;
        grown += lock.pool > 0;
        beyond_the_first += result.locks > 1;
    }
    EXPECT_GT(grown, 1000u);
    EXPECT_GT(transient, 0u);
    EXPECT_GT(beyond_the_first, 1000u);
    EXPECT_EQ(bounce_swiotlb_lock_of(made, 0x1000).pool, BOUNCE_OWN_LOCK);
}

INSTANTIATE_TEST_SUITE_P(, LockOrder, testing::Values("linux-6.12-dynamic", "pool-by-pool"));

} // namespace
