// SPDX-License-Identifier: Apache-2.0
// The IOMMU's cache of translations: sets of entries, found by address, in fixed memory.
#pragma once

#include "models/iommu_config.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace bouncesim::models {

// A page as the page table has it.
struct io_page {
    uint64_t phys;  // of its first byte
    uint64_t space; // sparse_memory
    uint8_t dir;    // enum bounce_dir: what devices may do
};

class iotlb {
  public:
    struct entry {
        uint64_t domain;
        uint64_t page;     // number of the page, of its own size
        uint64_t ready_ps; // its walk ends then
        uint64_t stamp;    // 0: free
        io_page to;
        bool stale; // the page was unmapped, or mapped anew, since
    };

    iotlb(uint64_t entries, uint64_t ways, iotlb_replacement replacement)
        : ways_(ways ? ways : entries), sets_(entries / ways_), replacement_(replacement),
          entries_(entries) {}

    // Counts as a use; null when it is not held.
    entry *use(uint64_t domain, uint64_t page) {
        entry *found = find(domain, page);
        if (found && replacement_ == iotlb_lru)
            found->stamp = ++clock_;
        return found;
    }
    // Takes the place of another when its set is full.
    entry &insert(uint64_t domain, uint64_t page) {
        entry *set = set_of(domain, page), *victim = set;
        for (uint64_t i = 0; i < ways_ && victim->stamp; i++)
            if (set[i].stamp < victim->stamp)
                victim = &set[i];
        if (victim->stamp && replacement_ == iotlb_random)
            victim = &set[random_() % ways_];
        *victim = {domain, page, 0, ++clock_, {}, false};
        return *victim;
    }
    void mark_stale(uint64_t domain, uint64_t page) {
        if (entry *found = find(domain, page))
            found->stale = true;
    }
    void drop(uint64_t domain, uint64_t page) {
        if (entry *found = find(domain, page))
            *found = {};
    }
    void drop_domain(uint64_t domain) {
        for (entry &each : entries_)
            if (each.stamp && each.domain == domain)
                each = {};
    }

  private:
    entry *set_of(uint64_t domain, uint64_t page) {
        return &entries_[(page + domain * 0x9e37) % sets_ * ways_];
    }
    entry *find(uint64_t domain, uint64_t page) {
        entry *set = set_of(domain, page);
        for (uint64_t i = 0; i < ways_; i++)
            if (set[i].stamp && set[i].page == page && set[i].domain == domain)
                return &set[i];
        return nullptr;
    }

    uint64_t ways_;
    uint64_t sets_;
    iotlb_replacement replacement_;
    std::vector<entry> entries_;
    uint64_t clock_ = 0;
    std::mt19937_64 random_; // always the same sequence
};

} // namespace bouncesim::models
