// SPDX-License-Identifier: Apache-2.0
// --check-data: clean on what is right, and every planted fault is found where it is.
#include "byte_runs.hpp"
#include "flat_map.hpp"
#include "sparse_memory.hpp"
#include "streams.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace bouncesim::models;

namespace {

check_stats run_checked(const stream &s, planted_fault fault = planted_fault::nothing,
                        uint64_t nth = 1) {
    engine_config config;
    config.replay = s.config;
    config.cpus = s.cpus;
    config.path.check_data = true;
    config.path.fault = fault;
    config.path.fault_nth = nth;
    mapping_engine engine(config);
    bool given = false;
    engine.run([&]() -> event_batch {
        if (given)
            return {};
        given = true;
        return {s.events.data(), s.events.size(), s.devices.data(), s.devices.size()};
    });
    return engine.path().check;
}

// A map, one sync each way over part of it, an unmap.
stream one_mapping(bounce_dir dir, uint64_t size = 10000) {
    stream s;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, size, dir).id = 77;
    s.add(BOUNCE_EVENT_SYNC_FOR_CPU, 100000, 0, 0, 3000).offset = 1500;
    s.add(BOUNCE_EVENT_SYNC_FOR_DEVICE, 200000, 0, 0, 3000).offset = 2500;
    s.add(BOUNCE_EVENT_UNMAP, 300000, 0, 0);
    return s;
}

TEST(flat_map, does_what_a_map_does) {
    std::mt19937 random(1);
    flat_map<uint64_t> tested;
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> model;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t space = random() % 3, page = random() % 400;
        switch (random() % 3) {
        case 0:
            tested[{space, page}] = i;
            model[{space, page}] = i;
            break;
        case 1:
            ASSERT_EQ(tested.erase({space, page}), model.erase({space, page}) > 0);
            break;
        default: {
            const uint64_t *found = tested.find({space, page});
            auto known = model.find({space, page});
            ASSERT_EQ(found != nullptr, known != model.end());
            if (found) {
                ASSERT_EQ(*found, known->second);
            }
        }
        }
        ASSERT_EQ(tested.size(), model.size());
    }
}

TEST(byte_runs, hold_what_an_array_of_bytes_holds) {
    std::mt19937 random(2);
    constexpr uint64_t size = 300;
    byte_runs runs[2];
    std::vector<uint8_t> model[2], seen(size);
    for (int i = 0; i < 2; i++) {
        runs[i].reset(size, i);
        for (uint64_t at = 0; at < size; at++)
            model[i].push_back(pattern_byte(i, at));
    }
    for (uint64_t key = 10; key < 3000; key++) {
        uint64_t begin = random() % size, end = begin + random() % (size - begin + 1);
        unsigned which = random() % 2;
        if (random() % 2) {
            runs[which].assign(begin, end, key);
            for (uint64_t at = begin; at < end; at++)
                model[which][at] = pattern_byte(key, at);
        } else {
            runs[which].copy(runs[1 - which], begin, end);
            std::copy(model[1 - which].begin() + begin, model[1 - which].begin() + end,
                      model[which].begin() + begin);
        }
        ASSERT_LE(runs[which].count(), size);
        begin = random() % size;
        runs[which].write(begin, size, seen.data());
        ASSERT_TRUE(
            std::equal(seen.begin(), seen.begin() + size - begin, model[which].begin() + begin));
    }
}

TEST(sparse_memory, has_the_pages_that_are_held_and_no_others) {
    sparse_memory memory;
    const uint8_t data[6] = {1, 2, 3, 4, 5, 6};
    uint8_t seen[6];
    EXPECT_EQ(memory.write(0, 4094, data, 6), 0u);
    memory.hold(0, 4000, 200); // pages 0 and 1
    memory.hold(0, 5000, 1);
    EXPECT_EQ(memory.pages(), 2u);
    EXPECT_EQ(memory.write(0, 4094, data, 6), 6u);
    EXPECT_EQ(memory.read(0, 4094, seen, 6), 6u);
    EXPECT_TRUE(std::equal(data, data + 6, seen));
    EXPECT_EQ(memory.read(1, 4094, seen, 6), 0u); // another space
    EXPECT_EQ(seen[0], sparse_memory::poison);
    memory.release(0, 4000, 200);
    EXPECT_EQ(memory.pages(), 1u);
    EXPECT_EQ(memory.read(0, 4094, seen, 6), 4u); // page 1 still has another holder
    EXPECT_EQ(seen[0], sparse_memory::poison);
    EXPECT_EQ(seen[2], 3);
    memory.release(0, 5000, 1);
    EXPECT_EQ(memory.pages(), 0u);
    EXPECT_EQ(memory.pages_hiwater(), 2u);
}

TEST(data_check, every_direction_is_clean_bounced_and_direct) {
    for (bool force : {true, false})
        for (bounce_dir dir : {BOUNCE_TO_DEVICE, BOUNCE_FROM_DEVICE, BOUNCE_BIDIRECTIONAL})
            for (uint8_t attrs : {uint8_t{0}, uint8_t{BOUNCE_ATTR_SKIP_CPU_SYNC}}) {
                stream s = one_mapping(dir);
                s.config.force = force;
                s.events[3].attrs = attrs;
                check_stats seen = run_checked(s);
                EXPECT_TRUE(seen.clean()) << force << dir << int{attrs};
                EXPECT_EQ(seen.mappings, 1u);
                EXPECT_EQ(seen.device_reads, dir == BOUNCE_FROM_DEVICE ? 0u : 2u);
                EXPECT_EQ(seen.device_writes, dir == BOUNCE_TO_DEVICE ? 0u : 2u);
                EXPECT_GE(seen.bytes_checked, 10000u);
                EXPECT_EQ(seen.copies > 0, force);
            }
}

TEST(data_check, memory_follows_live_mappings) {
    stream s;
    for (uint32_t i = 0; i < 2000; i++) {
        s.add(BOUNCE_EVENT_MAP, 10000 * i, 0, 0, 4096, BOUNCE_FROM_DEVICE);
        s.add(BOUNCE_EVENT_UNMAP, 10000 * i + 5000, 0, 0);
    }
    check_stats seen = run_checked(s);
    EXPECT_TRUE(seen.clean());
    EXPECT_EQ(seen.mappings, 2000u);
    EXPECT_LE(seen.pages_hiwater, 4u);
}

TEST(data_check, random_streams_are_clean) {
    for (uint32_t seed = 0; seed < 6; seed++) {
        SCOPED_TRACE(seed);
        stream s = random_stream(seed, 5000, seed % 2 ? 1024 : 32768, 2, 4);
        for (bounce_device &device : s.devices)
            device.dma_mask = UINT64_MAX; // a forced mapping may be out of a narrow device's reach
        check_stats seen = run_checked(s);
        EXPECT_EQ(seen.mismatches, 0u);
        EXPECT_EQ(seen.faults.by_kind[static_cast<unsigned>(dma_fault::unmapped)], 0u);
        EXPECT_EQ(seen.faults.by_kind[static_cast<unsigned>(dma_fault::bounds)], 0u);
        EXPECT_EQ(seen.faults.by_kind[static_cast<unsigned>(dma_fault::direction)], 0u);
        EXPECT_GT(seen.mappings, 300u);
        EXPECT_GT(seen.device_reads, 100u);
    }
}

TEST(data_check, checking_changes_neither_pool_nor_time) {
    stream s = random_stream(5, 5000, 1024, 2, 4);
    outcome plain = run_systemc(s, {});
    engine_config config;
    config.replay = s.config;
    config.cpus = s.cpus;
    config.path.check_data = true;
    recorder seen;
    mapping_engine engine(config, seen.hooks());
    bool given = false;
    engine.run([&]() -> event_batch {
        if (given)
            return {};
        given = true;
        return {s.events.data(), s.events.size(), s.devices.data(), s.devices.size()};
    });
    EXPECT_TRUE(seen.text == plain.text);
    EXPECT_EQ(engine.timing().simulated_ns, plain.timing.simulated_ns);
}

struct planted {
    const char *name;
    planted_fault fault;
    bounce_dir dir;
    uint8_t unmap_attrs;
    check_place place;
    uint64_t offset; // of the first wrong byte
};

class planted_faults : public testing::TestWithParam<planted> {};

TEST_P(planted_faults, are_found_where_they_are) {
    const planted &p = GetParam();
    stream s = one_mapping(p.dir);
    s.events[3].attrs = p.unmap_attrs;
    ASSERT_TRUE(run_checked(s).clean());
    check_stats seen = run_checked(s, p.fault);
    ASSERT_GE(seen.mismatches, 1u);
    EXPECT_FALSE(seen.clean());
    EXPECT_EQ(seen.first[0].place, p.place) << check_place_name(seen.first[0].place);
    EXPECT_EQ(seen.first[0].id, 77u);
    EXPECT_EQ(seen.first[0].offset, p.offset);
    EXPECT_NE(seen.first[0].expected, seen.first[0].found);
    EXPECT_TRUE(run_checked(s, p.fault, 1000).clean()); // one that never strikes
}

INSTANTIATE_TEST_SUITE_P(
    all, planted_faults,
    testing::Values(planted{"a_map_not_copied", planted_fault::lost_out, BOUNCE_TO_DEVICE, 0,
                            check_place::device_read, 0},
                    planted{"a_sync_for_cpu_lost", planted_fault::lost_sync, BOUNCE_FROM_DEVICE, 0,
                            check_place::after_sync, 1500},
                    planted{"a_sync_for_device_lost", planted_fault::lost_sync, BOUNCE_TO_DEVICE, 0,
                            check_place::device_read, 2500},
                    planted{"an_unmap_not_copied_back", planted_fault::lost_back,
                            BOUNCE_FROM_DEVICE, 0, check_place::after_unmap, 0},
                    planted{"a_copy_one_byte_off", planted_fault::wrong_offset, BOUNCE_TO_DEVICE, 0,
                            check_place::device_read, 0},
                    planted{"a_skipped_copy_made", planted_fault::ignored_skip, BOUNCE_FROM_DEVICE,
                            BOUNCE_ATTR_SKIP_CPU_SYNC, check_place::after_unmap, 0}),
    [](const testing::TestParamInfo<planted> &row) { return std::string(row.param.name); });

// One lost copy among many mappings.
TEST(data_check, finds_one_fault_in_a_long_stream) {
    stream s;
    for (uint32_t i = 0; i < 500; i++) {
        s.add(BOUNCE_EVENT_MAP, 10000 * i, 0, i % 50, 1000 + i,
              i % 2 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE);
        if (i >= 40)
            s.add(BOUNCE_EVENT_UNMAP, 10000 * i + 5000, 0, (i - 40) % 50);
    }
    ASSERT_TRUE(run_checked(s).clean());
    EXPECT_EQ(run_checked(s, planted_fault::lost_back, 100).mismatches, 1u);
    EXPECT_EQ(run_checked(s, planted_fault::lost_out, 301).mismatches, 1u);
}

TEST(data_check, pages_of_large_mappings_are_not_kept) {
    stream s;
    s.config.force = false;
    s.add(BOUNCE_EVENT_MAP, 0, 0, 0, UINT64_C(1) << 40, BOUNCE_FROM_DEVICE);
    s.add(BOUNCE_EVENT_MAP, 0, 0, 1, (UINT64_C(16) << 20) + 1, BOUNCE_FROM_DEVICE);
    s.add(BOUNCE_EVENT_MAP, 0, 0, 2, UINT64_C(1) << 20, BOUNCE_FROM_DEVICE);
    check_stats seen = run_checked(s);
    EXPECT_EQ(seen.not_checked, 2u);
    EXPECT_EQ(seen.mappings, 1u);
    EXPECT_EQ(seen.mismatches, 0u);
}

} // namespace
