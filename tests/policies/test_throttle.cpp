// SPDX-License-Identifier: Apache-2.0
// Throttling as proposed: who waits, for whom, in which order, how long, and what is late with it.
#include "bounce/replay.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t slot = 2048;

struct seen_map {
    std::uint64_t id, time_ns;
    bool ok;
};

// A pool of 256 slots in one area, everything bounced.
class throttled {
  public:
    throttled(std::uint32_t high, std::uint32_t low, std::vector<std::string> names = {})
        : replay_(nullptr, bounce_replay_destroy) {
        std::vector<const char *> pointers;
        for (const std::string &name : names)
            pointers.push_back(name.c_str());
        bounce_throttle_config marks = {high, low, pointers.data(), pointers.size()};
        bounce_replay_config config = {};
        config.pool.kernel = bounce_kernel_find("linux-6.12");
        config.pool.nslabs = 256;
        config.pool.nareas = 1;
        config.pool.cpus = 1;
        config.pool.start = 0x40000000;
        config.force = true;
        config.throttle = high ? &marks : nullptr;
        bounce_replay_hooks hooks = {};
        hooks.context = this;
        hooks.mapped = [](void *self, const bounce_event *event, const bounce_map_result *result) {
            static_cast<throttled *>(self)->maps.push_back(
                {event->id, event->time_ns, result->outcome == BOUNCE_MAP_OK});
        };
        bounce_replay *made = nullptr;
        bounce_error error = {};
        EXPECT_EQ(bounce_replay_create(&config, &hooks, &made, &error), BOUNCE_OK) << error.text;
        replay_.reset(made);
        for (const char *name : {"disk", "net", "fast"}) {
            devices_.emplace_back();
            bounce_device_init(&devices_.back(), name);
        }
    }

    std::vector<seen_map> maps; // in the order in which they happened

    void map(std::uint64_t time, std::uint32_t handle, std::uint64_t slots,
             std::uint16_t device = 0, std::uint32_t list = BOUNCE_NO_LIST, unsigned flags = 0) {
        bounce_event e = event(time, handle, BOUNCE_EVENT_MAP);
        e.id = handle;
        e.size = slots * slot;
        e.orig_addr = 0x100000000;
        e.device = device;
        e.list = list;
        e.flags = static_cast<std::uint8_t>(flags);
        run(e);
    }
    void unmap(std::uint64_t time, std::uint32_t handle) {
        run(event(time, handle, BOUNCE_EVENT_UNMAP));
    }
    void sync(std::uint64_t time, std::uint32_t handle) {
        bounce_event e = event(time, handle, BOUNCE_EVENT_SYNC_FOR_CPU);
        e.size = slot;
        run(e);
    }
    void restart(std::uint64_t time) {
        run(event(time, 0, BOUNCE_EVENT_RESTART));
    }
    void run(const bounce_event &e) {
        EXPECT_EQ(bounce_replay_run(replay_.get(), devices_.data(), &e, 1), BOUNCE_OK);
    }

    bounce_stats finish() {
        EXPECT_EQ(bounce_replay_finish(replay_.get(), devices_.data()), BOUNCE_OK);
        return stats();
    }
    bounce_stats stats() const {
        bounce_stats s = {};
        bounce_replay_stats(replay_.get(), &s);
        return s;
    }

  private:
    static bounce_event event(std::uint64_t time, std::uint32_t handle, unsigned kind) {
        bounce_event e = {};
        e.time_ns = time;
        e.handle = handle;
        e.list = BOUNCE_NO_LIST;
        e.kind = static_cast<std::uint8_t>(kind);
        e.dir = BOUNCE_FROM_DEVICE;
        return e;
    }

    std::unique_ptr<bounce_replay, void (*)(bounce_replay *)> replay_;
    std::vector<bounce_device> devices_;
};

TEST(Throttle, OneAfterTheOtherAboveTheHighMark) {
    throttled t(50, 25); // 128 and 64 slots
    t.map(0, 0, 100);
    t.map(10, 1, 40); // 100 in use: below the mark
    t.map(20, 2, 10); // 140: has the semaphore, goes on
    t.map(30, 3, 10); // waits for 2
    t.map(40, 4, 10); // waits for 3
    t.unmap(60, 3);   // 30 ns after its map: keeps that distance
    EXPECT_EQ(t.maps.size(), 3u);
    EXPECT_EQ(t.stats().swiotlb_used, 150u);
    t.unmap(100, 2); // 3 maps now, until 130
    t.unmap(200, 4); // meanwhile 4 has mapped at 130
    t.unmap(300, 0); // 4 goes at 130 + 160 = 290
    t.unmap(310, 1);
    bounce_stats s = t.finish();
    ASSERT_EQ(t.maps.size(), 5u);
    EXPECT_EQ(t.maps[3].id, 3u);
    EXPECT_EQ(t.maps[3].time_ns, 100u);
    EXPECT_EQ(t.maps[4].id, 4u);
    EXPECT_EQ(t.maps[4].time_ns, 130u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 150u);
    EXPECT_EQ(s.throttle_above_high, 3u);
    EXPECT_EQ(s.throttle_above_low, 0u);
    EXPECT_EQ(s.throttle_waited, 2u);
    EXPECT_EQ(s.throttle_waiting_hiwater, 2u);
    EXPECT_EQ(s.throttle_wait_ns, 70u + 90u);
    EXPECT_EQ(s.throttle_wait_ns_max, 90u);
    EXPECT_EQ(s.throttle_never, 0u);
    EXPECT_EQ(s.events_unmaps, 5u);
}

TEST(Throttle, BetweenTheMarksOnlyWhileAnotherHasIt) {
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 20); // at the mark, not above
    t.map(2, 2, 1);  // above: has the semaphore
    t.unmap(3, 0);
    t.map(4, 3, 50); // 21 in use: below the low mark
    t.map(5, 4, 1);  // 71: above the low mark, waits
    EXPECT_EQ(t.stats().throttle_above_low, 1u);
    EXPECT_EQ(t.stats().throttle_waited, 1u);
    t.unmap(6, 2);  // 4 has it
    t.unmap(7, 4);  // nobody has it
    t.map(8, 5, 1); // 70 in use, above the low mark: goes on
    EXPECT_EQ(t.stats().throttle_above_low, 1u);
    EXPECT_EQ(t.maps.size(), 6u);
}

// The case that the proposal's author conceded: usage is long below both marks, and still a fast
// disk waits for a slow one.
TEST(Throttle, SlowDiskHoldsUpFastOne) {
    throttled t(70, 65, {"disk", "fast"});
    t.map(0, 0, 128, 1); // a burst of the network, which may not wait
    t.map(0, 1, 60, 1);
    t.map(10, 2, 8, 0); // slow disk: has the semaphore
    t.map(20, 3, 8, 2); // fast disk: waits
    t.unmap(30, 0);
    t.unmap(30, 1); // 8 slots of 256 in use
    EXPECT_EQ(t.stats().swiotlb_used, 8u);
    t.map(40, 4, 8, 1); // the network is not asked
    EXPECT_EQ(t.maps.size(), 4u);
    t.unmap(10000, 2);
    EXPECT_EQ(t.maps.back().id, 3u);
    EXPECT_EQ(t.stats().throttle_wait_ns, 9980u);
}

TEST(Throttle, OnlyNamedDevicesWait) {
    throttled t(50, 25, {"disk"});
    t.map(0, 0, 128, 1);
    t.map(1, 1, 64, 1);
    t.map(2, 2, 1, 1);
    t.map(3, 3, 1, 2);
    EXPECT_EQ(t.stats().throttle_above_high, 0u);
    t.map(4, 4, 1, 0);
    t.map(5, 5, 1, 0);
    EXPECT_EQ(t.stats().throttle_above_high, 2u);
    EXPECT_EQ(t.stats().throttle_waited, 1u);
}

TEST(Throttle, WaitsForEverWhenTheTraceNeverUnmaps) {
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 64);
    t.map(2, 2, 1); // has it, and keeps it
    t.map(3, 3, 1);
    t.map(4, 4, 1);
    t.unmap(5, 4);
    bounce_stats s = t.finish();
    EXPECT_EQ(s.throttle_never, 2u);
    EXPECT_EQ(s.events_maps, 3u);
    EXPECT_EQ(s.swiotlb_used, 193u);
}

TEST(Throttle, HandlesAreReusedWhileTheirFirstUserStillWaits) {
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 64);
    t.map(2, 2, 1);
    t.map(3, 3, 1); // waits
    t.sync(4, 3);
    t.unmap(5, 3);  // of the one that waits
    t.map(6, 3, 2); // another buffer with the same handle: waits too
    t.unmap(10, 2); // the first maps at 10, is synced at 11, goes at 12; then the second
    EXPECT_EQ(t.maps.size(), 4u);
    EXPECT_EQ(t.stats().events_syncs, 0u);
    t.map(20, 4, 1); // waits for the second
    EXPECT_EQ(t.stats().events_syncs, 1u);
    EXPECT_EQ(t.maps.size(), 5u);
    EXPECT_EQ(t.maps[4].time_ns, 12u);
    t.unmap(30, 3); // 36, as late as its map was
    t.unmap(31, 4);
    t.unmap(32, 0);
    t.unmap(33, 1);
    bounce_stats s = t.finish();
    EXPECT_EQ(t.maps[5].time_ns, 36u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.events_unmaps, 6u);
}

TEST(Throttle, AListWaitsAsAWhole) {
    unsigned first = BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_FIRST;
    unsigned last = BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_LAST;
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 64);
    t.map(2, 2, 1);
    t.map(3, 3, 4, 0, 3, first); // waits
    t.map(3, 4, 4, 0, 3, BOUNCE_EVENT_IN_LIST);
    t.map(3, 5, 4, 0, 3, last);
    EXPECT_EQ(t.stats().throttle_above_high, 2u); // of the list its first entry alone asks
    EXPECT_EQ(t.maps.size(), 3u);
    t.unmap(9, 2);
    t.unmap(10, 0);
    EXPECT_EQ(t.maps.size(), 6u);
    EXPECT_EQ(t.maps[5].time_ns, 9u);
    for (std::uint32_t handle : {3u, 4u, 5u, 1u})
        t.unmap(20, handle);
    EXPECT_EQ(t.finish().swiotlb_used, 0u);
}

TEST(Throttle, AFailedMapHandsTheSemaphoreOn) {
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 100);
    t.map(2, 2, 100); // above the mark, and no room
    EXPECT_FALSE(t.maps.back().ok);
    t.map(3, 3, 1); // nobody has it
    EXPECT_EQ(t.maps.size(), 4u);
    t.map(4, 4, 100); // waits
    t.map(5, 5, 1);   // waits
    t.unmap(6, 3);    // 4 fails at once, 5 follows
    ASSERT_EQ(t.maps.size(), 6u);
    EXPECT_FALSE(t.maps[4].ok);
    EXPECT_TRUE(t.maps[5].ok);
    EXPECT_EQ(t.maps[5].time_ns, 6u);
    EXPECT_EQ(t.stats().events_failed_maps, 2u);
}

TEST(Throttle, ARestartForgetsWhoWaited) {
    throttled t(50, 25);
    t.map(0, 0, 128);
    t.map(1, 1, 64);
    t.map(2, 2, 1);
    t.map(3, 3, 1);
    t.restart(4);
    t.map(5, 3, 1);
    bounce_stats s = t.finish();
    EXPECT_EQ(s.throttle_never, 1u);
    EXPECT_EQ(s.swiotlb_used, 1u);
}

// The same random trace, not throttled and with marks that are never reached or always.
TEST(Throttle, RandomTraces) {
    for (std::uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        throttled without(0, 0), unreached(100, 100), tight(30, 20);
        std::mt19937_64 random(seed);
        std::vector<std::uint32_t> live, unused;
        std::uint64_t time = 0, maps = 0;
        for (std::uint32_t handle = 0; handle < 40; handle++)
            unused.push_back(handle);
        auto all = [&](auto &&call) {
            call(without);
            call(unreached);
            call(tight);
        };
        for (int i = 0; i < 3000; i++) {
            time += random() % 100;
            if (unused.empty() || (!live.empty() && random() % 100 < 45)) {
                std::size_t which = random() % live.size();
                std::uint32_t handle = live[which];
                all([&](throttled &t) { t.unmap(time, handle); });
                live[which] = live.back();
                live.pop_back();
                unused.push_back(handle);
            } else {
                std::uint32_t handle = unused.back();
                std::uint64_t slots = 1 + random() % 24;
                auto device = static_cast<std::uint16_t>(random() % 3);
                all([&](throttled &t) { t.map(time, handle, slots, device); });
                unused.pop_back();
                live.push_back(handle);
                maps++;
            }
        }
        for (std::uint32_t handle : live)
            all([&](throttled &t) { t.unmap(time + 1000, handle); });
        bounce_stats a = without.finish(), b = unreached.finish(), c = tight.finish();
        EXPECT_EQ(b.throttle_waited, 0u);
        b.throttle_above_high = b.throttle_above_low = 0;
        for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
            EXPECT_EQ(bounce_stat_value(&a, info), bounce_stat_value(&b, info)) << info->name;
        EXPECT_EQ(a.events_maps, maps);
        EXPECT_EQ(c.events_maps, maps);
        EXPECT_EQ(c.swiotlb_used, 0u);
        EXPECT_EQ(c.throttle_never, 0u);
        EXPECT_GT(c.throttle_waited, 0u);
        // One map may go over the mark without asking, and one has the semaphore above it.
        EXPECT_LE(c.swiotlb_used_hiwater, 256u * 30 / 100 + 24 + 24);
        for (std::size_t i = 1; i < tight.maps.size(); i++)
            EXPECT_GE(tight.maps[i].time_ns, tight.maps[i - 1].time_ns);
    }
}

TEST(Throttle, RefusedMarks) {
    for (auto [high, low, device_slots] :
         {std::array<std::uint32_t, 3>{50, 60, 0}, {101, 50, 0}, {70, 65, 256}}) {
        bounce_throttle_config marks = {high, low, nullptr, 0};
        bounce_replay_config config = {};
        bounce_replay *made = nullptr;
        bounce_error error = {};
        config.pool.kernel = bounce_kernel_find("linux-6.12");
        config.pool.nslabs = 256;
        config.pool.nareas = config.pool.cpus = 1;
        config.pool.start = 0x40000000;
        config.pool.device_nslabs = device_slots;
        config.throttle = &marks;
        EXPECT_EQ(bounce_replay_create(&config, nullptr, &made, &error), BOUNCE_INVALID);
        EXPECT_NE(error.text[0], '\0');
    }
}

} // namespace
