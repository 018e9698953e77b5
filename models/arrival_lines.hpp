// SPDX-License-Identifier: Apache-2.0
// Requests that are to come once others of their device have ended: a line for each device, in the
// trace's order. Nothing is allocated once the lines have been as long as they get.
#pragma once

#include "request_source.hpp"
#include "request_store.hpp"

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class arrival_lines {
  public:
    struct entry {
        arrival request;
        uint64_t left;   // bytes of it that have not come yet
        uint64_t number; // in the order of the trace
        uint32_t next;
    };

    uint32_t size() const { // of all lines
        return size_;
    }
    bool empty(uint32_t device) const {
        return device >= lines_.size() || lines_[device].head == none;
    }
    // Whether the first of the line waits for a known time only.
    bool &ready(uint32_t device) {
        return lines_[device].ready;
    }
    entry &front(uint32_t device) {
        return entries_[lines_[device].head];
    }
    void push(const arrival &request, uint64_t left) {
        uint32_t index = entries_.take();
        entries_[index] = {request, left, count_++, none};
        if (request.device >= lines_.size())
            lines_.resize(std::size_t{request.device} + 1);
        line &to = lines_[request.device];
        (to.head == none ? to.head : entries_[to.tail].next) = index;
        to.tail = index;
        size_++;
    }
    void pop(uint32_t device) {
        uint32_t index = lines_[device].head;
        lines_[device].head = entries_[index].next;
        entries_.release(index);
        size_--;
    }

  private:
    struct line {
        uint32_t head = none;
        uint32_t tail = none;
        bool ready = false;
    };

    item_store<entry> entries_;
    std::vector<line> lines_; // by device
    uint64_t count_ = 0;
    uint32_t size_ = 0;
};

} // namespace bouncesim::models
