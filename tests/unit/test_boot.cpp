// SPDX-License-Identifier: Apache-2.0
// The boot option: what is read, what is refused, what a kernel rounds it to.
#include "bounce/boot.h"

#include <gtest/gtest.h>

#include <cstring>
#include <ostream>
#include <string>

namespace {

struct good_option {
    const char *text;
    std::uint64_t nslabs;
    std::uint32_t nareas;
    bool force, noforce;
};

class BootGood : public testing::TestWithParam<good_option> {};

TEST_P(BootGood, IsRead) {
    bounce_boot boot = {99, 99, true, true};
    bounce_error error = {};
    const good_option &o = GetParam();
    ASSERT_EQ(bounce_boot_parse(o.text, &boot, &error), BOUNCE_OK) << error.text;
    EXPECT_EQ(boot.nslabs, o.nslabs);
    EXPECT_EQ(boot.nareas, o.nareas);
    EXPECT_EQ(boot.force, o.force);
    EXPECT_EQ(boot.noforce, o.noforce);
}

const good_option good[] = {
    {"1", 1, 0, false, false},
    {"65536", 65536, 0, false, false},
    {"65536,8", 65536, 8, false, false},
    {"65536,8,force", 65536, 8, true, false},
    {"65536,force", 65536, 0, true, false},
    {"65536,noforce", 65536, 0, false, true},
    {"1024,3,noforce", 1024, 3, false, true},
    {"force", 0, 0, true, false},
    {"noforce", 0, 0, false, true},
    {"64M", 32768, 0, false, false},
    {"64m", 32768, 0, false, false},
    {"256K,1,force", 128, 1, true, false},
    {"1G", 524288, 0, false, false},
    {"16G", BOUNCE_MAX_NSLABS, 0, false, false},
    {"8388608", BOUNCE_MAX_NSLABS, 0, false, false},
    {"1024,8192", 1024, BOUNCE_MAX_CPUS, false, false},
    // Numbers as simple_strtoul() reads them with base 0.
    {"0200", 128, 0, false, false},
    {"0x400", 1024, 0, false, false},
    {"0X400,0x10,force", 1024, 16, true, false},
    {"0x40M", 32768, 0, false, false},
    // The slots left out.
    {",8", 0, 8, false, false},
    {",8,force", 0, 8, true, false},
    {",force", 0, 0, true, false},
    {",noforce", 0, 0, false, true},
};

INSTANTIATE_TEST_SUITE_P(, BootGood, testing::ValuesIn(good));

class BootBad : public testing::TestWithParam<const char *> {};

TEST_P(BootBad, IsRefused) {
    const bounce_boot untouched = {7, 3, true, false};
    bounce_boot boot = untouched;
    bounce_error error = {};
    ASSERT_EQ(bounce_boot_parse(GetParam(), &boot, &error), BOUNCE_INVALID);
    EXPECT_EQ(std::memcmp(&boot.nslabs, &untouched.nslabs, sizeof(boot.nslabs)), 0);
    EXPECT_EQ(boot.nareas, 3u);
    EXPECT_TRUE(boot.force);
    EXPECT_GT(std::strlen(error.text), 10u);
    EXPECT_EQ(std::strpbrk(error.text, "\n\r\t"), nullptr) << error.text;
    EXPECT_EQ(bounce_boot_parse(GetParam(), &boot, nullptr), BOUNCE_INVALID);
}

INSTANTIATE_TEST_SUITE_P(, BootBad,
                         testing::Values("", "0", "0,8", "0,force", "1K", "abc", "-1", "+1", " 1",
                                         "1 ", ",", ",,", ",,8", ",0", ",8x", ",x", "1024,0",
                                         "1024,8193", "1024,x", "1024,8,forced", "1024,8,force,",
                                         "1024,8,force,force", "1024;8", "1024,8 ,force", "64MM",
                                         "64T", "0x", "0x400x", "08", "0128", "0x0", "00", "1.5G",
                                         "8388609", "17G", "99999999999", "99999999999999999999",
                                         "18446744073709551616G", "1024,99999999999999999999",
                                         "Force", "1024\nforce"));

// The kernel takes a trailing comma. So may we, or refuse it; what must not come out of it is
// another pool than without.
TEST(Boot, TrailingCommaIsNotAnotherPool) {
    for (const char *text : {"1024,", "1024,8,"}) {
        bounce_boot boot = {};
        if (bounce_boot_parse(text, &boot, nullptr) != BOUNCE_OK)
            continue;
        EXPECT_EQ(boot.nslabs, 1024u);
        EXPECT_EQ(boot.nareas, std::strlen(text) > 5 ? 8u : 0u);
        EXPECT_FALSE(boot.force || boot.noforce);
    }
}

struct rounding {
    std::uint64_t nslabs;
    std::uint32_t nareas, cpus;
    std::uint64_t nslabs_used;
    std::uint32_t nareas_used;
};

class BootRounding : public testing::TestWithParam<rounding> {};

TEST_P(BootRounding, AsTheKernelDoes) {
    const rounding &r = GetParam();
    bounce_boot boot = {r.nslabs, r.nareas, false, false};
    std::uint64_t nslabs = 0;
    std::uint32_t nareas = 0;
    bounce_boot_round(&boot, r.cpus, &nslabs, &nareas);
    EXPECT_EQ(nslabs, r.nslabs_used);
    EXPECT_EQ(nareas, r.nareas_used);
}

const rounding roundings[] = {
    // asked: slots, areas; CPUs      got: slots, areas
    {0, 0, 1, 32768, 1}, // nothing said: 64 MiB
    {0, 0, 4, 32768, 4},
    {0, 0, 6, 32768, 8}, // areas: the CPUs' number, up to a power of two
    {0, 0, 256, 32768, 256},
    {0, 0, 257, 65536, 512}, // 128 slots an area
    {0, 0, 8192, 1048576, 8192},
    {1, 0, 1, 128, 1}, // never less than a slot set
    {127, 1, 1, 128, 1},
    {128, 1, 1, 128, 1},
    {129, 1, 1, 256, 1}, // slot sets, then a power of two
    {1000, 1, 1, 1024, 1},
    {1025, 1, 1, 2048, 1},
    {1024, 0, 4, 1024, 4},
    {512, 0, 8, 1024, 8},   // areas raise the slots
    {128, 3, 1, 512, 4},    // areas not a power of two
    {128, 64, 1, 8192, 64}, // areas > slots / 128
    {1024, 5, 64, 1024, 8}, // areas given: the CPUs do not matter
    {65536, 8, 4, 65536, 8},
    {100000, 8, 4, 131072, 8},
    {BOUNCE_MAX_NSLABS, 8192, 8192, BOUNCE_MAX_NSLABS, 8192},
    {BOUNCE_MAX_NSLABS - 1, 1, 1, BOUNCE_MAX_NSLABS, 1},
};

INSTANTIATE_TEST_SUITE_P(, BootRounding, testing::ValuesIn(roundings));

// Whatever is asked, the result is a legal pool: a power of two, whole slot sets an area.
TEST(Boot, RoundingAlwaysGivesALegalPool) {
    for (std::uint64_t slots : {1ull, 100ull, 128ull, 5000ull, 99999ull, 8388608ull})
        for (std::uint32_t areas : {0u, 1u, 2u, 3u, 63u, 64u, 65u, 8191u, 8192u})
            for (std::uint32_t cpus : {1u, 2u, 3u, 48u, 4097u, 8192u}) {
                bounce_boot boot = {slots, areas, false, false};
                std::uint64_t nslabs = 0;
                std::uint32_t nareas = 0;
                bounce_boot_round(&boot, cpus, &nslabs, &nareas);
                EXPECT_GE(nslabs, slots);
                EXPECT_LE(nslabs, BOUNCE_MAX_NSLABS);
                EXPECT_EQ(nslabs & (nslabs - 1), 0u);
                EXPECT_EQ(nareas & (nareas - 1), 0u);
                EXPECT_GE(nareas, 1u);
                EXPECT_EQ(nslabs % (std::uint64_t{nareas} * BOUNCE_SEGMENT_SLOTS), 0u);
            }
}

TEST(Boot, DefaultStartIsPageAlignedAndOutOfTheWayOfZero) {
    for (std::uint64_t slots = 128; slots <= BOUNCE_MAX_NSLABS; slots *= 2) {
        std::uint64_t start = bounce_boot_default_start(slots);
        std::uint64_t end = start + (slots << BOUNCE_SLOT_SHIFT);
        EXPECT_GT(start, 0u);
        EXPECT_EQ(start % 4096, 0u);
        EXPECT_TRUE(end <= (1ull << 31) || start >= (1ull << 32)) << slots;
    }
}

} // namespace
