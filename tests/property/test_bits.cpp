// SPDX-License-Identifier: Apache-2.0
// 128-bit sets against the same questions asked of 128 booleans.
#include "bits_access.h"

#include <gtest/gtest.h>

#include <bitset>
#include <random>
#include <vector>

namespace {

using bits = std::bitset<128>;

struct words {
    std::uint64_t w[2];
};

words words_of(const bits &set) {
    words out = {{0, 0}};
    for (std::size_t i = 0; i < 128; i++)
        out.w[i / 64] |= std::uint64_t{set[i]} << (i % 64);
    return out;
}

bits bits_of(const std::uint64_t word[2]) {
    bits out;
    for (std::size_t i = 0; i < 128; i++)
        out[i] = word[i / 64] >> (i % 64) & 1;
    return out;
}

unsigned run_from(const bits &set, unsigned bit) {
    unsigned n = 0;
    while (bit + n < 128 && set[bit + n])
        n++;
    return n;
}

unsigned longest_run(const bits &set) {
    unsigned longest = 0;
    for (unsigned bit = 0; bit < 128; bit++)
        longest = std::max(longest, run_from(set, bit));
    return longest;
}

// Empty, full, one run of every length at every place, and random ones of every density.
const std::vector<bits> &samples() {
    static const std::vector<bits> all = [] {
        std::vector<bits> sets = {bits(), ~bits()};
        for (unsigned n = 1; n <= 128; n++)
            for (unsigned first = 0; first + n <= 128; first += 1 + n / 16) {
                bits set;
                for (unsigned i = first; i < first + n; i++)
                    set.set(i);
                sets.push_back(set);
                sets.push_back(~set);
            }
        std::mt19937_64 random(1);
        for (int i = 0; i < 3000; i++) {
            bits set;
            unsigned threshold = 1 + i % 31, run = 1 + i % 40;
            for (std::size_t at = 0; at < 128;) { // runs, not single bits
                bool value = random() % 32 < threshold;
                for (std::size_t left = 1 + random() % run; left > 0 && at < 128; left--)
                    set[at++] = value;
            }
            sets.push_back(set);
        }
        return sets;
    }();
    return all;
}

TEST(Bits, Range) {
    for (unsigned first = 0; first < 128; first++)
        for (unsigned n = 1; first + n <= 128; n++) {
            bits wanted;
            for (unsigned i = first; i < first + n; i++)
                wanted.set(i);
            words out;
            access_range(first, n, out.w);
            ASSERT_EQ(bits_of(out.w), wanted) << first << " " << n;
        }
}

TEST(Bits, RunsFrom) {
    for (const bits &set : samples()) {
        words in = words_of(set);
        for (unsigned bit = 0; bit < 128; bit++)
            ASSERT_EQ(access_run_from(in.w, bit), run_from(set, bit)) << set << " at " << bit;
    }
}

TEST(Bits, RunStarts) {
    for (std::size_t i = 0; i < samples().size(); i++) {
        const bits &set = samples()[i];
        words in = words_of(set), out;
        for (unsigned n = 1 + static_cast<unsigned>(i % 3); n <= 128; n += 3) {
            bits wanted;
            for (unsigned bit = 0; bit < 128; bit++)
                wanted[bit] = run_from(set, bit) >= n;
            access_run_starts(in.w, n, out.w);
            ASSERT_EQ(bits_of(out.w), wanted) << set << " for " << n;
        }
    }
}

// What a search that finds nothing says of the set: no run of that length, nor of a longer one.
TEST(Bits, LengthKnownNotToBeThere) {
    for (const bits &set : samples()) {
        words in = words_of(set);
        unsigned longest = longest_run(set);
        for (unsigned n = 1; n <= 128; n++) {
            unsigned length = access_length_known(in.w, n);
            if (longest >= n)
                ASSERT_EQ(length, n) << set;
            else
                ASSERT_TRUE(length > longest && length <= n) << set << ": " << length;
        }
    }
}

TEST(Bits, RunStartsInAWord) {
    for (const bits &set : samples()) {
        words in = words_of(set);
        bits lower;
        for (unsigned bit = 0; bit < 64; bit++)
            lower[bit] = set[bit];
        for (unsigned n = 1; n <= 64; n++) {
            std::uint64_t wanted = 0;
            for (unsigned bit = 0; bit < 64; bit++)
                wanted |= std::uint64_t{run_from(lower, bit) >= n} << bit;
            ASSERT_EQ(access_word_run_starts(in.w[0], n), wanted) << set << " for " << n;
        }
    }
}

TEST(Bits, LongestRun) {
    for (const bits &set : samples()) {
        words in = words_of(set);
        ASSERT_EQ(access_longest_run(in.w), longest_run(set)) << set;
    }
}

TEST(Bits, LowestAndHighest) {
    for (const bits &set : samples()) {
        if (set.none())
            continue;
        words in = words_of(set);
        unsigned highest = 127;
        while (!set[highest])
            highest--;
        ASSERT_EQ(access_lowest(in.w), set._Find_first()) << set;
        ASSERT_EQ(access_highest(in.w), highest) << set;
    }
}

TEST(Bits, Log2Floor) {
    for (unsigned n = 0; n < 64; n++) {
        EXPECT_EQ(access_log2_floor(std::uint64_t{1} << n), n);
        EXPECT_EQ(access_log2_floor((std::uint64_t{1} << n) | ((std::uint64_t{1} << n) - 1)), n);
    }
}

} // namespace
