// SPDX-License-Identifier: Apache-2.0
// How long a device took for requests, by direction and size, to draw from again: fixed memory for
// any number of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace bouncesim::models {

class histogram;

class service_times {
  public:
    service_times();
    service_times(service_times &&) noexcept;
    service_times &operator=(service_times &&) noexcept;
    ~service_times();

    void add(bool write, uint64_t bytes, uint64_t ns);
    // After the last add(), before the first draw().
    void settle();

    // One of the times of requests about as large: of the same power of two, or of the nearest one
    // of which there were enough to tell; of the other direction where this one has none. `random`
    // says which. 0 when nothing was added. O(sizes).
    uint64_t draw(bool write, uint64_t bytes, uint64_t random) const;

  private:
    using key = std::pair<bool, unsigned>; // write, power of two
    const std::vector<uint64_t> *nearest(bool write, unsigned power) const;

    std::map<key, std::unique_ptr<histogram>> seen_;
    std::map<key, std::vector<uint64_t>> quantiles_;
};

} // namespace bouncesim::models
