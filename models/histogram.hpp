// SPDX-License-Identifier: Apache-2.0
// Percentiles of times in fixed memory: 128 steps in each power of two, so a value is known to
// within 0.8 %; the mean and the largest are exact.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace bouncesim::models {

class histogram {
  public:
    void add(uint64_t value) {
        counts_[index(value)]++;
        count_++;
        sum_ += static_cast<double>(value);
        max_ = std::max(max_, value);
    }

    uint64_t count() const {
        return count_;
    }
    uint64_t max() const {
        return max_;
    }
    double mean() const {
        return count_ ? sum_ / static_cast<double>(count_) : 0;
    }

    // The smallest value that at least `per_mille` thousandths of all do not exceed: the upper end
    // of its step, but never above the largest value seen. 0 when nothing was added.
    uint64_t percentile(uint64_t per_mille) const {
        uint64_t wanted = count_ / 1000 * per_mille + (count_ % 1000 * per_mille + 999) / 1000;
        uint64_t seen = 0;
        for (uint32_t i = 0; i < counts_.size(); i++) {
            seen += counts_[i];
            if (seen >= wanted && seen)
                return std::min(highest(i), max_);
        }
        return 0;
    }

  private:
    static constexpr uint32_t bits = 7, steps = 1u << bits;

    static uint32_t index(uint64_t value) {
        if (value < steps)
            return static_cast<uint32_t>(value);
        uint32_t shift = 63 - static_cast<uint32_t>(__builtin_clzll(value)) - bits;
        return (shift + 1) * steps + (static_cast<uint32_t>(value >> shift) - steps);
    }
    static uint64_t highest(uint32_t i) {
        if (i < steps)
            return i;
        uint32_t shift = i / steps - 1;
        uint64_t step = i % steps + steps;
        return (step << shift) + ((uint64_t{1} << shift) - 1);
    }

    std::array<uint64_t, (64 - bits + 1) *steps> counts_ = {};
    uint64_t count_ = 0;
    uint64_t max_ = 0;
    double sum_ = 0;
};

} // namespace bouncesim::models
