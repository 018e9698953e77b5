// SPDX-License-Identifier: Apache-2.0
// What a buffer holds, without its bytes: ranges, each with the pattern that was written there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bouncesim::models {

// Byte `offset` of a pattern (little-endian machines). Patterns of different keys differ nearly
// everywhere.
inline uint64_t pattern_word(uint64_t key, uint64_t word) {
    uint64_t x = key + word * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 27);
}
inline uint8_t pattern_byte(uint64_t key, uint64_t offset) {
    return static_cast<uint8_t>(pattern_word(key, offset / 8) >> (8 * (offset % 8)));
}

class byte_runs {
  public:
    void reset(uint64_t size, uint64_t key) {
        runs_.clear();
        runs_.push_back({size, key});
    }

    void assign(uint64_t begin, uint64_t end, uint64_t key) {
        uint64_t at = 0;
        bool placed = false;
        if (begin >= end)
            return;
        made_.clear();
        for (const run &old : runs_) {
            append(std::min(old.end, begin), old.key);
            if (old.end > end) {
                if (!placed)
                    append(end, key);
                placed = true;
                append(old.end, old.key);
            }
            at = old.end;
        }
        if (!placed)
            append(std::min(end, at), key);
        runs_.swap(made_);
    }

    // What `from` holds there is here too.
    void copy(const byte_runs &from, uint64_t begin, uint64_t end) {
        uint64_t at = 0;
        for (const run &other : from.runs_) {
            assign(std::max(begin, at), std::min(end, other.end), other.key);
            at = other.end;
        }
    }

    // The bytes [begin, end), which lie within the buffer.
    void write(uint64_t begin, uint64_t end, uint8_t *to) const {
        uint64_t at = begin;
        for (const run &each : runs_)
            for (uint64_t last = std::min(each.end, end); at < last;) {
                uint64_t word = pattern_word(each.key, at / 8);
                if (at % 8 == 0 && last - at >= 8) {
                    std::memcpy(to, &word, 8);
                    to += 8;
                    at += 8;
                    continue;
                }
                uint64_t piece = std::min(8 - at % 8, last - at);
                word >>= 8 * (at % 8);
                for (uint64_t i = 0; i < piece; i++, word >>= 8)
                    *to++ = static_cast<uint8_t>(word);
                at += piece;
            }
    }

    std::size_t count() const {
        return runs_.size();
    }

  private:
    struct run {
        uint64_t end;
        uint64_t key;
    };

    void append(uint64_t end, uint64_t key) {
        uint64_t begin = made_.empty() ? 0 : made_.back().end;
        if (end <= begin)
            return;
        if (!made_.empty() && made_.back().key == key)
            made_.back().end = end;
        else
            made_.push_back({end, key});
    }

    std::vector<run> runs_; // from 0 to the buffer's size, without gaps
    std::vector<run> made_; // scratch
};

} // namespace bouncesim::models
