// SPDX-License-Identifier: Apache-2.0
// A mapping event on its way through the models, and the fixed store that such operations live in.
#pragma once

#include "bounce/event.h"

#include <systemc>

#include <cstdint>
#include <memory>

namespace bouncesim::models {

constexpr uint32_t none = UINT32_MAX;

struct alignas(64) operation {
    bounce_event event;    // handle and list renamed by the mapping table
    uint64_t recorded_ps;  // when the trace says it began
    uint32_t trace_handle; // handle and list as recorded, for the hooks
    uint32_t trace_list;
    uint32_t group; // what it waits with: its own handle, or that of its scatter list's first entry
    uint32_t ticket; // its place among the operations of the group
    uint32_t cpu;    // of the model
    uint32_t next;   // in the queue it stands in
};

// Operations are numbers into one array, given out again when done: the one last freed first, as
// it is still in the cache. Untouched memory stays untouched.
class operation_pool {
  public:
    explicit operation_pool(uint32_t capacity)
        : capacity_(capacity), items_(new operation[capacity]) {}

    bool has_room() const {
        return free_ != none || used_ < capacity_;
    }
    uint32_t take() {
        live_++;
        if (free_ == none)
            return used_++;
        uint32_t index = free_;
        free_ = items_[index].next;
        return index;
    }
    void release(uint32_t index) {
        live_--;
        items_[index].next = free_;
        free_ = index;
        if (wanted) {
            wanted = false;
            released.notify(sc_core::SC_ZERO_TIME);
        }
    }
    operation &operator[](uint32_t index) {
        return items_[index];
    }
    // It will be looked at soon. Of many that wait the next one is in no cache any more.
    void prefetch(uint32_t index) const {
        if (index == none)
            return;
        const char *item = reinterpret_cast<const char *>(&items_[index]);
        for (std::size_t at = 0; at < sizeof(operation); at += 64)
            __builtin_prefetch(item + at, 1);
    }
    uint32_t live() const {
        return live_;
    }

    bool wanted = false; // somebody waits for the next release
    sc_core::sc_event released;

  private:
    uint32_t capacity_;
    std::unique_ptr<operation[]> items_;
    uint32_t used_ = 0;
    uint32_t free_ = none;
    uint32_t live_ = 0;
};

// First in, first out, through operation::next.
class operation_queue {
  public:
    bool empty() const {
        return head_ == none;
    }
    void push(operation_pool &pool, uint32_t index) {
        pool[index].next = none;
        if (head_ == none)
            head_ = index;
        else
            pool[tail_].next = index;
        tail_ = index;
    }
    uint32_t pop(operation_pool &pool) {
        uint32_t index = head_;
        head_ = pool[index].next;
        if (head_ != none)
            pool.prefetch(pool[head_].next);
        return index;
    }
    // The first, or `none`.
    uint32_t front() const {
        return head_;
    }

  private:
    uint32_t head_ = none;
    uint32_t tail_ = none;
};

} // namespace bouncesim::models
