// SPDX-License-Identifier: Apache-2.0
// Where I/O buffers lie: two zones, below and above 4 GiB, handed out block by block as a page
// allocator does, whole or in scattered pieces. A freed buffer serves the next one of its size, as
// buffers of an application or pages of a cache do. No SystemC here.
#pragma once

#include "random.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

struct memory_config {
    uint64_t bytes = uint64_t{4} << 30; // of the machine
    uint64_t low_bytes = 0;             // of these below 4 GiB; 0: up to 3 GiB
    uint32_t scattered_percent = 20;    // buffers of 128 KiB that are not one piece
    uint64_t seed = 1;
};

class physical_memory {
  public:
    struct run {
        uint64_t address;
        uint64_t bytes;
    };

    explicit physical_memory(const memory_config &config);

    // A buffer of at most 1 GiB; its pieces in order. Valid until it is given back. Constant time
    // by piece. `whole`: one piece. When memory is used up it begins anew: buffers may then
    // overlap.
    uint32_t take(uint64_t bytes, bool whole);
    void give_back(uint32_t buffer);
    const run *runs(uint32_t buffer) const {
        return runs_.data() + buffers_[buffer].first;
    }
    uint32_t run_count(uint32_t buffer) const {
        return buffers_[buffer].count;
    }

  private:
    struct holding {
        std::size_t first; // in runs_
        uint32_t count;
        uint32_t next_free;
        uint64_t size_class;
    };
    struct zone {
        uint64_t start;
        uint64_t blocks;
        uint64_t taken; // blocks so far
        uint64_t at;    // next free byte of the current block
        uint64_t end;
    };

    uint64_t below(uint64_t bound) {
        return bound ? random_.next() % bound : 0;
    }
    uint32_t make(uint64_t bytes, uint64_t size_class, bool whole);
    uint64_t pages_of(zone &from, uint64_t bytes);
    void scatter(zone &from, uint64_t bytes);
    bool is_scattered(uint64_t pages);
    uint32_t &free_list(uint64_t size_class);

    zone zones_[2] = {}; // low, high
    uint64_t blocks_[2] = {};
    double whole_pages_; // share of pages that the next one follows
    random_numbers random_;
    std::vector<run> runs_;
    std::vector<holding> buffers_;
    std::vector<uint32_t> free_; // heads, by size class
};

} // namespace bouncesim::models
