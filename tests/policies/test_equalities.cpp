// SPDX-License-Identifier: Apache-2.0
// Two allocators side by side: what must answer alike, and what must not.
#include "random_calls.hpp"
#include "streams.hpp"
#include "swiotlb/sized_config.h"

#include <gtest/gtest.h>

namespace {

using policies::call;

constexpr policies::sizes stock = {2048, 128};
const bounce_kernel sized_kernel = {"sized", "", "", nullptr, &factory_sized};

class pair {
  public:
    pair(bounce_swiotlb_config left, bounce_swiotlb_config right)
        : left_(policies::make(left)), right_(policies::make(right)) {
        EXPECT_NE(left_, nullptr);
        EXPECT_NE(right_, nullptr);
    }

    std::vector<bounce_device> devices;
    std::uint64_t different = 0; // addresses

    // Both map; the buffer's addresses, 0 where there is none.
    std::pair<std::uint64_t, std::uint64_t> map(const call &c, bool must_agree) {
        bounce_map_result l = policies::map(left_, c, devices);
        bounce_map_result r = policies::map(right_, c, devices);
        different += l.tlb_addr != r.tlb_addr;
        if (!must_agree)
            return {l.tlb_addr, r.tlb_addr};
        EXPECT_EQ(l.tlb_addr, r.tlb_addr);
        EXPECT_EQ(l.alloc_size, r.alloc_size);
        EXPECT_EQ(l.probes, r.probes);
        EXPECT_EQ(l.slots, r.slots);
        EXPECT_EQ(l.outcome, r.outcome);
        if (l.outcome != BOUNCE_MAP_OK)
            same_pressure(c);
        return {l.tlb_addr, r.tlb_addr};
    }

    void unmap(std::size_t device, std::pair<std::uint64_t, std::uint64_t> at) {
        if (at.first)
            bounce_swiotlb_unmap(left_.get(), &devices[device], at.first);
        if (at.second)
            bounce_swiotlb_unmap(right_.get(), &devices[device], at.second);
    }

    void sync(std::size_t device, std::uint64_t address, std::uint64_t size) {
        bounce_copy l = bounce_swiotlb_sync(left_.get(), &devices[device], address, size);
        bounce_copy r = bounce_swiotlb_sync(right_.get(), &devices[device], address, size);
        EXPECT_EQ(l.bytes, r.bytes);
        if (l.bytes) {
            EXPECT_EQ(l.orig_addr, r.orig_addr);
        }
    }

    void restart() {
        bounce_swiotlb_restart(left_.get());
        bounce_swiotlb_restart(right_.get());
    }

    void same_counts() {
        const bounce_swiotlb_counts &l = *bounce_swiotlb_get_counts(left_.get());
        const bounce_swiotlb_counts &r = *bounce_swiotlb_get_counts(right_.get());
        EXPECT_EQ(l.nslabs, r.nslabs);
        EXPECT_EQ(l.used, r.used);
        EXPECT_EQ(l.used_hiwater, r.used_hiwater);
        EXPECT_EQ(l.free_segments, r.free_segments);
        EXPECT_EQ(l.free_segments_min, r.free_segments_min);
        EXPECT_EQ(l.internal_bytes_hiwater, r.internal_bytes_hiwater);
        EXPECT_EQ(l.probes, r.probes);
        EXPECT_EQ(bounce_swiotlb_nareas(left_.get()), bounce_swiotlb_nareas(right_.get()));
        for (std::uint32_t area = 0; area < bounce_swiotlb_nareas(left_.get()); area++)
            EXPECT_EQ(bounce_swiotlb_area_used(left_.get(), area),
                      bounce_swiotlb_area_used(right_.get(), area));
    }

  private:
    void same_pressure(const call &c) {
        bounce_map_request request = policies::request_of(c, devices);
        bounce_pressure l = {}, r = {};
        bounce_swiotlb_pressure(left_.get(), &request, c.alloc, &l);
        bounce_swiotlb_pressure(right_.get(), &request, c.alloc, &r);
        EXPECT_EQ(l.cause, r.cause);
        EXPECT_EQ(l.slots_needed, r.slots_needed);
        EXPECT_EQ(l.free, r.free);
        EXPECT_EQ(l.best_area_free, r.best_area_free);
        EXPECT_EQ(l.largest_run, r.largest_run);
    }

    policies::allocator left_, right_;
};

bounce_swiotlb_config with_kernel(bounce_swiotlb_config config, const bounce_kernel *kernel) {
    config.kernel = kernel;
    return config;
}

const bounce_kernel *linux_6_12() {
    return bounce_kernel_find("linux-6.12");
}

// A golden stream through both; how many addresses differ.
std::uint64_t play(const golden::stream &s, bounce_swiotlb_config left, bounce_swiotlb_config right,
                   bool must_agree) {
    pair both(left, right);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> at(s.ids);
    std::vector<std::size_t> owner(s.ids);
    for (const golden::device &d : s.devices) {
        bounce_device device;
        bounce_device_init(&device, std::to_string(both.devices.size()).c_str());
        device.min_align_mask = static_cast<std::uint32_t>(d.min_align_mask);
        device.seg_boundary = d.seg_boundary;
        both.devices.push_back(device);
    }
    for (const golden::operation &op : s.operations) {
        if (op.kind == 'M' || op.kind == 'A') {
            owner[op.id] = op.dev;
            at[op.id] =
                both.map({op.dev, op.orig, op.size, op.align, op.cpu, op.kind == 'A'}, must_agree);
        } else if (op.kind == 'U') {
            both.unmap(owner[op.id], at[op.id]);
        } else if (op.kind == 'S' && must_agree && at[op.id].first) {
            both.sync(owner[op.id], at[op.id].first + op.offset, op.size);
        }
        if (must_agree)
            both.same_counts();
        if (testing::Test::HasFailure())
            break;
    }
    return both.different;
}

bounce_swiotlb_config pool_of(const golden::stream &s, std::uint32_t areas = 0) {
    bounce_boot boot = {s.slots, areas ? areas : s.areas, true, false};
    bounce_swiotlb_config config = {};
    config.kernel = linux_6_12();
    config.cpus = s.cpus;
    config.start = s.start;
    bounce_boot_round(&boot, s.cpus, &config.nslabs, &config.nareas);
    return config;
}

class GoldenPairs : public testing::TestWithParam<std::string> {};

// The core answers as the kernel does (golden_tests); so does what takes any size, with Linux's.
TEST_P(GoldenPairs, SizedWithLinuxsSizesIsLinux) {
    golden::stream s = golden::read_stream(golden::path_of(GetParam() + ".ops.xz"));
    bounce_swiotlb_config config = pool_of(s);
    play(s, config, with_kernel(config, &sized_kernel), true);
}

TEST_P(GoldenPairs, GlobalIsLinuxWithOneArea) {
    golden::stream s = golden::read_stream(golden::path_of(GetParam() + ".ops.xz"));
    bounce_swiotlb_config one = pool_of(s, 1);
    bounce_swiotlb_config global = with_kernel(one, bounce_kernel_find("global"));
    while (global.nareas * 2 * BOUNCE_SEGMENT_SLOTS <= global.nslabs && global.nareas < 8)
        global.nareas *= 2; // which it ignores
    play(s, one, global, true);
}

INSTANTIATE_TEST_SUITE_P(, GoldenPairs, testing::ValuesIn(golden::profiles), [](const auto &row) {
    std::string name = row.param;
    for (char &c : name)
        if (c == '-')
            c = '_';
    return name;
});

TEST(EachPolicy, ChangesSomething) {
    golden::stream s = golden::read_stream(golden::path_of("mix-1.ops.xz"));
    bounce_swiotlb_config config = pool_of(s, 4);
    for (std::size_t i = 0; const bounce_kernel *kernel = bounce_kernel_at(i); i++) {
        std::uint64_t different = play(s, config, with_kernel(config, kernel), false);
        if (kernel == linux_6_12())
            EXPECT_EQ(different, 0u);
        else
            EXPECT_GT(different, 0u) << kernel->name;
    }
}

TEST(SizedPairs, RandomStreamsWithLinuxsSizesAreLinux) {
    for (std::uint64_t seed = 1; seed <= 60 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        policies::random_calls random(seed);
        bounce_swiotlb_config config = random.pool(linux_6_12(), stock);
        pair both(config, with_kernel(config, &sized_kernel));
        std::vector<std::pair<std::size_t, std::pair<std::uint64_t, std::uint64_t>>> live;
        for (int n = 0; n < 3; n++)
            both.devices.push_back(random.device(std::to_string(n), stock));
        for (int i = 0; i < 2000 && !HasFailure(); i++) {
            if (random.pick(500) == 0) {
                both.restart();
                live.clear();
            } else if (live.empty() || random.pick(100) < 60) {
                call c = random.next(3, stock);
                auto at = both.map(c, true);
                if (at.first)
                    live.emplace_back(c.device, at);
            } else {
                std::size_t which = random.pick(live.size());
                both.sync(live[which].first, live[which].second.first + random.pick(8192) - 2048,
                          1 + random.pick(65536));
                both.unmap(live[which].first, live[which].second);
                live[which] = live.back();
                live.pop_back();
            }
            both.same_counts();
        }
    }
}

} // namespace
