// SPDX-License-Identifier: Apache-2.0
// Memory that holds real bytes, of the pages that somebody holds and of no others. Spaces keep
// apart what a trace shows at one address though it was not there at one time: 0 is the machine's
// memory, others are what their users make of them.
#pragma once

#include "flat_map.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace bouncesim::models {

class sparse_memory {
  public:
    static constexpr uint64_t page_bytes = 4096;
    // What a page holds when it is new, and what is read where there is none.
    static constexpr uint8_t poison = 0xa5;

    // The pages that [address, address + bytes) touches are there until each hold was released.
    void hold(uint64_t space, uint64_t address, uint64_t bytes);
    void release(uint64_t space, uint64_t address, uint64_t bytes);

    // Bytes of pages that nobody holds are lost, or read as `poison`. Both return how many bytes
    // of the range were there.
    uint64_t read(uint64_t space, uint64_t address, void *to, uint64_t bytes) const;
    uint64_t write(uint64_t space, uint64_t address, const void *from, uint64_t bytes);
    // The same byte all over.
    uint64_t fill(uint64_t space, uint64_t address, uint8_t byte, uint64_t bytes);

    uint64_t pages() const {
        return pages_.size();
    }
    uint64_t pages_hiwater() const {
        return blocks_.size();
    }

  private:
    struct page {
        uint8_t *bytes = nullptr;
        uint32_t holders = 0;
    };
    // Calls body(page, offset in it, offset in the range, bytes) for each piece; page may be null.
    template <class Body>
    uint64_t each(uint64_t space, uint64_t address, uint64_t bytes, const Body &body) const;

    flat_map<page> pages_;
    std::vector<std::unique_ptr<uint8_t[]>> blocks_; // all pages ever made
    std::vector<uint8_t *> free_;
};

} // namespace bouncesim::models
