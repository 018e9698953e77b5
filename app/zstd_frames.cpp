// SPDX-License-Identifier: Apache-2.0
#include "zstd_frames.hpp"

#include <algorithm>

namespace bouncesim {
namespace {

std::uint32_t little(const std::string &bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); i++)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
    return value;
}

} // namespace

void zstd_frames::take_head() {
    std::uint32_t value = little(head_);
    head_.clear();
    switch (state_) {
    case state::magic:
        if (value == 0xfd2fb528) {
            state_ = state::descriptor;
            wanted_ = 1;
        } else {
            state_ = (value & 0xfffffff0) == 0x184d2a50 ? state::skippable : state::lost;
        }
        return;
    case state::skippable:
        skip_ = value;
        state_ = state::magic;
        return;
    case state::descriptor: {
        static constexpr unsigned dictionary_id[] = {0, 1, 2, 4}, content_size[] = {0, 2, 4, 8};
        bool single_segment = value & 0x20;
        checksum_ = value & 4;
        skip_ = dictionary_id[value & 3] + content_size[value >> 6] +
                (single_segment ? (value >> 6 ? 0 : 1) : 1);
        state_ = state::block;
        wanted_ = 3;
        return;
    }
    case state::block:
        switch (value >> 1 & 3) {
        case 1: // one byte, repeated
            skip_ = 1;
            break;
        case 3:
            state_ = state::lost;
            return;
        default:
            skip_ = value >> 3;
        }
        if (value & 1) {
            skip_ += checksum_ ? 4 : 0;
            state_ = state::magic;
            wanted_ = 4;
        }
        return;
    case state::lost:
        return;
    }
}

void zstd_frames::add(const char *bytes, std::size_t count) {
    while (count && state_ != state::lost) {
        std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(count, skip_));
        skip_ -= n;
        if (!n) {
            n = std::min(count, wanted_ - head_.size());
            head_.append(bytes, n);
        }
        bytes += n;
        count -= n;
        if (head_.size() == wanted_)
            take_head();
    }
}

} // namespace bouncesim
