// SPDX-License-Identifier: Apache-2.0
// Random pools, devices and requests for any slot and slot-set size, and an allocator to put them
// to.
#pragma once

#include "bounce/swiotlb.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace policies {

struct sizes {
    std::uint32_t slot, segment;
};

inline std::uint64_t mask_of(std::uint64_t bits) {
    return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

struct call {
    std::size_t device = 0;
    std::uint64_t orig = 0, size = 1;
    std::uint32_t align = 0, cpu = 0;
    bool alloc = false;
};

class random_calls {
  public:
    explicit random_calls(std::uint64_t seed) : random_(seed) {}

    std::uint64_t pick(std::uint64_t below) {
        return random_() % below;
    }

    bounce_swiotlb_config pool(const bounce_kernel *kernel, sizes s) {
        bounce_swiotlb_config c = {};
        std::uint64_t sets = std::uint64_t{1} << pick(s.segment > 1024 ? 4 : 6);
        c.kernel = kernel;
        c.cpus = cpus;
        c.slot_size = s.slot;
        c.segment_slots = s.segment;
        c.nareas = 1;
        if (pick(4) == 0) { // a restricted pool: any size, one area
            c.nslabs = s.segment / 2 + pick(sets * s.segment);
        } else {
            c.nslabs = sets * s.segment;
            c.nareas = 1u << pick(4);
            while (c.nareas > sets)
                c.nareas /= 2;
        }
        std::uint64_t unit = s.slot < 4096 ? 4096 : s.slot;
        c.start = (256 + pick(1u << (8 + pick(16)))) * unit;
        if (pick(4) == 0) // around a multiple of 4 GiB
            c.start = (std::uint64_t{1 + pick(3)} << 32) - pick(c.nslabs) / 2 * unit;
        return c;
    }

    bounce_device device(const std::string &name, sizes s) {
        static const std::uint64_t usual[] = {0, 0, 0, 0xfff, 0xfff, 0x1ff, 0x7ff, 0xffff};
        bounce_device d;
        bounce_device_init(&d, name.c_str());
        std::uint64_t shift = static_cast<std::uint64_t>(__builtin_ctz(s.slot));
        d.min_align_mask = static_cast<std::uint32_t>(pick(2) ? usual[pick(8)] : mask_of(pick(17)));
        d.seg_boundary = pick(2) ? UINT32_MAX : mask_of(shift + pick(65 - shift));
        return d;
    }

    call next(std::size_t devices, sizes s) {
        static const std::uint32_t granules[] = {0xfff, 0xfff, 0x3fff, 0xffff, 0x7ff, 0x1ff};
        call c;
        c.device = pick(devices);
        c.cpu = static_cast<std::uint32_t>(pick(cpus));
        c.size = size(s);
        c.alloc = pick(12) == 0;
        if (c.alloc)
            return c;
        std::uint64_t kind = pick(20);
        c.orig = kind == 0 ? 0 : random_() >> (16 + pick(20));
        if (kind < 8)
            c.orig &= ~std::uint64_t{0xfff};
        else if (kind < 12)
            c.orig &= ~std::uint64_t{0x1ff};
        if (pick(6) == 0)
            c.align = granules[pick(6)];
        else if (pick(40) == 0)
            c.align = static_cast<std::uint32_t>(mask_of(pick(19)));
        return c;
    }

    static constexpr std::uint32_t cpus = 8;

  private:
    std::uint64_t size(sizes s) {
        std::uint64_t most = std::uint64_t{s.slot} * s.segment;
        switch (pick(8)) {
        case 0:
            return 1 + pick(64);
        case 1:
        case 2:
            return 1 + pick(s.slot);
        case 3:
        case 4:
            return 4096 * (1 + pick(4));
        case 5:
            return 1 + pick(65536);
        case 6:
            return s.slot * (1 + pick(s.segment));
        default:
            return 1 + pick(most + most / 8);
        }
    }

    std::mt19937_64 random_;
};

using allocator = std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)>;

inline allocator make(const bounce_swiotlb_config &config, bounce_error *error = nullptr) {
    bounce_swiotlb *made = nullptr;
    if (bounce_swiotlb_create(&config, &made, error))
        made = nullptr;
    return allocator(made, bounce_swiotlb_destroy);
}

inline bounce_map_request request_of(const call &c, const std::vector<bounce_device> &devices) {
    return {&devices[c.device], c.orig, c.size, c.align, c.cpu};
}

inline bounce_map_result map(const allocator &mem, const call &c,
                             const std::vector<bounce_device> &devices) {
    bounce_map_request request = request_of(c, devices);
    bounce_map_result result = {};
    if (c.alloc)
        bounce_swiotlb_alloc(mem.get(), &request, &result);
    else
        bounce_swiotlb_map(mem.get(), &request, &result);
    return result;
}

} // namespace policies
