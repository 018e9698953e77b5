// SPDX-License-Identifier: Apache-2.0
// The one list of statistics, and the names that every output uses.
#include "bounce/stats.h"
#include "bounce/swiotlb.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace {

TEST(Stats, EveryFieldIsInTheTableOnce) {
    std::set<std::string> names;
    std::set<std::size_t> offsets;
    std::size_t rows = 0;
    for (; const bounce_stat_info *info = bounce_stat_at(rows); rows++) {
        EXPECT_TRUE(names.insert(std::string(info->section) + "." + info->name).second)
            << info->section << "." << info->name;
        EXPECT_TRUE(offsets.insert(info->offset).second);
        EXPECT_EQ(info->offset % sizeof(std::uint64_t), 0u);
        EXPECT_LE(info->offset + sizeof(std::uint64_t), sizeof(bounce_stats));
        EXPECT_GT(std::strlen(info->unit), 0u);
        EXPECT_GT(std::strlen(info->meaning), 10u);
        EXPECT_EQ(std::string(info->section).find_first_of(" ,."), std::string::npos);
        EXPECT_EQ(std::string(info->name).find_first_of(" ,."), std::string::npos);
    }
    // All uint64_t of the struct, and the one ratio beside them.
    EXPECT_EQ(rows * sizeof(std::uint64_t) + sizeof(double), sizeof(bounce_stats));
    EXPECT_EQ(bounce_stat_at(rows + 1000), nullptr);
}

TEST(Stats, ValueIsTheField) {
    bounce_stats stats = {};
    stats.swiotlb_used_hiwater = 11;
    stats.events_full = 22;
    stats.recorded_full_equal = 33;
    std::set<std::uint64_t> seen;
    for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++) {
        std::uint64_t value = bounce_stat_value(&stats, info);
        if (value)
            seen.insert(value);
        std::string name = std::string(info->section) + "." + info->name;
        EXPECT_EQ(value == 11, name == "swiotlb.used_hiwater");
        EXPECT_EQ(value == 22, name == "events.full");
        EXPECT_EQ(value == 33, name == "recorded.full_equal");
    }
    EXPECT_EQ(seen.size(), 3u);
}

// A cause is a row of full_by_cause, a JSON key and a column of the timeline: one name for all.
TEST(Stats, EveryCauseIsCounted) {
    for (int cause = BOUNCE_CAUSE_NONE + 1; cause < BOUNCE_CAUSE_COUNT; cause++) {
        std::string name = bounce_cause_name(static_cast<bounce_cause>(cause));
        bool found = false;
        for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
            found |= std::string(info->section) == "full_by_cause" && name == info->name;
        EXPECT_TRUE(found) << name;
    }
}

TEST(Names, AreTheOnesOfTheOutputs) {
    EXPECT_STREQ(bounce_outcome_name(BOUNCE_MAP_OK), "ok");
    EXPECT_STREQ(bounce_outcome_name(BOUNCE_MAP_FULL), "full");
    EXPECT_STREQ(bounce_outcome_name(BOUNCE_MAP_OVERSIZE), "oversize");
    EXPECT_STREQ(bounce_outcome_name(BOUNCE_MAP_LOCKUP), "lockup");
    EXPECT_STREQ(bounce_dir_name(BOUNCE_BIDIRECTIONAL), "BIDIRECTIONAL");
    EXPECT_STREQ(bounce_dir_name(BOUNCE_TO_DEVICE), "TO_DEVICE");
    EXPECT_STREQ(bounce_dir_name(BOUNCE_FROM_DEVICE), "FROM_DEVICE");
    EXPECT_STREQ(bounce_dir_name(BOUNCE_DIR_NONE), "NONE");
}

TEST(Registries, AreTablesThatFindTheirOwnRows) {
    std::size_t kernels = 0;
    for (; const bounce_kernel *kernel = bounce_kernel_at(kernels); kernels++) {
        EXPECT_EQ(bounce_kernel_find(kernel->name), kernel);
        EXPECT_GT(std::strlen(kernel->summary), 10u);
        EXPECT_GT(std::strlen(kernel->source), 5u);
    }
    EXPECT_GE(kernels, 1u);
    EXPECT_NE(bounce_kernel_find("linux-6.12"), nullptr);
    EXPECT_EQ(bounce_kernel_find("linux-6.1x"), nullptr);
    EXPECT_EQ(bounce_kernel_find(""), nullptr);
}

TEST(Device, IsAsTheDriverCoreSetsItUp) {
    bounce_device device;
    std::string name(200, 'n');
    bounce_device_init(&device, name.c_str());
    EXPECT_EQ(std::strlen(device.name), BOUNCE_DEVICE_NAME_MAX - 1u);
    EXPECT_EQ(device.dma_mask, UINT64_MAX);
    EXPECT_EQ(device.seg_boundary, UINT32_MAX);
    EXPECT_EQ(device.min_align_mask, 0u);
}

TEST(Error, QuotesInputWithoutControlCharacters) {
    bounce_error error = {};
    EXPECT_EQ(bounce_refuse(&error, BOUNCE_MALFORMED, 17, "odd '%s'", "a\x1b[2J\nb\rc\x7f"),
              BOUNCE_MALFORMED);
    EXPECT_EQ(error.line, 17u);
    for (const char *c = error.text; *c; c++)
        EXPECT_FALSE(static_cast<unsigned char>(*c) < 32 || *c == 127) << error.text;
    std::string longer(1000, 'x');
    EXPECT_EQ(bounce_refuse(&error, BOUNCE_INVALID, 0, "%s", longer.c_str()), BOUNCE_INVALID);
    EXPECT_LT(std::strlen(error.text), sizeof(error.text));
    EXPECT_EQ(bounce_refuse(nullptr, BOUNCE_IO, 0, "nobody listens"), BOUNCE_IO);
}

} // namespace
