// SPDX-License-Identifier: Apache-2.0
#include "models/service_times.hpp"

#include "histogram.hpp"

namespace bouncesim::models {
namespace {

constexpr unsigned quantiles = 1000;
constexpr uint64_t enough = 8; // times of a size, to draw from them

unsigned power_of(uint64_t bytes) {
    return bytes ? 64 - static_cast<unsigned>(__builtin_clzll(bytes)) : 0;
}

} // namespace

service_times::service_times() = default;
service_times::service_times(service_times &&) noexcept = default;
service_times &service_times::operator=(service_times &&) noexcept = default;
service_times::~service_times() = default;

void service_times::add(bool write, uint64_t bytes, uint64_t ns) {
    std::unique_ptr<histogram> &times = seen_[{write, power_of(bytes)}];
    if (!times)
        times = std::make_unique<histogram>();
    times->add(ns);
}

void service_times::settle() {
    uint64_t most = 0;
    for (const auto &[which, times] : seen_)
        most = std::max(most, times->count());
    for (const auto &[which, times] : seen_) {
        if (times->count() < std::min(enough, most))
            continue;
        std::vector<uint64_t> &row = quantiles_[which];
        for (unsigned i = 0; i < quantiles; i++)
            row.push_back(times->percentile(i + 1));
    }
    seen_.clear();
}

const std::vector<uint64_t> *service_times::nearest(bool write, unsigned power) const {
    const std::vector<uint64_t> *found = nullptr;
    unsigned least = ~0u;
    for (const auto &[which, row] : quantiles_) {
        unsigned away = which.second > power ? which.second - power : power - which.second;
        away += which.first == write ? 0 : 128; // only where there is no other
        if (away < least) {
            least = away;
            found = &row;
        }
    }
    return found;
}

uint64_t service_times::draw(bool write, uint64_t bytes, uint64_t random) const {
    unsigned power = power_of(bytes);
    auto same = quantiles_.find({write, power});
    const std::vector<uint64_t> *row =
        same == quantiles_.end() ? nearest(write, power) : &same->second;
    return row ? (*row)[random % quantiles] : 0;
}

} // namespace bouncesim::models
