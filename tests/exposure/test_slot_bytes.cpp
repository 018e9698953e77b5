// SPDX-License-Identifier: Apache-2.0
// The sets of bytes below it, against std::bitset.
extern "C" {
#include "replay/slot_bytes.h"
}

#include <gtest/gtest.h>

#include <bitset>
#include <random>
#include <vector>

namespace {

TEST(SlotBytes, AgreeWithABitset) {
    std::mt19937 engine(7);
    auto random = [&] { return static_cast<std::uint32_t>(engine()); };
    bitmap_arena arena = {};
    std::vector<slot_bytes> sets(8);
    std::vector<std::bitset<SLOT_BYTES>> model(sets.size());
    for (int step = 0; step < 40000; step++) {
        std::size_t which = random() % sets.size();
        slot_bytes &set = sets[which];
        std::uint32_t begin = random() % (SLOT_BYTES + 1), end = random() % (SLOT_BYTES + 1);
        if (random() % 2)
            end = std::min(SLOT_BYTES, begin + random() % 100);
        bool add = random() % 2;
        ASSERT_TRUE(add ? slot_bytes_add(&arena, &set, begin, end)
                        : slot_bytes_remove(&arena, &set, begin, end));
        for (std::uint32_t at = begin; at < end; at++)
            model[which][at] = add;
        ASSERT_EQ(slot_bytes_count(&arena, &set, 0, SLOT_BYTES), model[which].count());
        std::uint32_t from = random() % (SLOT_BYTES + 1), to = random() % (SLOT_BYTES + 1),
                      count = 0;
        for (std::uint32_t at = from; at < to; at++)
            count += model[which][at];
        ASSERT_EQ(slot_bytes_count(&arena, &set, from, to), count);
    }
    EXPECT_LE(arena.made, sets.size()) << "bit maps are used again";
    for (slot_bytes &set : sets) {
        ASSERT_TRUE(slot_bytes_remove(&arena, &set, 0, SLOT_BYTES));
        EXPECT_EQ(set.bitmap, NO_BITMAP);
    }
    bitmap_arena_destroy(&arena);
}

TEST(SlotBytes, ASetOfOneRunHasNoBitmap) {
    bitmap_arena arena = {};
    slot_bytes set = {};
    ASSERT_TRUE(slot_bytes_add(&arena, &set, 10, 20));
    ASSERT_TRUE(slot_bytes_add(&arena, &set, 20, 30));
    EXPECT_EQ(set.bitmap, NO_BITMAP);
    ASSERT_TRUE(slot_bytes_add(&arena, &set, 31, 40));
    EXPECT_NE(set.bitmap, NO_BITMAP);
    ASSERT_TRUE(slot_bytes_add(&arena, &set, 30, 31));
    EXPECT_EQ(set.bitmap, NO_BITMAP);
    EXPECT_EQ(set.begin, 10);
    EXPECT_EQ(set.end, 40);
    bitmap_arena_destroy(&arena);
}

} // namespace
