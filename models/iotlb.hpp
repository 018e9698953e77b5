// SPDX-License-Identifier: Apache-2.0
// The IOMMU's cache of translations: sets of entries in fixed memory. Whatever the number of ways,
// an entry is found through a hash table, and each set is a list from the entry that goes first to
// the one that goes last: all but drop_domain() take constant time.
#pragma once

#include "io_page_table.hpp"
#include "models/iommu_config.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace bouncesim::models {

class iotlb {
  public:
    struct entry {
        uint64_t page;     // number of the page, of its own size
        uint64_t ready_ps; // its walk ends then
        io_page to;
        uint32_t domain;
        bool used;

      private:
        friend class iotlb;
        uint32_t before, after; // in the list of its set
        uint32_t next;          // in its bucket of the hash table
    };

    // `ways`: of a set, 0 for all of them, or a divisor of `entries`.
    iotlb(uint64_t entries, uint64_t ways, iotlb_replacement replacement)
        : ways_(static_cast<uint32_t>(ways ? ways : entries)),
          sets_(static_cast<uint32_t>(entries / ways_)), replacement_(replacement),
          entries_(entries), lists_(sets_) {
        unsigned bits = 1;
        while (UINT64_C(1) << bits < 2 * entries)
            bits++;
        buckets_.assign(std::size_t{1} << bits, nothing);
        hash_shift_ = 64 - bits;
        for (uint32_t set = 0; set < sets_; set++) {
            lists_[set] = {nothing, nothing, set * ways_};
            for (uint32_t i = 0; i < ways_; i++)
                append(lists_[set], set * ways_ + i);
        }
    }

    // How many entries are in use.
    uint64_t size() const {
        return used_;
    }

    // Counts as a use; null when it is not held.
    entry *use(uint32_t domain, uint64_t page) {
        uint32_t found = find(domain, page);
        if (found == nothing)
            return nullptr;
        if (replacement_ == iotlb_lru)
            make_last(found);
        return &entries_[found];
    }
    // Takes the place of another when its set is full. It is not held yet.
    entry &insert(uint32_t domain, uint64_t page) {
        set_list &set = lists_[set_of(domain, page)];
        uint32_t index =
            replacement_ == iotlb_random ? any_of(set, set_of(domain, page) * ways_) : set.first;
        entry &made = entries_[index];
        if (made.used)
            unhash(index);
        else
            used_++;
        made.page = page;
        made.ready_ps = 0;
        made.domain = domain;
        made.used = true;
        uint32_t &bucket = buckets_[bucket_of(domain, page)];
        made.next = bucket;
        bucket = index;
        make_last(index);
        return made;
    }
    void drop(uint32_t domain, uint64_t page) {
        if (uint32_t found = find(domain, page); found != nothing)
            free(found);
    }
    void drop_domain(uint32_t domain) {
        for (uint32_t i = 0; i < entries_.size(); i++)
            if (entries_[i].used && entries_[i].domain == domain)
                free(i);
    }

  private:
    static constexpr uint32_t nothing = UINT32_MAX;

    // What is free stands in front.
    struct set_list {
        uint32_t first, last;
        uint32_t free; // no entry of the set before this is free
    };

    uint32_t set_of(uint32_t domain, uint64_t page) const {
        return sets_ == 1 ? 0 : static_cast<uint32_t>((page + domain * UINT64_C(0x9e37)) % sets_);
    }
    std::size_t bucket_of(uint32_t domain, uint64_t page) const {
        return (page ^ UINT64_C(0x9e3779b97f4a7c15) * domain) * UINT64_C(0xbf58476d1ce4e5b9) >>
               hash_shift_;
    }
    uint32_t find(uint32_t domain, uint64_t page) const {
        uint32_t index = buckets_[bucket_of(domain, page)];
        while (index != nothing &&
               (entries_[index].page != page || entries_[index].domain != domain))
            index = entries_[index].next;
        return index;
    }
    // The first that is free, or any.
    uint32_t any_of(set_list &set, uint32_t begin) {
        for (uint32_t end = begin + ways_; set.free < end; set.free++)
            if (!entries_[set.free].used)
                return set.free;
        return begin + static_cast<uint32_t>(random_() % ways_);
    }
    void unhash(uint32_t index) {
        uint32_t *link = &buckets_[bucket_of(entries_[index].domain, entries_[index].page)];
        while (*link != index)
            link = &entries_[*link].next;
        *link = entries_[index].next;
    }
    void free(uint32_t index) {
        set_list &set = lists_[index / ways_];
        unhash(index);
        entries_[index].used = false;
        used_--;
        set.free = index < set.free ? index : set.free;
        unlink(set, index);
        prepend(set, index);
    }

    void make_last(uint32_t index) {
        set_list &set = lists_[sets_ == 1 ? 0 : index / ways_];
        if (set.last == index)
            return;
        unlink(set, index);
        append(set, index);
    }
    void unlink(set_list &set, uint32_t index) {
        const entry &out = entries_[index];
        (out.before == nothing ? set.first : entries_[out.before].after) = out.after;
        (out.after == nothing ? set.last : entries_[out.after].before) = out.before;
    }
    void append(set_list &set, uint32_t index) {
        entries_[index].before = set.last;
        entries_[index].after = nothing;
        (set.last == nothing ? set.first : entries_[set.last].after) = index;
        set.last = index;
    }
    void prepend(set_list &set, uint32_t index) {
        entries_[index].before = nothing;
        entries_[index].after = set.first;
        (set.first == nothing ? set.last : entries_[set.first].before) = index;
        set.first = index;
    }

    uint32_t ways_;
    uint32_t sets_;
    iotlb_replacement replacement_;
    std::vector<entry> entries_;
    std::vector<set_list> lists_;   // by set
    std::vector<uint32_t> buckets_; // a power of two: first entry of each
    unsigned hash_shift_;
    uint64_t used_ = 0;
    std::mt19937_64 random_; // always the same sequence
};

} // namespace bouncesim::models
