// SPDX-License-Identifier: Apache-2.0
// Random numbers that are the same on every machine: splitmix64 (Steele, Lea, Flood 2014).
#pragma once

#include <cstdint>

namespace bouncesim::models {

class random_numbers {
  public:
    explicit random_numbers(uint64_t seed) : state_(seed * step + 1) {}

    uint64_t next() {
        uint64_t x = state_ += step;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return x ^ x >> 31;
    }

  private:
    static constexpr uint64_t step = 0x9e3779b97f4a7c15u;
    uint64_t state_;
};

} // namespace bouncesim::models
