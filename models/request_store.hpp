// SPDX-License-Identifier: Apache-2.0
// Requests on their way, and the pieces they are mapped as. Both are numbers into arrays and given
// out again when done, so nothing is allocated for a request once the arrays have grown to what is
// under way at a time. The number of a piece is the handle of its mapping.
#pragma once

#include "operation.hpp"
#include "request_source.hpp"

#include <cstdint>
#include <vector>

namespace bouncesim::models {

enum class request_state : uint8_t {
    arriving,  // not tried yet, or waiting for a place in its hardware queue
    offered,   // a place in its hardware queue is kept for it
    held,      // found no room, waits for another try
    started,   // the device has it
    receiving, // a receive buffer: posted
};

struct request {
    uint64_t arrived_ps;
    uint64_t held_since_ps;
    uint64_t service_ps; // as recorded, or arrival::unknown
    uint64_t size;
    uint32_t first; // piece
    uint32_t last;
    uint32_t list; // first piece of those that are mapped as one list, or `none`
    uint32_t pieces;
    uint32_t buffer; // in physical_memory, or `none`
    uint32_t next;   // in the queue it stands in
    uint32_t parts;  // of a packet received: buffers it still waits for
    uint32_t packet; // of a receive buffer: whose bytes it holds, or `none`
    uint16_t device;
    uint16_t cpu;
    uint16_t done_cpu;
    uint16_t segments; // pieces of memory as the trace tells; 0: it does not
    uint8_t dir;
    request_state state;
    bool failed;
    bool counts; // its end is that of a request of the trace; not so for all but one of its parts
};

struct piece {
    uint64_t id; // of the mapping
    uint64_t address;
    uint64_t size;
    uint64_t dma_addr;
    uint64_t token;  // of the mapping, for its device: dma_extension::mapping
    uint32_t buffer; // in physical_memory that is its alone, or `none`
    uint32_t next;
    uint8_t dir;
    bool in_list;
    bool mapped;
};

template <class Item> class item_store {
  public:
    uint32_t take() {
        if (free_ == none) {
            items_.emplace_back();
            return static_cast<uint32_t>(items_.size() - 1);
        }
        uint32_t index = free_;
        free_ = items_[index].next;
        return index;
    }
    void release(uint32_t index) {
        items_[index].next = free_;
        free_ = index;
    }
    Item &operator[](uint32_t index) {
        return items_[index];
    }
    const Item &operator[](uint32_t index) const {
        return items_[index];
    }

  private:
    std::vector<Item> items_;
    uint32_t free_ = none;
};

using request_store = item_store<request>;
using piece_store = item_store<piece>;

// First in, first out, through request::next.
class request_queue {
  public:
    bool empty() const {
        return head_ == none;
    }
    uint32_t size() const {
        return size_;
    }
    uint32_t front() const {
        return head_;
    }
    void push(request_store &store, uint32_t index) {
        store[index].next = none;
        if (head_ == none)
            head_ = index;
        else
            store[tail_].next = index;
        tail_ = index;
        size_++;
    }
    uint32_t pop(request_store &store) {
        uint32_t index = head_;
        head_ = store[index].next;
        size_--;
        return index;
    }

  private:
    uint32_t head_ = none;
    uint32_t tail_ = none;
    uint32_t size_ = 0;
};

} // namespace bouncesim::models
