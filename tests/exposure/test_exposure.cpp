// SPDX-License-Identifier: Apache-2.0
// Sequences made by hand, with every byte accounted for.
#include "exposure_run.hpp"

namespace {

using exposure_tests::exposure_run;
using exposure_tests::pool_start;

constexpr std::uint64_t slot = 2048;

TEST(Exposure, AFreshPoolExposesNothing) {
    exposure_run run(128);
    run.map(0, 5000);
    run.map(1, 100);
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.mappings, 2u);
    EXPECT_EQ(r.mapped_bytes, 5100u);
    EXPECT_EQ(r.direct_reachable_bytes, 4 * slot);
    EXPECT_EQ(r.untrusted_reachable_bytes, 8192u + 4096) << "both have the granule of slots 2, 3";
    EXPECT_EQ(r.direct_exposed_mappings, 0u);
    EXPECT_EQ(r.direct_stale_bytes, 0u);
    EXPECT_EQ(r.untrusted_stale_bytes, 0u);
    EXPECT_EQ(r.untrusted_zeroed_bytes, 0u);
}

TEST(Exposure, LeftoversFillTheRestOfTheLastSlot) {
    exposure_run run(128);
    run.soil();
    run.map(0, 100);
    ASSERT_EQ(run.last_addr, pool_start);
    bounce_exposure_row r = run.since();
    EXPECT_EQ(r.mappings, 1u);
    EXPECT_EQ(r.direct_exposed_mappings, 1u);
    EXPECT_EQ(r.direct_stale_bytes, slot - 100);
    EXPECT_EQ(r.direct_stale_bytes_max, slot - 100);
    EXPECT_EQ(r.untrusted_exposed_mappings, 1u);
    EXPECT_EQ(r.untrusted_stale_bytes, 4096u - 100) << "the free slot next to it as well";
    EXPECT_EQ(r.untrusted_live_bytes, 0u);
    EXPECT_EQ(r.untrusted_zeroed_bytes, 0u);
}

TEST(Exposure, OnlyWhatWasCopiedBecomesStale) {
    exposure_run run(128);
    run.map(0, 300); // bytes 0..299 of slot 0
    run.unmap(0);
    run.map(1, 126 * slot); // 2..127: the cursor is back at 0
    run.unmap(1);
    run.map(2, 100);
    ASSERT_EQ(run.last_addr, pool_start);
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.direct_stale_bytes, 200u);
    EXPECT_EQ(r.untrusted_stale_bytes, 200u) << "slot 1 was never used";
}

TEST(Exposure, AnUntrustedMappingIsZeroedAround) {
    exposure_run run(128);
    run.soil();
    run.map(0, 100, 0xfff);
    bounce_exposure_row r = run.since();
    EXPECT_EQ(r.direct_reachable_bytes, 2 * slot) << "rounded up to the granule";
    EXPECT_EQ(r.direct_stale_bytes, 4096u - 100) << "direct: nothing is zeroed";
    EXPECT_EQ(r.untrusted_reachable_bytes, 4096u);
    EXPECT_EQ(r.untrusted_zeroed_bytes, 4096u - 100);
    EXPECT_EQ(r.untrusted_exposed_mappings, 0u);
    EXPECT_EQ(r.untrusted_stale_bytes, 0u);

    // What was zeroed stays zero in that view, and only there.
    run.unmap(0);
    run.map(1, 126 * slot);
    run.unmap(1);
    run.map(2, 10);
    ASSERT_EQ(run.last_addr, pool_start);
    bounce_exposure_row then = run.total();
    EXPECT_EQ(then.direct_stale_bytes - r.direct_stale_bytes, slot - 10);
    EXPECT_EQ(then.untrusted_stale_bytes - r.untrusted_stale_bytes, 100u - 10);
}

TEST(Exposure, PrePaddingSlotsAreReachableAndZeroed) {
    exposure_run run(128);
    std::uint16_t device = run.add_device(0xfff);
    run.soil();
    run.map(0, 100, 0xfff, device, 0x100000900);
    ASSERT_EQ(run.last_addr, pool_start + 0x900);
    bounce_exposure_row r = run.device(device);
    EXPECT_EQ(r.direct_reachable_bytes, 4096u);
    EXPECT_EQ(r.direct_stale_bytes, 4096u - 100);
    EXPECT_EQ(r.untrusted_zeroed_bytes, 4096u - 100);
    EXPECT_EQ(r.untrusted_stale_bytes, 0u);
}

TEST(Exposure, AnOffsetInTheSlotLeavesBytesBeforeTheBuffer) {
    exposure_run run(128);
    std::uint16_t device = run.add_device(0xfff);
    run.soil();
    run.map(0, 2048, 0, device, 0x100000201);
    ASSERT_EQ(run.last_addr, pool_start + 0x201);
    bounce_exposure_row r = run.device(device);
    EXPECT_EQ(r.direct_reachable_bytes, 2 * slot);
    EXPECT_EQ(r.direct_stale_bytes, slot) << "513 before, 1535 after";
}

TEST(Exposure, LiveNeighboursSeeEachOther) {
    exposure_run run(128);
    std::uint16_t other = run.add_device(0);
    run.map(0, 100);
    run.map(1, 300, 0, other);
    ASSERT_EQ(run.last_addr, pool_start + slot);
    EXPECT_EQ(run.device(other).untrusted_live_bytes, 100u);
    EXPECT_EQ(run.device(other).untrusted_exposed_mappings, 1u);
    EXPECT_EQ(run.device(0).untrusted_live_bytes, 300u) << "from then on";
    EXPECT_EQ(run.device(0).untrusted_exposed_mappings, 1u);
    EXPECT_EQ(run.total().direct_exposed_mappings, 0u);

    run.unmap(1); // what it leaves behind was counted while it was live
    EXPECT_EQ(run.device(0).untrusted_stale_bytes, 0u);
}

TEST(Exposure, AMappingIsExposedOnce) {
    exposure_run run(128);
    run.map(0, slot); // slot 0
    for (std::uint32_t round = 0; round < 2; round++) {
        run.map(1, 10); // slot 1
        ASSERT_EQ(run.last_addr, pool_start + slot);
        run.unmap(1);
        run.map(2, 126 * slot); // on to the end, so that slot 1 is next
        run.unmap(2);
    }
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.untrusted_exposed_mappings, 3u) << "the first, and each of the neighbours";
    EXPECT_EQ(r.untrusted_live_bytes, 2 * (slot + 10));
}

TEST(Exposure, AnUntrustedMappingHasItsGranulesAlone) {
    exposure_run run(128);
    run.map(0, 100);
    run.map(1, 100, 0xfff);
    ASSERT_EQ(run.last_addr, pool_start + 2 * slot);
    run.map(2, 100);
    ASSERT_EQ(run.last_addr, pool_start + 4 * slot);
    EXPECT_EQ(run.total().untrusted_live_bytes, 0u);
    EXPECT_EQ(run.total().untrusted_exposed_mappings, 0u);
}

TEST(Exposure, LargerGranulesFollowTheMask) {
    exposure_run run(128);
    run.soil();
    run.map(0, 5000, 0xffff);
    bounce_exposure_row r = run.since();
    EXPECT_EQ(r.untrusted_reachable_bytes, 65536u);
    EXPECT_EQ(r.untrusted_zeroed_bytes, 65536u - 5000);
    EXPECT_EQ(r.untrusted_stale_bytes, 0u);
    EXPECT_EQ(r.direct_stale_bytes, 65536u - 5000);
}

TEST(Exposure, AMaskBelowTheGranuleIsNotZeroed) {
    exposure_run run(128);
    run.soil();
    run.map(0, 100, 0x7ff);
    EXPECT_EQ(run.since().untrusted_zeroed_bytes, 0u);
    EXPECT_EQ(run.since().untrusted_stale_bytes, 4096u - 100);
}

TEST(Exposure, CoherentMemoryIsZeroedAndLeavesLeftovers) {
    exposure_run run(128);
    run.soil();
    bounce_event e = exposure_run::event(BOUNCE_EVENT_ALLOC, 0);
    e.size = 4096;
    e.dir = BOUNCE_DIR_NONE;
    run.run(e);
    EXPECT_EQ(run.since().mappings, 1u);
    EXPECT_EQ(run.total().direct_stale_bytes, 0u);
    EXPECT_EQ(run.total().untrusted_stale_bytes, 0u);
    run.unmap(0);
    run.map(1, 126 * slot);
    run.unmap(1);
    run.map(2, 100);
    ASSERT_EQ(run.last_addr, pool_start);
    EXPECT_EQ(run.total().direct_stale_bytes, slot - 100);
}

TEST(Exposure, ARestartCleansThePool) {
    exposure_run run(128);
    run.soil();
    run.map(0, 100);
    bounce_exposure_row before = run.total();
    run.run(exposure_run::event(BOUNCE_EVENT_RESTART, 0));
    run.map(1, 100);
    run.map(2, 100);
    ASSERT_EQ(run.last_addr, pool_start + slot);
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.direct_stale_bytes, before.direct_stale_bytes);
    EXPECT_EQ(r.untrusted_stale_bytes, before.untrusted_stale_bytes);
    EXPECT_EQ(r.untrusted_live_bytes, 200u);
}

TEST(Exposure, AFailedListEndsItsMappings) {
    exposure_run run(128);
    for (std::uint32_t handle = 0; handle < 2; handle++) {
        bounce_event e = exposure_run::event(BOUNCE_EVENT_MAP, handle);
        e.orig_addr = 0x100000000;
        e.size = handle ? 127 * slot + 1 : 100; // the second finds no room
        e.list = 0;
        e.flags = BOUNCE_EVENT_IN_LIST | (handle ? 0 : BOUNCE_EVENT_LIST_FIRST);
        run.run(e);
    }
    run.map(2, 10);
    ASSERT_EQ(run.last_addr, pool_start + slot);
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.mappings, 2u);
    EXPECT_EQ(r.untrusted_live_bytes, 0u);
    EXPECT_EQ(r.untrusted_stale_bytes, 100u) << "of the entry that was mapped and released";
}

TEST(Exposure, AReusedHandleEndsItsMapping) {
    exposure_run run(128);
    run.map(0, 100);
    run.map(0, 10); // no unmap seen
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.untrusted_live_bytes, 0u);
    EXPECT_EQ(r.untrusted_stale_bytes, 100u);
}

TEST(Exposure, TransientPoolsAreNewAndLeaveNothing) {
    exposure_run run(128, "linux-6.12-dynamic");
    run.map(0, 128 * slot);
    for (int round = 0; round < 3; round++) {
        run.map(1, 3 * slot - 5);
        ASSERT_GE(run.last_addr, pool_start + 128 * slot);
        run.unmap(1);
    }
    bounce_exposure_row r = run.total();
    EXPECT_EQ(r.mappings, 4u);
    EXPECT_EQ(r.direct_exposed_mappings, 0u);
    EXPECT_EQ(r.untrusted_exposed_mappings, 0u);
    EXPECT_EQ(r.untrusted_unknown_bytes, 3 * slot) << "the fourth slot of two pages, each time";
    EXPECT_EQ(r.direct_stale_bytes + r.untrusted_stale_bytes + r.untrusted_live_bytes, 0u);
}

TEST(Exposure, DevicesThatMappedNothingHaveZeros) {
    exposure_run run(128);
    run.map(0, 10);
    EXPECT_EQ(run.device(1).mappings, 0u);
    EXPECT_EQ(run.device(70000).mappings, 0u);
}

} // namespace
