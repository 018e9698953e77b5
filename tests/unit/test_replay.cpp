// SPDX-License-Identifier: Apache-2.0
// The open-loop engine on sequences of events made by hand.
#include "pool.hpp"

#include "bounce/replay.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t slot = 2048;

class ReplayTest : public testing::Test {
  protected:
    ReplayTest() {
        devices.push_back(unit::make_device());
    }
    ~ReplayTest() override {
        bounce_replay_destroy(replay);
    }
    ReplayTest(const ReplayTest &) = delete;
    ReplayTest &operator=(const ReplayTest &) = delete;

    void create(std::uint64_t nslabs, bool force = true) {
        bounce_replay_config config = {};
        bounce_replay_hooks hooks = {};
        bounce_error error = {};
        config.pool = unit::pool_config(nslabs);
        config.force = force;
        hooks.context = this;
        hooks.mapped = [](void *self, const bounce_event *, const bounce_map_result *result) {
            static_cast<ReplayTest *>(self)->calls +=
                std::string("m:") + bounce_outcome_name(result->outcome) + " ";
        };
        hooks.full = [](void *self, const bounce_event *, const bounce_map_result *,
                        const bounce_pressure *pressure) {
            static_cast<ReplayTest *>(self)->calls +=
                std::string("f:") + bounce_cause_name(pressure->cause) + " ";
        };
        hooks.changed = [](void *self, const bounce_event *, const bounce_swiotlb *mem) {
            static_cast<ReplayTest *>(self)->calls +=
                "c:" + std::to_string(bounce_swiotlb_get_counts(mem)->used) + " ";
        };
        ASSERT_EQ(bounce_replay_create(&config, &hooks, &replay, &error), BOUNCE_OK) << error.text;
    }

    static bounce_event event(bounce_event_kind kind, std::uint32_t handle) {
        bounce_event e = {};
        e.kind = static_cast<std::uint8_t>(kind);
        e.handle = handle;
        e.list = BOUNCE_NO_LIST;
        return e;
    }
    static bounce_event map(std::uint32_t handle, std::uint64_t slots,
                            bounce_dir dir = BOUNCE_FROM_DEVICE) {
        bounce_event e = event(BOUNCE_EVENT_MAP, handle);
        e.orig_addr = 0x100000000 + handle * 0x100000ull;
        e.size = slots * slot;
        e.dir = static_cast<std::uint8_t>(dir);
        return e;
    }
    // An entry of the scatter list that begins with handle `first`.
    static bounce_event entry(std::uint32_t handle, std::uint32_t first, std::uint64_t slots,
                              unsigned flags = 0) {
        bounce_event e = map(handle, slots);
        e.list = first;
        e.flags = static_cast<std::uint8_t>(BOUNCE_EVENT_IN_LIST | flags |
                                            (handle == first ? BOUNCE_EVENT_LIST_FIRST : 0));
        return e;
    }
    static bounce_event recorded(bounce_event e, bounce_recorded what, std::uint64_t address = 0) {
        e.recorded = static_cast<std::uint8_t>(what);
        e.tlb_addr = address;
        return e;
    }
    static bounce_event unmap(std::uint32_t handle) {
        return event(BOUNCE_EVENT_UNMAP, handle);
    }

    bounce_stats run(std::initializer_list<bounce_event> events) {
        EXPECT_EQ(bounce_replay_run(replay, devices.data(), events.begin(), events.size()),
                  BOUNCE_OK);
        bounce_stats stats = {};
        bounce_replay_stats(replay, &stats);
        return stats;
    }

    std::vector<bounce_device> devices;
    bounce_replay *replay = nullptr;
    std::string calls; // of the hooks
};

TEST_F(ReplayTest, MapsAndUnmapsAreCounted) {
    create(1024);
    bounce_stats s = run({map(0, 1), map(1, 2, BOUNCE_TO_DEVICE), unmap(0), unmap(1)});
    EXPECT_EQ(s.events_maps, 2u);
    EXPECT_EQ(s.events_unmaps, 2u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 3u);
    EXPECT_EQ(s.swiotlb_nslabs, 1024u);
    EXPECT_EQ(s.swiotlb_nareas, 1u);
    EXPECT_EQ(s.swiotlb_pools, 1u);
    EXPECT_EQ(s.copy_bytes_to_device, 3 * slot);
    EXPECT_EQ(s.copy_bytes_from_device, slot) << "TO_DEVICE is not copied back";
    EXPECT_EQ(s.copy_calls, 3u);
    EXPECT_EQ(s.search_probes, 3u) << "slot 1 is no page's first";
    EXPECT_EQ(s.search_probes_max, 2u);
    EXPECT_EQ(s.search_locks, 2u);
    EXPECT_EQ(calls, "m:ok c:1 m:ok c:3 c:2 c:0 ");
}

TEST_F(ReplayTest, UnmapOfNothingChangesNothing) {
    create(1024);
    bounce_stats s = run({unmap(5), map(5, 1), unmap(5), unmap(5), unmap(70000)});
    EXPECT_EQ(s.events_unmaps, 1u);
    EXPECT_EQ(s.swiotlb_used, 0u);
}

TEST_F(ReplayTest, AFailureTellsItsCauseAfterTheMap) {
    create(128);
    bounce_stats s = run({map(0, 100), map(1, 100), unmap(1), map(2, 129)});
    EXPECT_EQ(s.events_maps, 3u);
    EXPECT_EQ(s.events_failed_maps, 2u);
    EXPECT_EQ(s.events_full, 2u);
    EXPECT_EQ(s.full_by_cause_exhausted, 1u);
    EXPECT_EQ(s.full_by_cause_oversize, 1u);
    EXPECT_EQ(s.events_unmaps, 0u) << "the failed map left nothing to unmap";
    EXPECT_EQ(calls, "m:ok c:100 m:full f:exhausted c:100 c:100 m:oversize f:oversize c:100 ");
}

TEST_F(ReplayTest, AListThatFailsHalfWayIsReleasedWithoutCopyingBack) {
    create(128);
    bounce_stats s = run({
        entry(0, 0, 50),
        entry(1, 0, 50),
        entry(2, 0, 50), // no room
        entry(3, 0, 1, BOUNCE_EVENT_LIST_LAST),
    });
    EXPECT_EQ(s.events_maps, 3u);
    EXPECT_EQ(s.events_failed_maps, 1u);
    EXPECT_EQ(s.events_full, 1u) << "a list counts once, as the kernel logs it";
    EXPECT_EQ(s.events_lists_failed, 1u);
    EXPECT_EQ(s.events_list_entries_not_tried, 1u);
    EXPECT_EQ(s.events_unmaps, 2u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 100u);
    EXPECT_EQ(s.copy_bytes_to_device, 100 * slot);
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
    s = run({unmap(0), unmap(1), unmap(2), unmap(3)});
    EXPECT_EQ(s.events_unmaps, 2u) << "the recording's unmaps find nothing";
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
    // The same handles again: a new list.
    s = run({entry(0, 0, 10), entry(1, 0, 10, BOUNCE_EVENT_LIST_LAST)});
    EXPECT_EQ(s.swiotlb_used, 20u);
    EXPECT_EQ(s.events_lists_failed, 1u);
}

TEST_F(ReplayTest, AnEntryMappedAgainIsNotItsOwnSuccessor) {
    create(128);
    bounce_stats s = run({
        entry(0, 0, 50), entry(0, 1, 50),  // the same handle, in a list that never began
        entry(0, 1, 50), entry(2, 1, 100), // no room: whatever the list has is given back
    });
    EXPECT_EQ(s.events_lists_failed, 1u);
    EXPECT_EQ(s.swiotlb_used, 0u);
}

TEST_F(ReplayTest, WhatOthersHoldIsNotBoundByTheDevice) {
    create(128);
    devices[0].dma_mask = 0xffff; // reaches nothing of the pool
    bounce_event held = map(0, 1);
    held.flags = BOUNCE_EVENT_HELD;
    bounce_stats s = run({held, map(1, 1)});
    EXPECT_EQ(s.events_held_maps, 1u);
    EXPECT_EQ(s.events_failed_maps, 1u);
    EXPECT_EQ(s.swiotlb_used, 1u);
}

TEST_F(ReplayTest, EntriesOfAListAreUnmappedOneByOne) {
    create(128);
    bounce_stats s = run({entry(4, 4, 2), entry(9, 4, 3, BOUNCE_EVENT_LIST_LAST), unmap(4)});
    EXPECT_EQ(s.swiotlb_used, 3u);
    s = run({unmap(9)});
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.copy_bytes_from_device, 5 * slot);
    EXPECT_EQ(s.events_lists_failed, 0u);
}

// Failed when recorded, finds room here: nothing in the trace will ever unmap it.
TEST_F(ReplayTest, AnOpenListIsReleasedAtItsLastEntry) {
    create(1024);
    unsigned open = BOUNCE_EVENT_LIST_OPEN;
    bounce_stats s = run({
        recorded(entry(0, 0, 50, open), BOUNCE_RECORDED_OK),
        recorded(entry(1, 0, 50, open | BOUNCE_EVENT_LIST_LAST), BOUNCE_RECORDED_FULL),
    });
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 100u);
    EXPECT_EQ(s.events_full, 0u);
    EXPECT_EQ(s.events_failed_maps, 0u);
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
    EXPECT_EQ(s.recorded_maps_compared, 2u);
    EXPECT_EQ(s.recorded_addresses_equal, 1u);
    EXPECT_EQ(s.recorded_full_recorded, 1u);
    EXPECT_EQ(s.recorded_full_equal, 0u);
}

TEST_F(ReplayTest, AnOpenListThatFailsEarlierStartsItsNextAttempt) {
    create(128);
    unsigned open = BOUNCE_EVENT_LIST_OPEN;
    // Two attempts of one list; in the smaller pool each fails at its first entry already.
    bounce_stats s = run({
        map(9, 120), entry(0, 0, 50, open),
        entry(1, 0, 4, open | BOUNCE_EVENT_LIST_LAST), // tried: an attempt of its own
    });
    EXPECT_EQ(s.events_list_entries_not_tried, 0u);
    EXPECT_EQ(s.events_maps, 3u);
    EXPECT_EQ(s.swiotlb_used, 120u) << "released after its last entry";
    EXPECT_EQ(s.events_failed_maps, 1u);
}

TEST_F(ReplayTest, AMapThatFailedWhenRecordedIsNotKept) {
    create(1024);
    bounce_stats s = run({recorded(map(0, 7), BOUNCE_RECORDED_FULL)});
    EXPECT_EQ(s.events_retried_maps, 1u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 7u);
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
    EXPECT_EQ(bounce_replay_mapping(replay, 0)->state, BOUNCE_UNMAPPED);
}

TEST_F(ReplayTest, AHandleGivenOutAgainIsReleasedFirst) {
    create(1024);
    bounce_stats s = run({map(0, 7), map(0, 9)});
    EXPECT_EQ(s.swiotlb_used, 9u);
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
}

TEST_F(ReplayTest, RestartForgetsEverythingMapped) {
    create(1024);
    bounce_stats s = run({map(0, 7), map(1, 1), event(BOUNCE_EVENT_RESTART, 0), unmap(0)});
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(s.events_unmaps, 0u);
    EXPECT_EQ(s.copy_bytes_from_device, 0u);
    EXPECT_EQ(s.swiotlb_used_hiwater, 8u);
    s = run({recorded(map(1, 1), BOUNCE_RECORDED_ADDRESS, unit::pool_start)});
    EXPECT_EQ(s.recorded_addresses_equal, 1u) << "cursors are as after boot";
}

TEST_F(ReplayTest, RecordedAddressesAndFailuresAreCompared) {
    create(128);
    bounce_stats s = run({
        recorded(map(0, 1), BOUNCE_RECORDED_ADDRESS, unit::pool_start),
        recorded(map(1, 1), BOUNCE_RECORDED_ADDRESS, unit::pool_start), // comes out at the next
        recorded(map(2, 1), BOUNCE_RECORDED_OK),
        recorded(map(3, 128), BOUNCE_RECORDED_FULL),
        recorded(map(4, 128), BOUNCE_RECORDED_OK),
        recorded(map(5, 1), BOUNCE_RECORDED_NOTHING),
    });
    EXPECT_EQ(s.recorded_maps_compared, 5u);
    EXPECT_EQ(s.recorded_addresses_equal, 3u);
    EXPECT_EQ(s.recorded_full_recorded, 1u);
    EXPECT_EQ(s.recorded_full_equal, 1u);
}

TEST_F(ReplayTest, OnlyWhatMustBounceDoes) {
    create(1024, false);
    devices[0].dma_mask = 0xffffffff;
    bounce_event low = map(0, 1), high = map(1, 1), told = map(2, 1);
    low.orig_addr = told.orig_addr = 0x1000;
    bounce_event sync = event(BOUNCE_EVENT_SYNC_FOR_CPU, 0);
    sync.size = 10;
    bounce_stats s = run({low, high, recorded(told, BOUNCE_RECORDED_OK), sync, unmap(0)});
    EXPECT_EQ(s.events_direct_maps, 1u);
    EXPECT_EQ(s.events_maps, 2u) << "the recorded kernel may have had other reasons";
    EXPECT_EQ(s.events_syncs, 0u);
    EXPECT_EQ(s.events_unmaps, 0u) << "it was not bounced";
    sync.handle = 1;
    s = run({sync});
    EXPECT_EQ(s.events_syncs, 1u);
    EXPECT_EQ(s.copy_bytes_from_device, 10u);
}

TEST_F(ReplayTest, AListMayBounceInPart) {
    create(128, false);
    devices[0].dma_mask = 0xffffffff;
    bounce_event low = entry(0, 0, 1);
    low.orig_addr = 0x1000;
    bounce_stats s = run({low, entry(1, 0, 100), entry(2, 0, 100)});
    EXPECT_EQ(s.events_direct_maps, 1u);
    EXPECT_EQ(s.events_failed_maps, 1u);
    EXPECT_EQ(s.events_unmaps, 1u);
    EXPECT_EQ(s.swiotlb_used, 0u);
    EXPECT_EQ(bounce_replay_mapping(replay, 0)->state, BOUNCE_UNMAPPED);
}

TEST_F(ReplayTest, ExternalFragmentationIsTheShareNoLargeMappingCouldUse) {
    create(256);
    bounce_stats s = run({});
    EXPECT_EQ(s.fragmentation_external_hiwater, 0.0);
    s = run({map(0, 1)}); // 255 free, 128 of them in a free slot set
    EXPECT_DOUBLE_EQ(s.fragmentation_external_hiwater, 1.0 - 128.0 / 255);
    EXPECT_EQ(s.fragmentation_free_segments, 1u);
    EXPECT_EQ(s.fragmentation_free_segments_min, 1u);
    s = run({map(1, 128)});
    EXPECT_DOUBLE_EQ(s.fragmentation_external_hiwater, 1.0);
    EXPECT_EQ(s.fragmentation_internal_bytes_hiwater, 0u);
}

TEST_F(ReplayTest, MappingsCanBeLookedAt) {
    create(1024);
    run({map(3, 2)});
    ASSERT_NE(bounce_replay_mapping(replay, 3), nullptr);
    EXPECT_EQ(bounce_replay_mapping(replay, 3)->state, BOUNCE_BOUNCED);
    EXPECT_EQ(bounce_replay_mapping(replay, 3)->dma_addr, unit::pool_start);
    EXPECT_EQ(bounce_replay_mapping(replay, 2)->state, BOUNCE_UNMAPPED);
    EXPECT_EQ(bounce_replay_mapping(replay, 1u << 30), nullptr);
}

TEST_F(ReplayTest, WithoutAPoolEverythingForcedFails) {
    create(0);
    bounce_stats s = run({map(0, 1)});
    EXPECT_EQ(s.events_full, 1u);
    EXPECT_EQ(s.full_by_cause_no_pool, 1u);
    EXPECT_EQ(s.swiotlb_nareas, 0u);
}

TEST_F(ReplayTest, RefusesAnImpossiblePool) {
    bounce_replay_config config = {};
    bounce_replay *made = nullptr;
    bounce_error error = {};
    config.pool = unit::pool_config(1000, 4);
    EXPECT_EQ(bounce_replay_create(&config, nullptr, &made, &error), BOUNCE_INVALID);
    EXPECT_GT(std::string(error.text).size(), 10u);
}

} // namespace
