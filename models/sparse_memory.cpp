// SPDX-License-Identifier: Apache-2.0
#include "sparse_memory.hpp"

#include <algorithm>
#include <cstring>

namespace bouncesim::models {

template <class Body>
uint64_t sparse_memory::each(uint64_t space, uint64_t address, uint64_t bytes,
                             const Body &body) const {
    uint64_t there = 0;
    for (uint64_t done = 0; done < bytes;) {
        uint64_t offset = (address + done) % page_bytes;
        uint64_t piece = std::min(bytes - done, page_bytes - offset);
        const page *found = pages_.find({space, (address + done) / page_bytes});
        body(found, offset, done, piece);
        there += found ? piece : 0;
        done += piece;
    }
    return there;
}

void sparse_memory::hold(uint64_t space, uint64_t address, uint64_t bytes) {
    if (!bytes)
        return;
    for (uint64_t n = address / page_bytes; n <= (address + bytes - 1) / page_bytes; n++) {
        page &held = pages_[{space, n}];
        if (held.holders++)
            continue;
        if (free_.empty()) {
            blocks_.push_back(std::make_unique<uint8_t[]>(page_bytes));
            free_.push_back(blocks_.back().get());
        }
        held.bytes = free_.back();
        free_.pop_back();
        std::memset(held.bytes, poison, page_bytes);
    }
}

void sparse_memory::release(uint64_t space, uint64_t address, uint64_t bytes) {
    if (!bytes)
        return;
    for (uint64_t n = address / page_bytes; n <= (address + bytes - 1) / page_bytes; n++) {
        page *held = pages_.find({space, n});
        if (!held || --held->holders)
            continue;
        free_.push_back(held->bytes);
        pages_.erase({space, n});
    }
}

uint64_t sparse_memory::read(uint64_t space, uint64_t address, void *to, uint64_t bytes) const {
    return each(space, address, bytes,
                [to](const page *from, uint64_t offset, uint64_t done, uint64_t piece) {
                    uint8_t *out = static_cast<uint8_t *>(to) + done;
                    if (from)
                        std::memcpy(out, from->bytes + offset, piece);
                    else
                        std::memset(out, poison, piece);
                });
}

uint64_t sparse_memory::write(uint64_t space, uint64_t address, const void *from, uint64_t bytes) {
    return each(space, address, bytes,
                [from](const page *to, uint64_t offset, uint64_t done, uint64_t piece) {
                    if (to)
                        std::memcpy(to->bytes + offset, static_cast<const uint8_t *>(from) + done,
                                    piece);
                });
}

uint64_t sparse_memory::fill(uint64_t space, uint64_t address, uint8_t byte, uint64_t bytes) {
    return each(space, address, bytes,
                [byte](const page *to, uint64_t offset, uint64_t, uint64_t piece) {
                    if (to)
                        std::memset(to->bytes + offset, byte, piece);
                });
}

} // namespace bouncesim::models
