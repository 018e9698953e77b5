// SPDX-License-Identifier: Apache-2.0
#include "iova_allocator.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t top = (UINT64_C(1) << 48) - 1;

uint64_t power_of_two(uint64_t pages) {
    return pages <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(pages - 1));
}

uint64_t pop(std::vector<uint64_t> &list) {
    if (list.empty())
        return 0;
    uint64_t address = list.back();
    list.pop_back();
    return address;
}

} // namespace

iova_allocator::iova_allocator(unsigned page_shift, uint64_t limit)
    : shift_(page_shift), bottom_((std::min(limit, top) + 1) >> page_shift << page_shift) {}

uint64_t iova_allocator::carve(uint64_t pages) {
    uint64_t align = power_of_two(pages);
    uint64_t bottom = bottom_ >> shift_;
    if (pages >= bottom)
        return 0;
    uint64_t at = (bottom - pages) / align * align;
    if (!at)
        return 0;
    bottom_ = at << shift_;
    return bottom_;
}

uint64_t iova_allocator::allocate(uint32_t cpu, uint64_t pages, iova_source &from) {
    uint64_t address;
    if (pages > cached_pages) {
        from = iova_source::large;
        auto freed = large_.find(pages);
        address = freed == large_.end() ? 0 : pop(freed->second);
    } else {
        pages = power_of_two(pages);
        unsigned kind = static_cast<unsigned>(__builtin_ctzll(pages));
        from = iova_source::cache;
        address = cpu < cpus_.size() ? pop(cpus_[cpu].addresses[kind]) : 0;
        if (!address)
            address = pop(depot_[kind]);
        if (!address)
            from = iova_source::tree;
    }
    if (!address)
        address = carve(pages);
    if (!address)
        from = iova_source::failed;
    return address;
}

void iova_allocator::free(uint32_t cpu, uint64_t address, uint64_t pages) {
    if (pages > cached_pages) {
        large_[pages].push_back(address);
        return;
    }
    unsigned kind = static_cast<unsigned>(__builtin_ctzll(power_of_two(pages)));
    if (cpu >= cpus_.size())
        cpus_.resize(cpu + 1);
    std::vector<uint64_t> &own = cpus_[cpu].addresses[kind];
    (own.size() < 2 * magazine ? own : depot_[kind]).push_back(address);
}

} // namespace bouncesim::models
