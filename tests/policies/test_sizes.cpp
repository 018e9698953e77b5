// SPDX-License-Identifier: Apache-2.0
// Linux 6.12's rules with other constants, against the plainest form of them: one candidate after
// the other over an array of free flags. And what sizes are refused.
#include "random_calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using policies::call;
using policies::sizes;

struct answer {
    std::uint64_t address = 0, probes = 0, locks = 0;
    std::uint64_t first = 0, slots = 0;
};

class mirror {
  public:
    explicit mirror(const bounce_swiotlb_config &c)
        : c_(c), free_(c.nslabs, true), cursor_(c.nareas, 0) {}

    answer map(const call &c, const bounce_device &d) {
        answer a;
        std::uint64_t per_area = c_.nslabs / c_.nareas;
        std::uint64_t align = c.align, keep = d.min_align_mask, orig = c.orig, offset = 0;
        if (c.alloc) {
            orig = 0;
            for (align = 4096; align < c.size; align *= 2)
                ;
            align--;
        } else {
            offset = orig & keep & (align | (c_.slot_size - 1));
        }
        std::uint64_t bytes = c.alloc ? c.size : (c.size + offset + align) & ~align;
        a.slots = (bytes + c_.slot_size - 1) / c_.slot_size;
        if (!align && !keep && bytes >= 4096)
            align = 4095;
        align |= c_.slot_size - 1;
        keep &= ~align;
        std::uint64_t stride = std::max(align, keep) / c_.slot_size + 1;
        std::uint64_t areas = c_.nareas, own = c.cpu % areas;
        for (std::uint64_t n = 0; n < areas; n++) {
            std::uint64_t area = (own + n) % areas, base = area * per_area;
            a.locks++;
            auto begin = free_.begin() + static_cast<std::ptrdiff_t>(base);
            if (a.slots > static_cast<std::uint64_t>(std::count(
                              begin, begin + static_cast<std::ptrdiff_t>(per_area), true)))
                continue;
            std::uint64_t index = cursor_[area];
            for (std::uint64_t checked = 0; checked < per_area;) {
                std::uint64_t dma = (c_.start & d.seg_boundary) + (base + index) * c_.slot_size;
                std::uint64_t step = 1;
                a.probes++;
                if (!(dma & align) && (!orig || (dma & keep) == (orig & keep))) {
                    if (fits(base + index, a.slots, dma, d.seg_boundary)) {
                        a.first = base + index;
                        take(a.first, a.slots, false);
                        cursor_[area] = index + a.slots < per_area ? index + a.slots : 0;
                        a.address = c_.start + a.first * c_.slot_size + offset;
                        return a;
                    }
                    step = stride;
                }
                index = index + step < per_area ? index + step : 0;
                checked += step;
            }
        }
        return a;
    }

    void take(std::uint64_t first, std::uint64_t slots, bool free) {
        for (std::uint64_t i = 0; i < slots; i++)
            free_[first + i] = free;
    }

  private:
    bool fits(std::uint64_t slot, std::uint64_t slots, std::uint64_t dma,
              std::uint64_t boundary) const {
        std::uint64_t per = boundary / c_.slot_size + 1;
        if (slot % c_.segment_slots + slots > c_.segment_slots ||
            dma / c_.slot_size % per + slots > per)
            return false;
        for (std::uint64_t i = 0; i < slots; i++)
            if (slot + i >= c_.nslabs || !free_[slot + i])
                return false;
        return true;
    }

    bounce_swiotlb_config c_;
    std::vector<bool> free_;
    std::vector<std::uint64_t> cursor_;
};

class Sizes : public testing::TestWithParam<sizes> {};

TEST_P(Sizes, AnswerAsThePlainestFormOfTheRules) {
    sizes s = GetParam();
    for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        policies::random_calls random(seed);
        bounce_swiotlb_config config = random.pool(bounce_kernel_find("linux-6.12"), s);
        policies::allocator mem = policies::make(config);
        ASSERT_NE(mem, nullptr);
        mirror plain(config);
        std::vector<bounce_device> devices;
        std::vector<std::pair<answer, std::size_t>> live;
        for (int n = 0; n < 3; n++)
            devices.push_back(random.device(std::to_string(n), s));
        for (int i = 0; i < 600 && !HasFailure(); i++) {
            if (live.empty() || random.pick(100) < 60) {
                call c = random.next(3, s);
                bounce_map_result r = policies::map(mem, c, devices);
                answer a = plain.map(c, devices[c.device]);
                EXPECT_EQ(r.tlb_addr, a.address);
                EXPECT_EQ(r.probes, a.probes);
                EXPECT_EQ(r.locks, a.locks);
                EXPECT_EQ(r.slots, a.address ? a.slots : 0);
                if (a.address)
                    live.emplace_back(a, c.device);
                continue;
            }
            std::size_t which = random.pick(live.size());
            auto [a, device] = live[which];
            plain.take(a.first, a.slots, true);
            EXPECT_EQ(bounce_swiotlb_unmap(mem.get(), &devices[device], a.address), a.slots);
            live[which] = live.back();
            live.pop_back();
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, Sizes,
                         testing::Values(sizes{512, 128}, sizes{512, 32}, sizes{1024, 256},
                                         sizes{2048, 32}, sizes{2048, 1024}, sizes{2048, 4096},
                                         sizes{4096, 128}, sizes{16384, 64}, sizes{65536, 32}),
                         [](const auto &row) {
                             return "slots_of_" + std::to_string(row.param.slot) + "_sets_of_" +
                                    std::to_string(row.param.segment);
                         });

TEST(SlotSets, TwoMiBInOnePieceFromALargerSlotSet) {
    bounce_swiotlb_config config = {};
    std::vector<bounce_device> devices(1);
    bounce_device_init(&devices[0], "gpu");
    config.kernel = bounce_kernel_find("linux-6.12");
    config.nslabs = 8192;
    config.nareas = 1;
    config.cpus = 1;
    config.start = 0x7f000000;
    call two_mib;
    two_mib.orig = 0x100000000;
    two_mib.size = 2u << 20;
    policies::allocator stock = policies::make(config);
    EXPECT_EQ(policies::map(stock, two_mib, devices).outcome, BOUNCE_MAP_OVERSIZE);
    config.segment_slots = 1024;
    policies::allocator larger = policies::make(config);
    EXPECT_EQ(policies::map(larger, two_mib, devices).outcome, BOUNCE_MAP_OK);
    EXPECT_EQ(bounce_swiotlb_get_counts(larger.get())->free_segments, 7u);
}

TEST(SlotSets, RefusedOnes) {
    struct {
        const char *kernel;
        std::uint32_t slot, segment;
        std::uint64_t start;
        const char *words;
    } cases[] = {
        {"linux-6.12", 256, 128, 0x10000, "512 to 65536"},
        {"linux-6.12", 131072, 128, 0x100000, "512 to 65536"},
        {"linux-6.12", 3000, 128, 0x10000, "power of two"},
        {"linux-6.12", 2048, 16, 0x10000, "32 to 4096"},
        {"linux-6.12", 2048, 8192, 0x10000, "32 to 4096"},
        {"linux-6.12", 2048, 100, 0x10000, "power of two"},
        {"linux-6.12", 65536, 128, 0x1000, "aligned to the slots"},
        {"linux-6.1", 4096, 128, 0x10000, "linux-6.1"},
        {"linux-6.12-dynamic", 2048, 256, 0x10000, "linux-6.12-dynamic"},
    };
    for (const auto &c : cases) {
        bounce_swiotlb_config config = {};
        bounce_error error = {};
        config.kernel = bounce_kernel_find(c.kernel);
        config.nslabs = 1024;
        config.nareas = 1;
        config.cpus = 1;
        config.start = c.start;
        config.slot_size = c.slot;
        config.segment_slots = c.segment;
        EXPECT_EQ(policies::make(config, &error), nullptr) << c.words;
        EXPECT_NE(std::string(error.text).find(c.words), std::string::npos) << error.text;
    }
}

} // namespace
