// SPDX-License-Identifier: Apache-2.0
// The page tables of all domains. Granules stand in leaves of 64, so that a run of them is entered,
// found and taken out at the cost of one look-up; pages of 2 MiB have a table of their own.
#pragma once

#include "flat_map.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

// A page as the page table has it.
struct io_page {
    uint64_t phys;  // of its first byte
    uint64_t space; // sparse_memory
    uint8_t dir;    // enum bounce_dir: what devices may do
    // Which call of the table's entered it, modulo 2^32: tells it from a later one in its place.
    uint32_t entered = 0;
};

// Pages are named by their number, of their own size. Memory: 1.5 KiB a leaf, as many as had pages
// in them at a time.
class io_page_table {
  public:
    explicit io_page_table(uint64_t granule) : granule_(granule) {}

    // Pages of both sizes.
    uint64_t size() const {
        return small_ + huge_.size();
    }
    bool has_huge() const {
        return huge_.size() != 0;
    }

    // `count` granules from `first` on, of which `to` says where the first one is; what was there
    // is replaced. Amortised O(count).
    void map(uint32_t domain, uint64_t first, uint64_t count, io_page to) {
        to.entered = ++entered_;
        while (count) {
            uint64_t begin = first % leaf_pages, pages = std::min(count, leaf_pages - begin);
            leaf &into = make_leaf(domain, first / leaf_pages);
            small_ += pages - present_in(into, begin, pages);
            into.present |= run_of(begin, pages);
            for (uint64_t i = begin; i < begin + pages; i++, to.phys += granule_)
                into.pages[i] = to;
            first += pages;
            count -= pages;
        }
    }
    // Those of them that are there are not any more. O(count / 64).
    void unmap(uint32_t domain, uint64_t first, uint64_t count) {
        while (count) {
            uint64_t begin = first % leaf_pages, pages = std::min(count, leaf_pages - begin);
            uint32_t index = leaf_of(domain, first / leaf_pages);
            if (index != nothing) {
                leaf &from = leaves_[index];
                small_ -= present_in(from, begin, pages);
                from.present &= ~run_of(begin, pages);
                if (!from.present)
                    release(domain, first / leaf_pages, index);
            }
            first += pages;
            count -= pages;
        }
    }
    // Null when it is not there; valid until the next call of anything else.
    const io_page *find(uint32_t domain, uint64_t page) const {
        uint32_t index = leaf_of(domain, page / leaf_pages);
        if (index == nothing || !(leaves_[index].present >> page % leaf_pages & 1))
            return nullptr;
        return &leaves_[index].pages[page % leaf_pages];
    }

    void map_huge(uint32_t domain, uint64_t page, io_page to) {
        to.entered = ++entered_;
        huge_[{domain, page}] = to;
    }
    // Whether it was there.
    bool unmap_huge(uint32_t domain, uint64_t page) {
        return has_huge() && huge_.erase({domain, page});
    }
    const io_page *find_huge(uint32_t domain, uint64_t page) const {
        return has_huge() ? huge_.find({domain, page}) : nullptr;
    }

  private:
    static constexpr uint64_t leaf_pages = 64;
    static constexpr uint32_t nothing = UINT32_MAX;

    struct leaf {
        uint64_t present = 0; // a bit a page
        io_page pages[leaf_pages];
    };

    static uint64_t run_of(uint64_t begin, uint64_t pages) {
        return (pages == leaf_pages ? ~UINT64_C(0) : (UINT64_C(1) << pages) - 1) << begin;
    }
    // All of them or none, mostly, and bits are not counted.
    static uint64_t present_in(const leaf &of, uint64_t begin, uint64_t pages) {
        uint64_t run = run_of(begin, pages), there = of.present & run;
        return there == run ? pages
               : there      ? static_cast<uint64_t>(__builtin_popcountll(there))
                            : 0;
    }
    // Transfers and unmaps go through the pages of a leaf one after the other.
    uint32_t leaf_of(uint32_t domain, uint64_t number) const {
        if (last_ != nothing && last_domain_ == domain && last_number_ == number)
            return last_;
        const uint32_t *found = by_number_.find({domain, number});
        if (!found)
            return nothing;
        last_domain_ = domain;
        last_number_ = number;
        return last_ = *found;
    }
    leaf &make_leaf(uint32_t domain, uint64_t number) {
        uint32_t index = leaf_of(domain, number);
        if (index != nothing)
            return leaves_[index];
        if (free_.empty()) {
            free_.push_back(static_cast<uint32_t>(leaves_.size()));
            leaves_.emplace_back();
        }
        by_number_[{domain, number}] = index = free_.back();
        free_.pop_back();
        return leaves_[index];
    }
    void release(uint32_t domain, uint64_t number, uint32_t index) {
        by_number_.erase({domain, number});
        free_.push_back(index);
        last_ = nothing;
    }

    uint64_t granule_;
    flat_map<uint32_t> by_number_; // of a leaf: its place in leaves_
    std::vector<leaf> leaves_;
    std::vector<uint32_t> free_; // of leaves_, without a page in them
    uint64_t small_ = 0;         // granules in all of them
    uint32_t entered_ = 0;       // calls of map() and map_huge()
    flat_map<io_page> huge_;
    mutable uint32_t last_ = nothing; // leaf that leaf_of() found last, and what it was asked for
    mutable uint32_t last_domain_ = 0;
    mutable uint64_t last_number_ = 0;
};

} // namespace bouncesim::models
