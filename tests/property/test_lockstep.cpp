// SPDX-License-Identifier: Apache-2.0
// The allocator and the mirror in lockstep over random pools, devices and requests: every answer
// equal, every invariant held around every call. BOUNCESIM_SEED=N runs that one seed alone.
#include "mirror.hpp"

#include "bounce/swiotlb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t slot_bytes = 2048, set_slots = 128;
constexpr std::uint64_t scan_budget = 6000000; // slots looked at by the mirror's counting, a seed
constexpr int seeds = 192, seeds_a_test = 8;

struct live_buffer {
    std::uint64_t first, slots, address, size;
    std::size_t device;
    bool alloc;
};

class lockstep {
  public:
    explicit lockstep(std::uint64_t seed)
        : seed_(seed), random_(seed), config_(random_pool()), mirror_(config_),
          mem_(nullptr, bounce_swiotlb_destroy) {
        bounce_swiotlb_config config = {};
        bounce_swiotlb *made = nullptr;
        bounce_error error = {};
        config.kernel = bounce_kernel_find("linux-6.12");
        config.nslabs = config_.nslabs;
        config.nareas = config_.nareas;
        config.cpus = cpus_ = config_.nareas == 1 ? 8 : config_.nareas;
        config.start = config_.start;
        EXPECT_EQ(bounce_swiotlb_create(&config, &made, &error), BOUNCE_OK) << error.text;
        mem_.reset(made);
        for (std::uint64_t n = 1 + pick(4); n > 0; n--)
            devices_.push_back(random_device());
        free_segments_min_ = mirror_.free_segments();
    }

    void run() {
        std::uint64_t calls = std::clamp<std::uint64_t>(scan_budget / config_.nslabs, 400, 6000);
        std::uint64_t phase = 40 + pick(400), filling = 90;
        for (call_ = 0; call_ < calls && !testing::Test::HasFailure(); call_++) {
            if (call_ % phase == 0)
                filling = filling > 50 ? 20 + pick(30) : 55 + pick(45);
            std::uint64_t dice = pick(1000);
            if (dice < 3)
                restart();
            else if (dice < 40)
                unmap_nothing();
            else if (dice < 200 && !live_.empty())
                sync();
            else if (live_.empty() || pick(100) < filling)
                map();
            else
                unmap();
            check_state();
        }
        if (testing::Test::HasFailure())
            ADD_FAILURE() << describe() << mirror_.map_text();
    }

  private:
    std::uint64_t pick(std::uint64_t below) {
        return random_() % below;
    }
    std::uint64_t mask(std::uint64_t bits) {
        return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    }

    mirror::pool_config random_pool() {
        mirror::pool_config c = {};
        std::uint32_t sets = 1u << pick(8);
        if (pick(3) == 0) { // a restricted pool: any size, one area
            c.nslabs = static_cast<std::uint32_t>(128 + pick(sets * set_slots - 127));
            c.nareas = 1;
        } else {
            c.nslabs = static_cast<std::uint32_t>(sets * set_slots);
            c.nareas = 1u << pick(7);
            while (c.nareas > sets)
                c.nareas /= 2;
        }
        c.start = (256 + (random_() & mask(8 + pick(24)))) << 12;
        if (pick(4) == 0) // around a multiple of 4 GiB
            c.start = (std::uint64_t{1 + pick(3)} << 32) - pick(c.nslabs) / 2 * 4096;
        return c;
    }

    bounce_device random_device() {
        bounce_device d;
        bounce_device_init(&d, "random");
        static const std::uint64_t usual[] = {0, 0, 0, 0xfff, 0xfff, 0x1ff, 0x7ff, 0xffff};
        d.min_align_mask = static_cast<std::uint32_t>(pick(2) ? usual[pick(8)] : mask(pick(17)));
        d.seg_boundary = pick(2) ? UINT32_MAX : mask(11 + pick(54));
        return d;
    }

    std::uint64_t random_size() {
        switch (pick(9)) {
        case 0:
            return 1 + pick(64);
        case 1:
        case 2:
            return 1 + pick(2048);
        case 3:
        case 4:
            return 4096 * (1 + pick(4));
        case 5:
            return 1 + pick(65536);
        case 6:
            return 2048 * (1 + pick(128));
        case 7: // a slot set and what is just less
            return 2048 * (125 + pick(4));
        default:
            return 1 + pick(300 * 1024);
        }
    }

    mirror::request random_request(std::size_t device) {
        static const std::uint64_t granules[] = {0xfff, 0xfff, 0x3fff, 0xffff, 0x7ff, 0x1ff};
        mirror::request r = {};
        r.min_align_mask = devices_[device].min_align_mask;
        r.boundary_mask = devices_[device].seg_boundary;
        r.alloc = pick(12) == 0;
        r.size = random_size();
        r.cpu = static_cast<std::uint32_t>(pick(cpus_));
        if (r.alloc)
            return r;
        std::uint64_t kind = pick(20);
        r.orig = kind == 0 ? 0 : random_() >> (16 + pick(20));
        if (kind < 8)
            r.orig &= ~std::uint64_t{0xfff};
        else if (kind < 12)
            r.orig &= ~std::uint64_t{0x1ff};
        if (pick(6) == 0)
            r.align = granules[pick(6)];
        else if (pick(40) == 0)
            r.align = mask(pick(19)); // to 256 KiB: one aligned slot a slot set
        return r;
    }

    bounce_map_request as_request(const mirror::request &r, std::size_t device) const {
        bounce_map_request out = {};
        out.device = &devices_[device];
        out.orig_addr = r.orig;
        out.size = r.size;
        out.alloc_align_mask = static_cast<std::uint32_t>(r.align);
        out.cpu = r.cpu;
        return out;
    }

    void map() {
        std::size_t device = pick(devices_.size());
        mirror::request r = random_request(device);
        bounce_map_request request = as_request(r, device);
        bounce_map_result got;
        describe_request(r);
        mirror::answer wanted = mirror_.map(r);
        if (r.alloc)
            bounce_swiotlb_alloc(mem_.get(), &request, &got);
        else if (pick(4) || !map_as(request, wanted, got))
            bounce_swiotlb_map(mem_.get(), &request, &got);
        probes_ += wanted.probes;
        locks_ += wanted.locks;
        EXPECT_EQ(got.probes, wanted.probes);
        EXPECT_EQ(got.locks, wanted.locks);
        EXPECT_EQ(got.slots, wanted.slots);
        EXPECT_EQ(got.alloc_size, wanted.alloc_size);
        EXPECT_EQ(got.tlb_addr, wanted.address);
        EXPECT_EQ(got.outcome == BOUNCE_MAP_OK, wanted.ok);
        if (!wanted.ok) {
            check_pressure(r, request, got);
            return;
        }
        check_placement(r, got);
        std::uint64_t pad =
            (r.alloc ? 0 : r.orig & r.min_align_mask & (r.align | (slot_bytes - 1))) / slot_bytes;
        std::uint64_t first = (got.tlb_addr - config_.start) / slot_bytes - pad;
        live_.push_back({first, got.slots, got.tlb_addr, r.size, device, r.alloc});
    }

    // By the address that is known to be the answer; others change nothing. Whether it was mapped,
    // with what bounce_swiotlb_peek() said before.
    bool map_as(const bounce_map_request &request, const mirror::answer &wanted,
                bounce_map_result &got) {
        bounce_area_state before = {}, at = {};
        bounce_swiotlb_peek(mem_.get(), &request, &got);
        std::uint64_t other = config_.start + pick(config_.nslabs * slot_bytes);
        if (!wanted.ok || other != wanted.address) {
            EXPECT_FALSE(bounce_swiotlb_map_as(mem_.get(), &request, other, &before));
        }
        EXPECT_FALSE(bounce_swiotlb_map_as(mem_.get(), &request, config_.start - 1, &before));
        if (!wanted.ok)
            return false;
        EXPECT_TRUE(bounce_swiotlb_area_at(mem_.get(), wanted.address, &at));
        EXPECT_TRUE(bounce_swiotlb_map_as(mem_.get(), &request, wanted.address, &before));
        EXPECT_EQ(before.start, at.start);
        EXPECT_EQ(before.cursor, at.cursor);
        return true;
    }

    // What the kernel promises of an address, told without any search.
    void check_placement(const mirror::request &r, const bounce_map_result &got) {
        std::uint64_t offset =
            r.alloc ? 0 : r.orig & r.min_align_mask & (r.align | (slot_bytes - 1));
        std::uint64_t begin = got.tlb_addr - offset; // first byte of the first slot
        ASSERT_GE(begin, config_.start);
        std::uint64_t first = (begin - config_.start) / slot_bytes;
        EXPECT_EQ((begin - config_.start) % slot_bytes, 0u);
        EXPECT_LE(first + got.slots, config_.nslabs);
        EXPECT_EQ(first / set_slots, (first + got.slots - 1) / set_slots) << "crosses a slot set";
        EXPECT_GE(got.slots * slot_bytes, offset + r.size) << "too few slots";
        for (const live_buffer &b : live_)
            EXPECT_TRUE(first + got.slots <= b.first || b.first + b.slots <= first)
                << "overlaps the buffer at " << std::hex << b.address;
        std::uint64_t dma = config_.start & r.boundary_mask;
        std::uint64_t keep = r.alloc || !r.orig ? 0 : r.min_align_mask;
        EXPECT_EQ((dma + first * slot_bytes + offset) & keep, r.orig & keep);
        EXPECT_EQ((dma + first * slot_bytes) & r.align, 0u);
        std::uint64_t boundary = r.boundary_mask / slot_bytes + 1; // slots
        EXPECT_EQ((dma / slot_bytes + first) / boundary,
                  (dma / slot_bytes + first + got.slots - 1) / boundary)
            << "spans seg_boundary";
    }

    void check_pressure(const mirror::request &r, const bounce_map_request &request,
                        const bounce_map_result &result) {
        bounce_pressure got;
        bounce_swiotlb_pressure(mem_.get(), &request, r.alloc, &got);
        mirror::pressure wanted = mirror_.why(r);
        EXPECT_EQ(static_cast<int>(got.cause), static_cast<int>(wanted.cause));
        EXPECT_EQ(got.slots_needed, wanted.slots_needed);
        EXPECT_EQ(got.nslabs, config_.nslabs);
        EXPECT_EQ(got.free, wanted.free);
        EXPECT_EQ(got.best_area_free, wanted.best_area_free);
        EXPECT_EQ(got.largest_run, wanted.largest_run);
        EXPECT_EQ(result.outcome,
                  wanted.cause == mirror::cause::oversize ? BOUNCE_MAP_OVERSIZE : BOUNCE_MAP_FULL);
        causes[static_cast<int>(wanted.cause)]++;
    }

    void unmap() {
        std::size_t which = pick(live_.size());
        live_buffer b = live_[which];
        live_[which] = live_.back();
        live_.pop_back();
        const bounce_device &device = devices_[b.device];
        request_ = "unmap " + hex(b.address);
        EXPECT_EQ(bounce_swiotlb_unmap(mem_.get(), &device, b.address), b.slots);
        EXPECT_EQ(mirror_.unmap(device.min_align_mask, b.address), b.slots);
        EXPECT_FALSE(mirror_.taken(b.first, b.slots));
    }

    // Addresses where no buffer begins: in free slots, inside buffers, outside the pool.
    void unmap_nothing() {
        std::uint64_t bytes = config_.nslabs * slot_bytes;
        std::uint64_t address = config_.start + random_() % (bytes + 8192) - 4096;
        if (!live_.empty() && pick(2)) {
            const live_buffer &b = live_[pick(live_.size())];
            address = config_.start + b.first * slot_bytes + pick(b.slots * slot_bytes);
        }
        for (const live_buffer &b : live_)
            if (b.address == address)
                return;
        request_ = "unmap of nothing " + hex(address);
        EXPECT_EQ(bounce_swiotlb_unmap(mem_.get(), &devices_[0], address), 0u);
    }

    void sync() {
        const live_buffer &b = live_[pick(live_.size())];
        std::size_t device = b.device;
        std::uint64_t address = b.address, size = b.size;
        switch (pick(4)) {
        case 0: // all of it
            break;
        case 1: // a part
            address += pick(b.size);
            size = 1 + pick(b.address + b.size - address);
            break;
        case 2: // from anywhere in its slots, padding included, too long at times
            address = config_.start + b.first * slot_bytes + pick(b.slots * slot_bytes);
            size = 1 + pick(2 * b.slots * slot_bytes);
            break;
        default: // from anywhere at all
            address = config_.start + random_() % (config_.nslabs * slot_bytes + 8192) - 4096;
            size = 1 + pick(65536);
            device = device_at(address);
        }
        request_ = "sync " + hex(address) + " of " + std::to_string(size);
        bounce_copy got = bounce_swiotlb_sync(mem_.get(), &devices_[device], address, size);
        mirror::copy wanted = mirror_.sync(devices_[device].min_align_mask, address, size);
        EXPECT_EQ(got.bytes, wanted.bytes);
        EXPECT_EQ(got.orig_addr, wanted.orig);
    }

    // Whose buffer is there: no other device may sync it.
    std::size_t device_at(std::uint64_t address) const {
        std::uint64_t slot = (address - config_.start) / slot_bytes;
        for (const live_buffer &b : live_)
            if (slot >= b.first && slot < b.first + b.slots)
                return b.device;
        return 0;
    }

    void restart() {
        request_ = "restart";
        live_.clear();
        mirror_.restart();
        bounce_swiotlb_restart(mem_.get());
    }

    void check_state() {
        const bounce_swiotlb_counts &c = *bounce_swiotlb_get_counts(mem_.get());
        std::uint64_t used = mirror_.used(), segments = mirror_.free_segments();
        std::uint64_t internal = mirror_.internal_bytes();
        used_hiwater_ = std::max(used_hiwater_, used);
        internal_hiwater_ = std::max(internal_hiwater_, internal);
        free_segments_min_ = std::min(free_segments_min_, segments);
        EXPECT_EQ(c.nslabs, config_.nslabs);
        EXPECT_EQ(c.pools, 1u);
        EXPECT_EQ(c.transient_nslabs, 0u);
        EXPECT_EQ(c.used, used);
        EXPECT_EQ(c.used_hiwater, used_hiwater_);
        EXPECT_EQ(c.free_segments, segments);
        EXPECT_EQ(c.free_segments_min, free_segments_min_);
        EXPECT_EQ(c.internal_bytes, internal);
        EXPECT_EQ(c.internal_bytes_hiwater, internal_hiwater_);
        EXPECT_EQ(c.probes, probes_);
        EXPECT_EQ(c.locks, locks_);
        EXPECT_EQ(bounce_swiotlb_nareas(mem_.get()), config_.nareas);
        for (std::uint32_t area = 0; area < config_.nareas; area++)
            EXPECT_EQ(bounce_swiotlb_area_used(mem_.get(), area), mirror_.area_used(area));
        EXPECT_EQ(bounce_swiotlb_area_used(mem_.get(), config_.nareas), 0u);
    }

    static std::string hex(std::uint64_t value) {
        std::ostringstream out;
        out << "0x" << std::hex << value;
        return out.str();
    }

    void describe_request(const mirror::request &r) {
        std::ostringstream out;
        out << (r.alloc ? "alloc" : "map") << " of " << r.size << " bytes, orig " << hex(r.orig)
            << ", cpu " << r.cpu << ", alloc_align_mask " << hex(r.align) << ", min_align_mask "
            << hex(r.min_align_mask) << ", seg_boundary " << hex(r.boundary_mask);
        request_ = out.str();
    }

    std::string describe() const {
        std::ostringstream out;
        out << "seed " << seed_ << ", call " << call_ - 1 << ": " << request_ << "\npool "
            << config_.nslabs << " slots, " << config_.nareas << " areas from "
            << hex(config_.start) << ", after the call (as the mirror has it):\n";
        return out.str();
    }

    std::uint64_t seed_, call_ = 0;
    std::mt19937_64 random_;
    mirror::pool_config config_;
    mirror::allocator mirror_;
    std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)> mem_;
    std::uint32_t cpus_ = 1;
    std::vector<bounce_device> devices_;
    std::vector<live_buffer> live_;
    std::string request_;
    std::uint64_t used_hiwater_ = 0, internal_hiwater_ = 0, free_segments_min_ = 0;
    std::uint64_t probes_ = 0, locks_ = 0;

  public:
    std::map<int, std::uint64_t> causes; // failures by cause
};

class Lockstep : public testing::TestWithParam<int> {};

TEST_P(Lockstep, EveryAnswerAndInvariant) {
    const char *asked = std::getenv("BOUNCESIM_SEED");
    std::uint64_t first = static_cast<std::uint64_t>(GetParam()) * seeds_a_test + 1;
    std::uint64_t last = first + seeds_a_test - 1;
    if (asked)
        first = last = std::strtoull(asked, nullptr, 10);
    for (std::uint64_t seed = first; seed <= last && !HasFailure(); seed++)
        lockstep(seed).run();
}

INSTANTIATE_TEST_SUITE_P(, Lockstep, testing::Range(0, seeds / seeds_a_test));

// The random streams are worth something only if they reach every way to fail.
TEST(LockstepStreams, ReachEveryCause) {
    std::map<int, std::uint64_t> causes;
    for (std::uint64_t seed = 1; seed <= 48; seed++) {
        lockstep one(seed);
        one.run();
        for (auto [cause, count] : one.causes)
            causes[cause] += count;
    }
    for (int cause = BOUNCE_CAUSE_OVERSIZE; cause <= BOUNCE_CAUSE_ALIGNMENT; cause++)
        EXPECT_GT(causes[cause], 20u) << bounce_cause_name(static_cast<bounce_cause>(cause));
}

} // namespace
