// SPDX-License-Identifier: Apache-2.0
// The cause by the kernel's rules, and how far the numbers settle what is behind "no run".
#include "bounce/explain.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

struct question {
    bounce_explain_options options;
    bounce_log_record record = {};
    bounce_explain_result result = {};
    bounce_advice advice = {};

    question(uint64_t size, uint64_t total, uint64_t used) {
        bounce_explain_options_init(&options);
        record.kind = BOUNCE_LOG_FULL;
        record.has = BOUNCE_LOG_HAS_SIZE | BOUNCE_LOG_HAS_TOTAL | BOUNCE_LOG_HAS_USED;
        record.size = size;
        record.total = total;
        record.used = used;
        record.device = {"", 0};
    }
    question &areas(uint32_t n) {
        options.areas = n;
        options.areas_given = true;
        return *this;
    }
    question &masks(uint32_t min_align, uint32_t granule) {
        options.min_align_mask = min_align;
        options.granule = granule;
        options.masks_known = true;
        return *this;
    }
    bounce_explain_cause ask() {
        EXPECT_EQ(bounce_explain(&options, &record, &result), BOUNCE_OK);
        bounce_explain_advise(&options, &record, &result, &advice);
        EXPECT_GT(strlen(advice.why), 0u);
        EXPECT_LT(strlen(advice.why), sizeof advice.why - 1) << "cut: " << advice.why;
        EXPECT_GT(advice.helps_count, 0u);
        EXPECT_GT(advice.no_help_count, 0u);
        for (unsigned i = 0; i < advice.helps_count; i++)
            EXPECT_LT(strlen(advice.helps[i]), sizeof advice.helps[i] - 1);
        return result.cause;
    }
    bool may_be(const char *name) const {
        for (unsigned i = 0; i < advice.may_be_count; i++)
            if (!strcmp(advice.may_be[i], name))
                return true;
        return false;
    }
    bool says(const char *text) const {
        return strstr(advice.why, text) != nullptr;
    }
};

TEST(Classify, EdgesOfEachCause) {
    EXPECT_EQ(question(8, 0, 0).ask(), BOUNCE_EXPLAIN_NO_POOL);
    EXPECT_EQ(question(1u << 30, 0, 0).ask(), BOUNCE_EXPLAIN_NO_POOL);
    EXPECT_EQ(question(262144, 32768, 32640).ask(), BOUNCE_EXPLAIN_NO_RUN);
    EXPECT_EQ(question(262145, 32768, 0).ask(), BOUNCE_EXPLAIN_OVERSIZE);
    EXPECT_EQ(question(262144, 32768, 32641).ask(), BOUNCE_EXPLAIN_EXHAUSTED);
    EXPECT_EQ(question(2048, 32768, 32767).ask(), BOUNCE_EXPLAIN_NO_RUN);
    EXPECT_EQ(question(2049, 32768, 32767).ask(), BOUNCE_EXPLAIN_EXHAUSTED);
    EXPECT_EQ(question(1, 32768, 32768).ask(), BOUNCE_EXPLAIN_EXHAUSTED);
    EXPECT_EQ(question(1, 32768, 40000).ask(), BOUNCE_EXPLAIN_EXHAUSTED);
    EXPECT_EQ(question(UINT64_MAX, 32768, 0).ask(), BOUNCE_EXPLAIN_OVERSIZE);
    EXPECT_EQ(question(UINT64_MAX, UINT64_MAX, UINT64_MAX).ask(), BOUNCE_EXPLAIN_OVERSIZE);
    EXPECT_EQ(question(1, UINT64_MAX, 0).ask(), BOUNCE_EXPLAIN_NO_RUN);
    EXPECT_EQ(question(0, 32768, 0).ask(), BOUNCE_EXPLAIN_NO_RUN);
}

TEST(Classify, WithoutTotals) {
    question q(4096, 0, 0);
    q.record.has = BOUNCE_LOG_HAS_SIZE;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_CANNOT_TELL);
    EXPECT_FALSE(q.result.free_known);
    q.record.size = 1u << 20;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_OVERSIZE);
    q.record.size = 22;
    q.record.has |= BOUNCE_LOG_NEGATIVE;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_OVERSIZE);
    EXPECT_FALSE(q.result.needed_known);
    EXPECT_TRUE(q.says("-22"));
    q.record.kind = BOUNCE_LOG_NO_POOL;
    q.record.has = 0;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_NO_POOL);
}

TEST(Classify, NegativeLengthsAreNamed) {
    question q(4294967294u, 512, 0);
    q.ask();
    EXPECT_TRUE(q.says("-2 read as an unsigned"));
    question wide(UINT64_MAX - 21, 512, 0);
    wide.ask();
    EXPECT_TRUE(wide.says("-22 read as an unsigned"));
}

TEST(Classify, MinAlignMaskLowersTheLargest) {
    question q(258048, 32768, 0);
    EXPECT_EQ(q.masks(0xfff, 0).ask(), BOUNCE_EXPLAIN_NO_RUN);
    EXPECT_EQ(q.result.max_size, 258048u);
    question over(258049, 32768, 0);
    EXPECT_EQ(over.masks(0xfff, 0).ask(), BOUNCE_EXPLAIN_OVERSIZE);
}

TEST(Classify, OtherConstants) {
    question q(4194304, 32768, 0);
    q.options.segment_slots = 2048;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_NO_RUN);
    EXPECT_EQ(q.result.needed, 2048u);
    q.record.size++;
    EXPECT_EQ(q.ask(), BOUNCE_EXPLAIN_OVERSIZE);
}

TEST(Classify, RefusesOptionsOutOfRange) {
    question q(1, 1, 1);
    auto refused = [&](auto change) {
        question other = q;
        change(other.options);
        return bounce_explain(&other.options, &other.record, &other.result) == BOUNCE_INVALID &&
               bounce_explain_options_fault(&other.options);
    };
    EXPECT_TRUE(refused([](auto &o) { o.slot_size = 1000; }));
    EXPECT_TRUE(refused([](auto &o) { o.slot_size = 0; }));
    EXPECT_TRUE(refused([](auto &o) { o.segment_slots = 0; }));
    EXPECT_TRUE(refused([](auto &o) { o.min_align_mask = 0x1000; }));
    EXPECT_TRUE(refused([](auto &o) { o.min_align_mask = UINT32_MAX; }));
    EXPECT_TRUE(refused([](auto &o) { o.granule = 3; }));
    EXPECT_TRUE(refused([](auto &o) { o.areas_given = true; }));
    q.record.kind = BOUNCE_LOG_SUPPRESSED;
    EXPECT_EQ(bounce_explain(&q.options, &q.record, &q.result), BOUNCE_INVALID);
}

TEST(Classify, LargerPoolIsTheNextPowerOfTwo) {
    question q(4096, 32768, 32768);
    q.ask();
    EXPECT_EQ(q.result.suggested_nslabs, 65536u);
    EXPECT_NE(strstr(q.advice.helps[1], "swiotlb=65536 (128 MiB)"), nullptr);
    question odd(4096, 40000, 40000);
    odd.ask();
    EXPECT_EQ(odd.result.suggested_nslabs, 65536u);
}

// 128 used slots cannot spoil 256 slot sets: only an address rule is left.
TEST(NoRun, AlignmentIsLeftOver) {
    question q(262144, 32768, 128);
    q.ask();
    EXPECT_EQ(q.result.area_limited, BOUNCE_SUSPECT_RULED_OUT);
    EXPECT_EQ(q.result.fragmented, BOUNCE_SUSPECT_RULED_OUT);
    EXPECT_TRUE(q.may_be("alignment"));
    EXPECT_EQ(q.advice.may_be_count, 1u);
    question edge(262144, 32768, 256);
    edge.ask();
    EXPECT_EQ(edge.result.fragmented, BOUNCE_SUSPECT_POSSIBLE);
}

TEST(NoRun, AreaArithmetic) {
    question q(262144, 32768, 28249); // 4519 free
    q.areas(32).ask();
    EXPECT_EQ(q.result.area_slots, 1024u);
    EXPECT_EQ(q.result.best_area_least, 142u);
    EXPECT_EQ(q.result.best_area_most, 1024u);
    EXPECT_EQ(q.result.area_limited, BOUNCE_SUSPECT_RULED_OUT);
    q.areas(64).ask(); // 64 areas with 127 free each hold 8128
    EXPECT_EQ(q.result.area_limited, BOUNCE_SUSPECT_POSSIBLE);
    EXPECT_TRUE(q.may_be("area_limited"));
    EXPECT_TRUE(q.says("at most 35 of the 256"));
    q.areas(1).ask();
    EXPECT_EQ(q.result.area_limited, BOUNCE_SUSPECT_RULED_OUT);
    q.areas(4096).ask(); // more than slot sets: the kernel makes fewer
    EXPECT_EQ(q.result.areas, 256u);
}

TEST(NoRun, AreasOfAnotherPoolAreNotUsed) {
    question q(262144, 32768, 28249);
    q.options.areas = 64;
    q.options.boot.nslabs = 524288;
    q.ask();
    EXPECT_EQ(q.result.areas, 0u);
    EXPECT_TRUE(q.says("has grown or"));
}

TEST(NoRun, OneSlotIsNeverFragmentation) {
    question q(8, 32768, 32767);
    q.ask();
    EXPECT_EQ(q.result.fragmented, BOUNCE_SUSPECT_RULED_OUT);
    EXPECT_EQ(q.result.area_limited, BOUNCE_SUSPECT_RULED_OUT);
}

TEST(NoRun, GranuleAndPoolStart) {
    question q(262144, 32768, 0);
    q.masks(0, 65536).ask(); // the page-aligned start is not known: possible
    EXPECT_EQ(q.result.alignment, BOUNCE_SUSPECT_POSSIBLE);
    q.options.boot.nslabs = 32768;
    q.options.boot.start = 0x1000;
    q.ask();
    EXPECT_EQ(q.result.alignment, BOUNCE_SUSPECT_CERTAIN);
    EXPECT_EQ(q.advice.may_be_count, 1u);
    q.options.boot.start = 0x10000;
    q.ask();
    EXPECT_EQ(q.result.alignment, BOUNCE_SUSPECT_RULED_OUT);
    EXPECT_TRUE(q.may_be("count_moved"));
    question huge(4096, 32768, 0);
    huge.masks(0, 1u << 30).ask();
    EXPECT_EQ(huge.result.alignment, BOUNCE_SUSPECT_POSSIBLE);
}

// Brute force: is there a pattern of `used` slots in one slot set of 8 that leaves no aligned run?
TEST(NoRun, SpoilersAreTheLeastThatSuffices) {
    for (unsigned align : {1u, 2u, 4u})
        for (unsigned needed = 1; needed <= 8; needed++) {
            unsigned least = 8;
            for (unsigned used = 0; used < 256; used++) {
                bool run = false;
                for (unsigned start = 0; start + needed <= 8; start += align)
                    run |= (used >> start & ((1u << needed) - 1)) == 0;
                if (!run)
                    least = std::min(least, static_cast<unsigned>(__builtin_popcount(used)));
            }
            question q(needed * 2048, 8, 0);
            q.options.segment_slots = 8;
            q.masks(0, align * 2048);
            q.options.boot.nslabs = 8;
            q.ask();
            EXPECT_EQ(q.result.align_spoilers, least) << align << " " << needed;
        }
}

TEST(Summary, GroupsAndLeak) {
    auto summary = std::make_unique<bounce_explain_summary>();
    auto add = [&](const std::string &device, uint64_t size, uint64_t used) {
        question q(size, 32768, used);
        q.record.device = {device.data(), device.size()};
        q.ask();
        bounce_log_event event = {1, {"", 0}, &q.record, &q.result, &q.options};
        bounce_explain_summary_add(summary.get(), &event);
    };
    add("a 1", 4096, 32700);
    for (unsigned i = 0; i < 10; i++)
        add("b 2", 4096, 32740 + i);
    EXPECT_TRUE(bounce_explain_used_never_fell(summary.get()));
    add("b 2", 4096, 32741);
    EXPECT_FALSE(bounce_explain_used_never_fell(summary.get()));
    add("b 2", 1u << 20, 5);
    bounce_explain_summary_sort(summary.get());
    ASSERT_EQ(summary->groups_count, 3u);
    EXPECT_STREQ(summary->groups[0].device, "b 2");
    EXPECT_EQ(summary->groups[0].count, 11u);
    EXPECT_EQ(summary->groups[0].used_least, 32740u);
    EXPECT_EQ(summary->groups[0].used_most, 32749u);
    char text[8192];
    bounce_explain_verdict(summary.get(), text, sizeof text);
    EXPECT_NE(strstr(text, "12 of 13"), nullptr) << text;
    size_t length = bounce_explain_text(&summary->groups[0], text, sizeof text);
    EXPECT_EQ(length, strlen(text));
    char small[10];
    EXPECT_EQ(bounce_explain_text(&summary->groups[0], small, sizeof small), 9u);
    for (unsigned i = 0; i < 2 * BOUNCE_EXPLAIN_GROUPS; i++)
        add("dev " + std::to_string(i), 4096, 1);
    EXPECT_EQ(summary->groups_count, BOUNCE_EXPLAIN_GROUPS);
    EXPECT_EQ(summary->events, 13 + 2 * BOUNCE_EXPLAIN_GROUPS);
    EXPECT_EQ(summary->ungrouped, BOUNCE_EXPLAIN_GROUPS + 3);
}

} // namespace
