// SPDX-License-Identifier: Apache-2.0
#include "lifetimes.hpp"

#include <limits>

namespace bouncesim {

std::uint32_t lifetimes::step_of(std::uint64_t value) {
    if (value < steps)
        return static_cast<std::uint32_t>(value);
    std::uint32_t shift = 63 - static_cast<std::uint32_t>(__builtin_clzll(value)) - bits;
    return shift * steps + static_cast<std::uint32_t>(value >> shift);
}

std::uint64_t lifetimes::begin_of(std::uint32_t step) {
    if (step < 2 * steps)
        return step;
    std::uint32_t shift = step / steps - 1;
    if (shift + bits >= 64)
        return std::numeric_limits<std::uint64_t>::max();
    return std::uint64_t{step % steps + steps} << shift;
}

void lifetimes::taken(const bounce_event &event, const bounce_map_result &result) {
    if (event.kind == BOUNCE_EVENT_MAP)
        mapped_ns_[result.tlb_addr] = event.time_ns;
}

void lifetimes::freed(const bounce_mapping &mapping) {
    auto found = mapped_ns_.find(mapping.dma_addr);
    if (found == mapped_ns_.end())
        return;
    ended_.push_back(found->second);
    mapped_ns_.erase(found);
}

void lifetimes::happened(const bounce_event &event) {
    if (event.kind == BOUNCE_EVENT_RESTART)
        mapped_ns_.clear();
    if (event.kind == BOUNCE_EVENT_UNMAP)
        for (std::uint64_t since : ended_)
            counts_[step_of(event.time_ns > since ? event.time_ns - since : 0)]++;
    ended_.clear();
}

std::string lifetimes::text() const {
    std::string out = "at_least_ns,below_ns,maps\n";
    for (std::uint32_t step = 0; step < counts_.size(); step++)
        if (counts_[step])
            out += std::to_string(begin_of(step)) + ',' + std::to_string(begin_of(step + 1)) + ',' +
                   std::to_string(counts_[step]) + '\n';
    return out;
}

} // namespace bouncesim
