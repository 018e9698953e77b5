// SPDX-License-Identifier: Apache-2.0
// Puts in order of time what an engine tells a little ahead of itself. Equal times stay in the
// order in which they came.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim {

template <class Item> class time_order {
  public:
    void push(std::uint64_t time, const Item &item) {
        heap_.push_back({time, count_++, item});
        std::push_heap(heap_.begin(), heap_.end());
    }
    // Gives those before `time` to `each(time, item)`; none as early will be pushed any more.
    template <class Each> void take_before(std::uint64_t time, const Each &each) {
        while (!heap_.empty() && heap_.front().time < time) {
            entry first = heap_.front();
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.pop_back();
            each(first.time, first.item);
        }
    }

  private:
    struct entry {
        std::uint64_t time;
        std::uint64_t order;
        Item item;
        bool operator<(const entry &other) const { // for a heap with the earliest on top
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    std::vector<entry> heap_;
    std::uint64_t count_ = 0;
};

} // namespace bouncesim
