// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace kernel_test {

// SplitMix64: the standard's distributions differ between libraries.
class random_source {
  public:
    explicit random_source(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    std::uint64_t below(std::uint64_t end) {
        return next() % end;
    }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) {
        return low + below(high - low + 1);
    }
    double real(double low = 0, double high = 1) {
        return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
    }
    bool chance(double share) {
        return real() < share;
    }
    template <typename T> T one_of(std::initializer_list<T> list) {
        return list.begin()[below(list.size())];
    }
    // 2 to a power between two: as many small ones as large ones.
    std::uint64_t log_uniform(double low, double high) {
        return static_cast<std::uint64_t>(std::llround(std::exp2(real(low, high))));
    }

  private:
    std::uint64_t state_;
};

} // namespace kernel_test
