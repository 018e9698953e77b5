// SPDX-License-Identifier: Apache-2.0
// Random but legal streams of allocator operations, made in process: the kinds that make-ops makes,
// much faster. Same profile, seed and number: same stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kernel_test {

struct device {
    std::uint32_t min_align_mask;
    std::uint64_t seg_boundary, dma_mask;
};

struct operation {
    char kind;        // M A U S W, as in `ops` streams
    std::uint8_t dir; // M; U and S: of the mapping
    bool for_cpu;     // S
    bool alloc;       // U: of an A
    std::uint32_t id; // of M, A, and of the mapping that U and S mean
    std::uint32_t device, cpu, align_mask;
    std::uint64_t orig, size; // U: size of the mapping
    std::uint64_t offset;     // S
};

struct stream {
    std::uint64_t slots = 0, start = 0; // as in the boot option
    std::uint32_t cpus = 0, areas = 0;
    // The page allocator of growing pools.
    std::uint32_t lost_orders = 0;
    bool reuse_pages = false, encrypted = false;
    std::vector<device> devices;
    std::vector<operation> operations;
    std::uint32_t ids = 0; // one past the highest
};

// The eleven golden kinds.
extern const std::vector<std::string> profiles;

// `profile` is one of those or "random", which draws everything, the pool and the devices too.
// `count` operations, and then everything still mapped is unmapped. `growing` asks for what a pool
// that grows allows: it leaves out `A`, and draws the page allocator of "random".
stream make_stream(const std::string &profile, std::uint64_t seed, std::size_t count,
                   bool growing = false);

// One pool, kept at about `fill` of its slots by maps and unmaps in random order: to compare pools
// of different sizes.
stream make_filled(std::uint64_t slots, std::uint32_t areas, double fill, std::uint64_t seed,
                   std::size_t count);

// The stream as text, for the oracle.
std::string as_text(const stream &s);

} // namespace kernel_test
