// SPDX-License-Identifier: Apache-2.0
// Addresses for the devices of one domain: from the top of what a device reaches downwards, with a
// cache for each CPU and size in front, as Linux has it (drivers/iommu/iova.c of 6.12.117).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace bouncesim::models {

enum class iova_source : uint8_t { cache, tree, large, failed };

class iova_allocator {
  public:
    // Numbers of pages up to this are rounded up to a power of two and cached.
    static constexpr uint64_t cached_pages = 32;
    static constexpr uint64_t magazine = 127; // a CPU keeps two of them of each size

    // Addresses lie below `limit`, inclusive, and below 2^48.
    iova_allocator(unsigned page_shift, uint64_t limit);

    // An address of `pages` pages, aligned to their number rounded up to a power of two; 0 when
    // there is none. Page 0 is never given out.
    uint64_t allocate(uint32_t cpu, uint64_t pages, iova_source &from);
    void free(uint32_t cpu, uint64_t address, uint64_t pages);

  private:
    static constexpr unsigned classes = 6;

    uint64_t carve(uint64_t pages);

    struct cpu_cache {
        std::vector<uint64_t> addresses[classes];
    };
    unsigned shift_;
    uint64_t bottom_; // everything from here up was given out once
    std::vector<cpu_cache> cpus_;
    std::vector<uint64_t> depot_[classes];            // what the CPUs' caches do not hold
    std::map<uint64_t, std::vector<uint64_t>> large_; // by pages: freed, not cached
};

} // namespace bouncesim::models
