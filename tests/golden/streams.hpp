// SPDX-License-Identifier: Apache-2.0
// The golden operation streams, read without the library's own reader: what is under test does not
// prepare its own questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace golden {

// P slots cpus areas start | D dev min_align_mask seg_boundary dma_mask
// M id cpu dev orig size alloc_align_mask dir | A id cpu dev size
// U id | S id offset size C|D | W
struct operation {
    char kind = 0;
    std::uint64_t id = 0; // of M, A, U, S; device number of D
    std::uint32_t cpu = 0, dev = 0, align = 0, dir = 0;
    std::uint64_t orig = 0, size = 0, offset = 0;
    bool for_cpu = false;
};

struct device {
    std::uint64_t min_align_mask, seg_boundary, dma_mask;
};

struct stream {
    std::uint64_t slots = 0, start = 0;
    std::uint32_t cpus = 0, areas = 0;
    std::vector<device> devices;
    std::vector<operation> operations; // without P and D
    std::uint64_t ids = 0;             // one past the highest
};

// The content of an .xz file; throws std::runtime_error.
std::string read_xz(const std::string &path);

// tests/golden/NAME
std::string path_of(const std::string &name);

stream read_stream(const std::string &path);

extern const std::vector<std::string> profiles;

} // namespace golden
