// SPDX-License-Identifier: Apache-2.0
// A second allocator, as simple as can be: one record a slot, every candidate looked at in turn.
// Slow on purpose; what it answers follows line by line from how 6.12.117 behaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mirror {

struct pool_config {
    std::uint64_t start;
    std::uint32_t nslabs, nareas;
};

struct request {
    std::uint64_t min_align_mask, boundary_mask;
    std::uint64_t orig, size, align;
    std::uint32_t cpu;
    bool alloc; // coherent memory: aligned to its own size, no original buffer
};

struct answer {
    bool ok = false;
    std::uint64_t address = 0, alloc_size = 0, probes = 0;
    std::uint32_t slots = 0, locks = 0;
};

struct copy {
    std::uint64_t orig = 0, bytes = 0;
};

// Numbered as the questions are asked.
enum class cause { exhausted = 3, area_limited = 4, fragmented = 5, alignment = 6, oversize = 2 };

struct pressure {
    mirror::cause cause;
    std::uint32_t slots_needed;
    std::uint64_t free, best_area_free;
    std::uint32_t largest_run;
};

class allocator {
  public:
    explicit allocator(const pool_config &config);

    answer map(const request &r);
    // The slots given back; 0 when no buffer begins at `address`.
    std::uint32_t unmap(std::uint64_t min_align_mask, std::uint64_t address);
    copy sync(std::uint64_t min_align_mask, std::uint64_t address, std::uint64_t size) const;
    pressure why(const request &r) const;
    void restart();

    // Counted afresh, slot by slot.
    std::uint64_t used() const;
    std::uint64_t area_used(std::uint32_t area) const;
    std::uint64_t free_segments() const;
    std::uint64_t internal_bytes() const;

    // Whether any slot in [first, first + n) is taken.
    bool taken(std::uint64_t first, std::uint64_t n) const;

    // One line a slot set: `.` free, letters by buffer, `^` under the cursors of areas.
    std::string map_text() const;

    const pool_config &config() const {
        return config_;
    }

  private:
    struct slot_state {
        std::uint64_t buffer = 0;     // number of the buffer that holds it; 0: free
        std::uint64_t orig = no_orig; // original address that belongs to this slot
        std::uint64_t left = 0;       // bytes from this slot's first byte in use to the end
        std::uint64_t wasted = 0;     // of the whole buffer, at its first slot
        std::uint32_t pad = 0;        // slots before the first one in use, at that one
        bool begins = false;          // the address given out lies in this slot
    };
    struct shape {
        std::uint64_t alloc_size, offset, orig, align;
        std::uint32_t slots;
    };
    struct search_rule {
        std::uint64_t base, zero_bits, equal_bits, orig, boundary_slots;
        std::uint32_t stride;
    };
    static constexpr std::uint64_t no_orig = ~std::uint64_t{0};

    static shape shape_of(const request &r);
    search_rule rule_of(const request &r, const shape &s) const;
    static bool aligned(const search_rule &rule, std::uint64_t slot);
    std::uint32_t free_run(std::uint32_t slot) const;
    bool search_area(std::uint32_t area, const search_rule &rule, const shape &s, answer &out,
                     std::uint32_t &found);
    bool ever_fits(const search_rule &rule, std::uint32_t slots) const;

    pool_config config_;
    std::uint32_t area_slots_;
    std::vector<slot_state> slots_;
    std::vector<std::uint32_t> cursors_;
    std::uint64_t buffers_ = 0;
};

} // namespace mirror
