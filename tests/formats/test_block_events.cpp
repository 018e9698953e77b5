// SPDX-License-Identifier: Apache-2.0
// Block requests out of kernel events: which lines count, what pairs, and when they are chosen.
#include "reading.hpp"

#include <gtest/gtest.h>

namespace {

struct text {
    std::string all = "# tracer: nop\n#\n";
    int us = 1000;
    const char *flags = ".....";

    text &line(const std::string &event, int cpu = 0) {
        char prefix[64];
        std::snprintf(prefix, sizeof(prefix), "          fio-77      [%03d] %s %5d.%06d: ", cpu,
                      flags, us / 1000000, us % 1000000);
        all += prefix + event + "\n";
        us += 10;
        return *this;
    }
    text &issue(const std::string &what, int cpu = 0) {
        return line("block_rq_issue: " + what + " [fio]", cpu);
    }
    text &complete(const std::string &what, int cpu = 0) {
        return line("block_rq_complete: " + what + " [0]", cpu);
    }
    text &bounced(unsigned orig) {
        return line("swiotlb_bounced: dev_name: 0000:00:02.0 dma_mask=ffffffffffffffff dev_addr=" +
                    std::to_string(orig) + " size=4096 FORCE");
    }
    text &mapped(unsigned orig) {
        return line("dma_map_page: 0000:00:02.0 dir=TO_DEVICE dma_addr=7b100000 size=4096 "
                    "phys_addr=" +
                    std::to_string(orig) + " attrs=");
    }
};

reading::outcome read(const text &t, bounce_trace_only only = BOUNCE_ONLY_ANY, bool skip = false) {
    bounce_trace_options options = {};
    options.only = static_cast<std::uint8_t>(only);
    options.skip_malformed = skip;
    return reading::read(t.all, options);
}

// "I4096@0" for an issue, "C" for a completion, "c" for one that follows from the rest.
std::string shape(const reading::outcome &out) {
    std::string all;
    for (const bounce_event &e : out.events) {
        if (!all.empty())
            all += ' ';
        if (e.kind == BOUNCE_EVENT_ISSUE)
            all += "I" + std::to_string(e.size);
        else if (e.kind == BOUNCE_EVENT_COMPLETE)
            all += e.flags & BOUNCE_EVENT_IMPLIED ? "c" : "C";
        else
            all += "?" + std::to_string(e.kind);
        all += "#" + std::to_string(e.id);
    }
    return all;
}

TEST(BlockEvents, PairsByDeviceAndSector) {
    reading::outcome out = read(text()
                                    .issue("254,0 R 4096 () 8 + 8 be,0,4", 3)
                                    .issue("254,16 WS 8192 () 8 + 16 be,0,4")
                                    .complete("254,16 WS () 8 + 16 be,0,4", 1)
                                    .complete("254,0 R () 8 + 8 be,0,4", 2));
    EXPECT_EQ(out.status, BOUNCE_END);
    EXPECT_EQ(shape(out), "I4096#0 I8192#1 C#1 C#0");
    EXPECT_EQ(out.recorded.level, BOUNCE_LEVEL_REQUESTS);
    EXPECT_TRUE(out.recorded.has_completions);
    EXPECT_TRUE(out.recorded.no_mappings);
    EXPECT_TRUE(out.recorded.guessed_force);
    EXPECT_EQ(out.recorded.cpus, 4u);
    ASSERT_EQ(out.devices.size(), 2u);
    EXPECT_STREQ(out.devices[0].name, "254:0");
    EXPECT_STREQ(out.devices[1].name, "254:16");
    EXPECT_EQ(out.events[0].cpu, 3u);
    EXPECT_EQ(out.events[0].offset, 8u * 512);
    EXPECT_EQ(out.events[0].dir, BOUNCE_FROM_DEVICE);
    EXPECT_EQ(out.events[1].dir, BOUNCE_TO_DEVICE);
    EXPECT_EQ(out.events[1].time_ns, 10000u);
    EXPECT_EQ(out.events[3].cpu, 2u);
    EXPECT_EQ(out.counts.span_ns, 30000u);
}

// The bounce in an interrupt is over when the CPU is out of it: a failure, if there were answers.
TEST(BlockEvents, BouncesWithoutAnswersAreForgottenInterruptsToo) {
    text t;
    t.issue("8,0 R 4096 () 8 + 8");
    t.flags = "..s1.";
    t.bounced(0x10000);
    t.flags = ".....";
    t.bounced(0x20000).bounced(0x30000);
    reading::outcome out = read(t.complete("8,0 R () 8 + 8"));
    EXPECT_EQ(shape(out), "I4096#0 C#0");
    EXPECT_EQ(out.devices.size(), 1u);
    EXPECT_EQ(out.counts.other_events, 3u);
}

TEST(BlockEvents, OlderKernelsPrintNoPriority) {
    reading::outcome out = read(text()
                                    .issue("8,0 FWFS 512 () 123456789012 + 1")
                                    .complete("8,0 FWFS () 123456789012 + 1")
                                    .issue("8,0 R 36 (12 00 00 00 24 00) 0 + 0")
                                    .complete("8,0 R (12 00 00 00 24 00) 0 + 0"));
    EXPECT_EQ(shape(out), "I512#0 C#0 I36#1 C#1");
    EXPECT_EQ(out.events[0].dir, BOUNCE_TO_DEVICE);
    EXPECT_EQ(out.counts.unmatched_unmaps, 0u);
}

TEST(BlockEvents, WhatMovesNoDataIsLeftOut) {
    const char *const ops[] = {"D", "DS", "DE", "FF", "WZS", "ZR", "N"};
    text t;
    for (const char *op : ops)
        t.issue("8,0 " + std::string(op) + " 1048576 () 2048 + 2048 none,0,0")
            .complete("8,0 " + std::string(op) + " () 2048 + 2048 none,0,0");
    t.complete("8,0 FF () 18446744073709551615 + 0 none,0,0"); // ends of a flush
    t.complete("8,0 WS () 2 + 0 be,0,4");
    t.line("block_rq_insert: 8,0 R 4096 () 8 + 8 be,0,4 [fio]");
    t.line("block_rq_error: 8,0 R () 8 + 8 be,0,4 [-5]");
    t.issue("8,0 WAS 4096 () 8 + 8 be,0,4").complete("8,0 WAS () 8 + 8 be,0,4");
    reading::outcome out = read(t);
    EXPECT_EQ(shape(out), "I4096#0 C#0");
    EXPECT_EQ(out.counts.other_events, 2u * 7 + 4);
    EXPECT_EQ(out.counts.unmatched_unmaps, 0u);
}

TEST(BlockEvents, PassthroughEndsByLengthThenAge) {
    const std::string none = "18446744073709551615";
    reading::outcome out = read(text()
                                    .issue("0,0 N 0 () 0 + 0 none,0,0")
                                    .issue("0,0 N 4096 () 0 + 0 none,0,0")
                                    .issue("0,0 N 8 () 0 + 0 none,0,0")
                                    .complete("0,0 N () " + none + " + 8 none,0,0")
                                    .complete("0,0 N () " + none + " + 0 none,0,0")
                                    .complete("0,0 N () " + none + " + 0 none,0,0")
                                    .complete("0,0 N () " + none + " + 0 none,0,0"));
    EXPECT_EQ(shape(out), "I4096#0 I8#1 C#0 C#1");
    EXPECT_EQ(out.events[0].dir, BOUNCE_BIDIRECTIONAL);
}

TEST(BlockEvents, IssuedAgainAfterAFullPool) {
    reading::outcome out = read(text()
                                    .issue("254,0 WS 4096 () 8 + 8 be,0,4")
                                    .issue("254,0 WS 4096 () 8 + 8 be,0,4")
                                    .complete("254,0 WS () 8 + 8 be,0,4")
                                    .issue("254,0 R 4096 () 8 + 8 be,0,4")
                                    .line("block_rq_requeue: 254,0 R () 8 + 8 be,0,4 [0]")
                                    .issue("254,0 R 4096 () 8 + 8 be,0,4")
                                    .complete("254,0 R () 8 + 8 be,0,4"));
    EXPECT_EQ(shape(out), "I4096#0 c#0 I4096#1 C#1 I4096#2 C#2 I4096#3 C#3");
    EXPECT_EQ(out.counts.implied_unmaps, 1u);
    EXPECT_EQ(out.requests.count, 4u);
}

TEST(BlockEvents, TwoEqualRequestsInFlight) {
    text t;
    t.issue("8,0 R 4096 () 8 + 8").issue("8,0 R 4096 () 8 + 8");
    t.complete("8,0 R () 8 + 8").issue("8,0 R 4096 () 8 + 8");
    t.complete("8,0 R () 8 + 8").complete("8,0 R () 8 + 8");
    reading::outcome out = read(t);
    EXPECT_EQ(shape(out), "I4096#0 I4096#1 C#0 I4096#2 C#1 C#2");
    EXPECT_EQ(out.counts.implied_unmaps + out.counts.unmatched_unmaps, 0u);
    // One completion fewer: one of the issues was given back.
    t = text();
    t.issue("8,0 R 4096 () 8 + 8").issue("8,0 R 4096 () 8 + 8");
    t.complete("8,0 R () 8 + 8").issue("8,0 R 4096 () 8 + 8").complete("8,0 R () 8 + 8");
    EXPECT_EQ(shape(read(t)), "I4096#0 c#0 I4096#1 C#1 I4096#2 C#2");
}

TEST(BlockEvents, TheSameSectorForEver) {
    text t; // more of one key than is looked at, and more than the window holds
    for (int i = 0; i < 20000; i++)
        t.issue("8,0 R 4096 () 8 + 8");
    reading::outcome out = read(t);
    EXPECT_EQ(out.requests.count, 20000u);
    EXPECT_EQ(out.counts.implied_unmaps, 19999u);
}

TEST(BlockEvents, MappingsComeFirstUnlessToldOtherwise) {
    text t;
    t.issue("254,0 W 4096 () 8 + 8 be,0,4").bounced(0x1000).mapped(0x1000);
    t.complete("254,0 W () 8 + 8 be,0,4");
    for (bounce_trace_only only : {BOUNCE_ONLY_ANY, BOUNCE_ONLY_MAPPINGS}) {
        reading::outcome out = read(t, only);
        EXPECT_EQ(out.status, BOUNCE_END);
        ASSERT_EQ(out.events.size(), 1u);
        EXPECT_EQ(out.events[0].kind, BOUNCE_EVENT_MAP);
        EXPECT_EQ(out.recorded.level, BOUNCE_LEVEL_MAPPINGS);
        EXPECT_FALSE(out.recorded.no_mappings);
        ASSERT_EQ(out.devices.size(), 1u);
        EXPECT_STREQ(out.devices[0].name, "0000:00:02.0");
        EXPECT_EQ(out.counts.other_events, 2u);
        EXPECT_EQ(out.counts.records, 4u);
    }
    reading::outcome out = read(t, BOUNCE_ONLY_BLOCK);
    EXPECT_EQ(shape(out), "I4096#0 C#0");
    EXPECT_EQ(out.counts.other_events, 2u);
    EXPECT_FALSE(out.recorded.no_mappings);
    ASSERT_EQ(out.devices.size(), 1u);
    EXPECT_STREQ(out.devices[0].name, "254:0");
}

TEST(BlockEvents, BouncedEventsAloneLeaveTheRequests) {
    text t; // before 6.12: no dma events
    for (unsigned i = 0; i < 6000; i++) {
        std::string at = std::to_string(8 * i);
        t.issue("8,0 W 4096 () " + at + " + 8").bounced(0x1000 * i);
        t.complete("8,0 W () " + at + " + 8");
    }
    reading::outcome out = read(t);
    EXPECT_EQ(out.status, BOUNCE_END);
    EXPECT_EQ(out.requests.count, 6000u);
    EXPECT_EQ(out.number, 12000u);
    EXPECT_EQ(out.counts.other_events, 6000u);
    EXPECT_EQ(out.counts.span_ns, 10u * 1000 * (3 * 6000 - 1));
    EXPECT_TRUE(out.recorded.no_mappings);
    ASSERT_EQ(out.devices.size(), 1u);
    EXPECT_STREQ(out.devices[0].name, "8:0");
    for (unsigned count : {10u, 5000u}) {
        text alone;
        for (unsigned i = 0; i < count; i++)
            alone.bounced(0x1000 * i);
        reading::outcome refused = read(alone);
        EXPECT_EQ(refused.status, BOUNCE_MALFORMED);
        EXPECT_NE(std::string(refused.error.text).find("block"), std::string::npos);
    }
}

TEST(BlockEvents, MalformedOnesCountOnlyWhenTheyAreWanted) {
    const char *const broken[] = {
        "8,0 R 4096 8 + 8",
        "8 R 4096 () 8 + 8",
        "8,0 R () 8 + 8",
        "8,0 R 4096 () + 8",
        "8,0 R 4096 () 8 8",
        "8,0 R 4096 () 8 + ",
        "8,0",
        "",
        "8,0 R 99999999999 () 8 + 8",
        "8,0 R 4096 () 9999999999999999999 + 8",
    };
    for (const char *what : broken) {
        text t;
        t.line("sched_switch: x").issue(what).complete("8,0 R () 8 + 8");
        reading::outcome out = read(t);
        EXPECT_EQ(out.status, BOUNCE_MALFORMED) << what;
        EXPECT_EQ(out.error.line, 4u) << what;
        EXPECT_EQ(read(t, BOUNCE_ONLY_BLOCK).error.line, 4u) << what;
        out = read(t, BOUNCE_ONLY_ANY, true);
        EXPECT_EQ(out.status, BOUNCE_END) << what;
        EXPECT_EQ(out.counts.malformed, 1u) << what;
        t.bounced(0x1000).mapped(0x1000);
        out = read(t);
        EXPECT_EQ(out.status, BOUNCE_END) << what;
        EXPECT_EQ(out.counts.malformed, 0u) << what;
    }
}

TEST(BlockEvents, JoinedRecordings) {
    text t;
    t.us = 9000000;
    t.issue("8,0 R 4096 () 8 + 8").complete("8,0 R () 8 + 8");
    t.us = 1000000;
    t.issue("8,0 R 4096 () 8 + 8").complete("8,0 R () 8 + 8");
    reading::outcome out = read(t);
    EXPECT_EQ(out.counts.time_steps_back, 1u);
    ASSERT_EQ(out.events.size(), 5u);
    EXPECT_EQ(out.events[2].kind, BOUNCE_EVENT_RESTART);
}

} // namespace
