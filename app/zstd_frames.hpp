// SPDX-License-Identifier: Apache-2.0
// Whether a zstd stream is complete: the decompressor of Boost.Iostreams does not say when its
// input ends within a frame. Layout: RFC 8878, section 3.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bouncesim {

class zstd_frames {
  public:
    // The next bytes of the compressed stream.
    void add(const char *bytes, std::size_t count);
    // What was added ends where a frame ends. Also true when it is no zstd stream at all: the
    // decompressor says so.
    bool whole() const {
        return state_ == state::lost || (state_ == state::magic && head_.empty() && !skip_);
    }

  private:
    enum class state : std::uint8_t { magic, skippable, descriptor, block, lost };
    void take_head();

    state state_ = state::magic;
    std::string head_;       // of what the state wants
    std::size_t wanted_ = 4; // bytes of it
    std::uint64_t skip_ = 0; // bytes that say nothing
    bool checksum_ = false;  // behind the last block
};

} // namespace bouncesim
