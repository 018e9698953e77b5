// SPDX-License-Identifier: Apache-2.0
// The beginning of a trace's text left out: lines from before a point in time become comments, so
// that the numbers of the others stay what they are in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bouncesim {

class line_cut {
  public:
    // 0: nothing is left out.
    void set(std::uint64_t from_ns) {
        from_ns_ = from_ns;
        done_ = from_ns == 0;
    }
    bool active() const {
        return !done_ || !held_.empty();
    }

    // Takes the next bytes (none: the end) and appends to `out` what is to be read of them. The
    // lines are in the order of their times, as the kernel prints them: from the first one that is
    // late enough on, everything stays.
    void pass(const char *bytes, std::size_t length, std::string &out);

    std::uint64_t lines() const {
        return lines_;
    }

  private:
    static constexpr std::size_t longest_line = 1u << 16;

    std::uint64_t from_ns_ = 0;
    std::uint64_t lines_ = 0;
    std::string held_; // a line that has not ended yet
    bool done_ = true;
};

} // namespace bouncesim
