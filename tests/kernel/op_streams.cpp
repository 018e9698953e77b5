// SPDX-License-Identifier: Apache-2.0
#include "op_streams.hpp"

#include "random_source.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>
#include <stdexcept>

namespace kernel_test {
namespace {

constexpr std::uint64_t gib4 = UINT32_MAX, all64 = UINT64_MAX;
constexpr std::uint64_t usual_start = 0x7bc00000;

struct weighted {
    std::uint64_t size;
    unsigned weight;
};

std::uint64_t draw(random_source &rng, const std::vector<weighted> &list) {
    unsigned total = 0;
    for (const weighted &w : list)
        total += w.weight;
    std::uint64_t at = rng.below(total);
    for (const weighted &w : list) {
        if (at < w.weight)
            return w.size;
        at -= w.weight;
    }
    return list.back().size;
}

struct profile {
    std::string name;
    std::uint64_t slots;
    std::uint32_t cpus, areas;
    double fill; // at most this share of the pool is asked for
    std::vector<device> devices;
    std::vector<weighted> sizes;
    double aligned = 0;                // share of maps that ask for alloc_align_mask 0xfff
    std::vector<weighted> allocs = {}; // restricted-pool allocations, 3 in 10
    double syncs = 0;                  // share of operations
    double overlong = 0;               // share of syncs that go past the buffer's end
    std::uint64_t start = usual_start;
    // "random" only
    bool wild = false;
    double small = 0;
};

const device plain = {0, gib4, all64};
const device page = {0xfff, gib4, all64};

// clang-format off
const std::vector<profile> table = {
    {"coco", 65536, 16, 0, 0.9, {page, plain},
     {{4096, 8}, {1600, 6}, {65536, 3}, {131072, 2}, {262144, 2}, {520192, 1}}},
    {"iommu", 4096, 4, 0, 1.05, {plain, page},
     {{1514, 3}, {4000, 3}, {9000, 2}, {100, 2}, {70000, 1}}, 0.7},
    {"isa", 1024, 1, 1, 1.05, {{0, 0xffff, gib4}},
     {{512, 4}, {4096, 2}, {65536, 1}, {32768, 1}}},
    {"manycpu", 4096, 64, 0, 1.16, {{0x7ff, gib4, all64}, plain},
     {{4096, 4}, {2048, 4}, {20000, 2}, {100000, 1}}},
    {"mix", 16384, 8, 8, 1.05, {page, plain, {0x1ff, gib4, gib4}},
     {{4096, 6}, {1514, 3}, {512, 2}, {12288, 2}, {262144, 1}, {131072, 1}, {36864, 1}}},
    {"net", 2048, 2, 0, 0.96, {plain}, {{2048, 4}, {1514, 4}, {66, 3}, {4096, 1}}},
    {"nvme", 8192, 4, 0, 1.05, {page},
     {{4096, 5}, {16384, 2}, {8192, 2}, {65536, 1}, {253952, 1}, {131072, 1}}},
    {"odd", 3000, 6, 6, 1.16, {plain, {0x3ff, 0xfffff, all64}},
     {{700, 3}, {5000, 2}, {40000, 1}, {200000, 1}}},
    {"restricted", 2048, 4, 1, 1.05, {plain}, {{1514, 4}, {4096, 4}, {16384, 1}}, 0,
     {{4096, 2}, {12288, 1}, {16384, 1}, {32768, 1}, {8192, 1}}},
    {"sync", 4096, 4, 0, 0.2, {page, plain}, {{4096, 3}, {1514, 3}, {9000, 2}, {40000, 1}}, 0, {},
     0.3},
    {"tiny", 128, 1, 0, 0.85, {{0, all64, all64}},
     {{3000, 2}, {2048, 2}, {512, 1}, {8192, 1}, {65536, 1}}},
};
// clang-format on

profile random_profile(random_source &rng, bool growing) {
    profile p = {};
    p.name = "random";
    p.wild = true;
    p.fill = rng.one_of({0.6, 1.1, 1.3, growing ? 3 : 1.1});
    p.slots = rng.log_uniform(7, 16);
    p.cpus = rng.one_of({1u, 2u, 3u, 4u, 6u, 8u, 12u, 16u, 24u, 32u, 48u, 64u});
    p.areas = rng.one_of({0u, 0u, static_cast<std::uint32_t>(rng.below(32) * 2 + 1)});
    // Devices count slots from the pool's start, so where it lies within 64 KiB matters. Near
    // 4 GiB, growth runs into limits.
    p.start = rng.one_of({usual_start, usual_start, rng.between(0x1000, 0x7ffff) << 12,
                          growing ? rng.between(0xf0000, 0xfffff) << 12 : usual_start});
    for (std::uint64_t i = rng.between(1, 4); i > 0; i--) {
        auto min_align = static_cast<std::uint32_t>(
            rng.one_of<std::uint64_t>({0, 0, 0xfff, 0xfff, (1u << rng.below(17)) - 1}));
        unsigned boundary = rng.one_of({16u, 17u, 20u, 24u, 32u, 32u, 32u, 63u, 64u});
        unsigned mask = rng.one_of({32u, 32u, 36u, 40u, 48u, 64u});
        p.devices.push_back({min_align, all64 >> (64 - boundary), all64 >> (64 - mask)});
    }
    p.syncs = rng.one_of({0.0, 0.1, 0.3});
    p.overlong = 0.2;
    p.small = rng.real();
    p.aligned = rng.one_of({0.0, 0.2, 0.7});
    if (!growing && rng.chance(0.15))
        p.allocs = {{4096, 4}, {6000, 2}, {12288, 1}, {65536, 1}, {200000, 1}, {300000, 1}};
    return p;
}

// Keeps what is live, and turns from filling to draining and back by how full the pool is.
class maker {
  public:
    maker(const profile &p, random_source &rng, stream &out) : p_(p), rng_(rng), out_(out) {
        pool_slots_ = static_cast<double>(
            p.wild ? std::max<std::uint64_t>(p.slots, 128 * (p.areas ? p.areas : p.cpus))
                   : p.slots);
        turn();
    }

    void make(std::size_t count) {
        while (out_.operations.size() < count)
            step();
        for (const live &l : live_)
            out_.operations.push_back(unmap_of(l));
    }

  private:
    struct live {
        std::uint32_t id, device;
        std::uint64_t size;
        bool alloc;
        std::uint8_t dir;
    };

    // The golden streams swing between half full and a little more than there is.
    void turn() {
        double share = p_.wild    ? filling_ ? rng_.real(0.55, 1) : rng_.real(0.1, 0.55)
                          : filling_ ? rng_.real(0.85, 1)
                                  : rng_.real(0.42, 0.55);
        goal_ = pool_slots_ * p_.fill * share;
    }

    void step() {
        if (rng_.chance(0.0022))
            add('W');
        else if (!live_.empty() && rng_.chance(p_.syncs))
            sync();
        else if (live_.empty() || rng_.chance(filling_ ? 0.65 : 0.35))
            map();
        else
            unmap();
        if (filling_ == (used_ > goal_)) {
            filling_ = !filling_;
            turn();
        }
    }

    operation &add(char kind) {
        operation op = {};
        op.kind = kind;
        out_.operations.push_back(op);
        return out_.operations.back();
    }

    std::uint64_t size() {
        if (!p_.wild) {
            std::uint64_t largest = draw(rng_, p_.sizes);
            return rng_.chance(0.3) ? rng_.between(1, largest) : largest;
        }
        if (rng_.chance(p_.small))
            return rng_.log_uniform(0, 13);
        if (rng_.chance(0.3))
            return rng_.one_of<std::uint64_t>({1, 2047, 2048, 2049, 4095, 4096, 4097, 65536, 258048,
                                               260096, 262143, 262144, 262145});
        return rng_.chance(0.5) ? rng_.between(1, 300 << 10) : rng_.log_uniform(0, 18.2);
    }

    std::uint64_t orig() {
        double kind = p_.wild ? rng_.real() : 1;
        if (kind < 0.02)
            return 0;
        if (kind < 0.06)
            return rng_.below(4096);
        if (kind < 0.12)
            return rng_.below(std::uint64_t{1} << 48);
        std::uint64_t low =
            rng_.one_of<std::uint64_t>({0, 0, 0, 0x200, 0x800, 0x42, rng_.below(4096)});
        return rng_.between(0x100000, 0x4fffff) << 12 | low;
    }

    static double cost(std::uint64_t size) { // slots, roughly
        std::uint64_t slots = (size + 2047) / 2048;
        return slots <= 128 ? static_cast<double>(slots) : 0;
    }

    void map() {
        bool alloc = !p_.allocs.empty() && rng_.chance(0.3);
        operation &op = add(alloc ? 'A' : 'M');
        op.cpu = static_cast<std::uint32_t>(rng_.below(p_.cpus));
        op.device = static_cast<std::uint32_t>(rng_.below(p_.devices.size()));
        if (alloc) {
            op.size = draw(rng_, p_.allocs);
        } else {
            op.size = size();
            op.dir = static_cast<std::uint8_t>(rng_.below(3));
            op.orig = orig();
            if (rng_.chance(p_.aligned))
                op.align_mask = p_.wild ? rng_.one_of({0xfffu, 0xfffu, 0xffffu}) : 0xfffu;
        }
        op.id = out_.ids++;
        place_.push_back(static_cast<std::uint32_t>(live_.size()));
        live_.push_back({op.id, op.device, op.size, alloc, op.dir});
        used_ += cost(op.size);
    }

    static operation unmap_of(const live &l) {
        operation op = {};
        op.kind = 'U';
        op.id = l.id;
        op.device = l.device;
        op.size = l.size;
        op.alloc = l.alloc;
        op.dir = l.dir;
        return op;
    }

    // The oldest in 45 of 100, otherwise any.
    void unmap() {
        while (place_[oldest_] == gone)
            oldest_++;
        std::size_t at = rng_.chance(0.45) ? place_[oldest_] : rng_.below(live_.size());
        used_ -= cost(live_[at].size);
        out_.operations.push_back(unmap_of(live_[at]));
        place_[live_.back().id] = static_cast<std::uint32_t>(at);
        place_[live_[at].id] = gone;
        live_[at] = live_.back();
        live_.pop_back();
    }

    void sync() {
        const live &l = live_[rng_.below(live_.size())];
        if (l.alloc)
            return;
        operation &op = add('S');
        op.id = l.id;
        op.device = l.device;
        op.dir = l.dir;
        op.offset = rng_.chance(0.1) ? 0 : rng_.below(l.size);
        op.size = rng_.chance(p_.overlong) ? l.size - op.offset + rng_.below(8193)
                                           : rng_.between(1, l.size - op.offset);
        op.size = std::max<std::uint64_t>(op.size, 1);
        op.for_cpu = rng_.chance(0.5);
    }

    const profile &p_;
    random_source &rng_;
    stream &out_;
    static constexpr std::uint32_t gone = UINT32_MAX;
    std::vector<live> live_;
    std::vector<std::uint32_t> place_; // in live_, by id
    std::size_t oldest_ = 0;           // id
    double pool_slots_, used_ = 0, goal_ = 0;
    bool filling_ = true;
};

} // namespace

const std::vector<std::string> profiles = {"coco", "iommu", "isa",        "manycpu", "mix", "net",
                                           "nvme", "odd",   "restricted", "sync",    "tiny"};

stream make_stream(const std::string &name, std::uint64_t seed, std::size_t count, bool growing) {
    for (char c : name) // each profile a sequence of its own
        seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    random_source rng(seed);
    stream out;
    profile p;
    if (name == "random") {
        p = random_profile(rng, growing);
    } else {
        auto found = std::find_if(table.begin(), table.end(),
                                  [&](const profile &row) { return row.name == name; });
        if (found == table.end())
            throw std::invalid_argument("no profile " + name);
        p = *found;
    }
    if (growing) {
        p.allocs.clear(); // a restricted pool never grows
        out.lost_orders = p.wild ? rng.one_of({0u, 0u, 1u, 2u, 5u, 10u}) : 0;
        out.reuse_pages = p.wild && rng.chance(0.5);
        out.encrypted = p.wild && rng.chance(0.3);
    }
    out.slots = p.slots;
    out.cpus = p.cpus;
    out.areas = p.areas;
    out.start = p.start;
    out.devices = p.devices;
    out.operations.reserve(count + count / 2);
    maker(p, rng, out).make(count);
    return out;
}

stream make_filled(std::uint64_t slots, std::uint32_t areas, double fill, std::uint64_t seed,
                   std::size_t count) {
    static const std::uint64_t sizes[] = {2048, 1514, 4096, 4096, 4096, 9000, 16384, 65536};
    random_source rng(seed);
    stream out;
    out.slots = slots;
    out.start = usual_start;
    out.cpus = out.areas = areas;
    out.devices = {plain};
    struct live {
        std::uint32_t id;
        std::uint64_t size;
    };
    std::vector<live> all;
    std::vector<std::uint32_t> free_ids; // used again, so that tables by id stay as small as can be
    std::uint64_t used = 0, wanted = static_cast<std::uint64_t>(fill * static_cast<double>(slots));
    for (std::size_t counted = 0; counted < count;) {
        operation op = {};
        bool filling = used < wanted;
        if (filling) {
            op.kind = 'M';
            op.id = free_ids.empty() ? out.ids++ : free_ids.back();
            if (!free_ids.empty())
                free_ids.pop_back();
            op.cpu = static_cast<std::uint32_t>(rng.below(areas));
            op.dir = 1;
            op.orig = rng.between(0x100000, 0x4fffff) << 12;
            op.size = sizes[rng.below(std::size(sizes))];
            used += (op.size + 2047) / 2048;
            all.push_back({op.id, op.size});
        } else {
            std::size_t at = rng.below(all.size());
            op.kind = 'U';
            op.id = all[at].id;
            op.size = all[at].size;
            op.dir = 1;
            used -= (op.size + 2047) / 2048;
            free_ids.push_back(all[at].id);
            all[at] = all.back();
            all.pop_back();
        }
        out.operations.push_back(op);
        counted += counted || !filling; // the first filling is not counted
    }
    return out;
}

std::string as_text(const stream &s) {
    std::string out;
    char line[200];
    auto add = [&](int length) { out.append(line, static_cast<std::size_t>(length)); };
    add(std::snprintf(line, sizeof(line), "P %" PRIu64 " %u %u %" PRIx64 "\n", s.slots, s.cpus,
                      s.areas, s.start));
    for (std::size_t i = 0; i < s.devices.size(); i++)
        add(std::snprintf(line, sizeof(line), "D %zu %x %" PRIx64 " %" PRIx64 "\n", i,
                          s.devices[i].min_align_mask, s.devices[i].seg_boundary,
                          s.devices[i].dma_mask));
    for (const operation &op : s.operations) {
        switch (op.kind) {
        case 'M':
            add(std::snprintf(line, sizeof(line), "M %u %u %u %" PRIx64 " %" PRIu64 " %x %u\n",
                              op.id, op.cpu, op.device, op.orig, op.size, op.align_mask, op.dir));
            break;
        case 'A':
            add(std::snprintf(line, sizeof(line), "A %u %u %u %" PRIu64 "\n", op.id, op.cpu,
                              op.device, op.size));
            break;
        case 'U':
            add(std::snprintf(line, sizeof(line), "U %u\n", op.id));
            break;
        case 'S':
            add(std::snprintf(line, sizeof(line), "S %u %" PRIx64 " %" PRIu64 " %c\n", op.id,
                              op.offset, op.size, op.for_cpu ? 'C' : 'D'));
            break;
        default:
            out += "W\n";
        }
    }
    return out;
}

} // namespace kernel_test
