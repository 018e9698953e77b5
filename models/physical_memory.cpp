// SPDX-License-Identifier: Apache-2.0
#include "physical_memory.hpp"

#include <algorithm>
#include <cmath>

namespace bouncesim::models {
namespace {

constexpr uint64_t page = 4096, sector = 512;
constexpr uint64_t block = 4 << 20; // the page allocator's largest
constexpr uint64_t four_gib = uint64_t{1} << 32;
constexpr uint64_t first_address = 16 << 20; // above ISA's zone
constexpr uint32_t nothing = UINT32_MAX;
constexpr uint64_t small_classes = page / sector; // below a page: by sectors, else by pages

uint64_t class_of(uint64_t bytes, bool whole) {
    uint64_t units =
        bytes < page ? (bytes + sector - 1) / sector : small_classes + (bytes + page - 1) / page;
    return units * 2 + whole;
}

} // namespace

physical_memory::physical_memory(const memory_config &config)
    : whole_pages_(std::pow(1 - std::min(config.scattered_percent, 100u) / 100.0, 1.0 / 31)),
      random_(config.seed) {
    uint64_t bytes = std::max<uint64_t>(config.bytes, 64 << 20);
    uint64_t low = config.low_bytes ? config.low_bytes : uint64_t{3} << 30;
    low = std::min({low, bytes, four_gib - first_address});
    blocks_[0] = std::max<uint64_t>(1, (low - std::min(low, first_address)) / block);
    blocks_[1] = (bytes - std::min(bytes, low)) / block;
    zones_[0] = {first_address, blocks_[0], 0, 0, 0};
    zones_[1] = {four_gib, blocks_[1], 0, 0, 0};
}

uint32_t &physical_memory::free_list(uint64_t size_class) {
    if (size_class >= free_.size())
        free_.resize(size_class + 1, nothing);
    return free_[size_class];
}

uint32_t physical_memory::take(uint64_t bytes, bool whole) {
    uint64_t size_class = class_of(bytes, whole);
    uint32_t &head = free_list(size_class);
    if (head == nothing)
        return make(bytes, size_class, whole);
    uint32_t found = head;
    head = buffers_[found].next_free;
    return found;
}

void physical_memory::give_back(uint32_t buffer) {
    uint32_t &head = free_list(buffers_[buffer].size_class);
    buffers_[buffer].next_free = head;
    head = buffer;
}

// Whole pages in one piece, out of the zone's current block or the next one of a fixed
// permutation: every block comes once before any comes again.
uint64_t physical_memory::pages_of(zone &from, uint64_t bytes) {
    bytes = (bytes + page - 1) / page * page;
    if (from.end - from.at < bytes) {
        uint64_t blocks = (bytes + block - 1) / block;
        uint64_t step = from.blocks / 2 + 1; // coprime to their number, once it is odd
        step += from.blocks % 2 == 0 && step % 2 == 0;
        uint64_t number = blocks > 1 ? from.taken : from.taken * step;
        number %= from.blocks;
        if (blocks > 1 && number + blocks > from.blocks)
            number = 0;
        from.taken += blocks;
        from.at = from.start + number * block;
        from.end = from.at + blocks * block;
    }
    uint64_t address = from.at;
    from.at += bytes;
    return address;
}

// As recorded: stretches of single pages in falling order, as fresh ones come from a list that
// splits blocks, and pieces of some pages, in turn.
void physical_memory::scatter(zone &from, uint64_t bytes) {
    uint64_t left = (bytes + page - 1) / page;
    for (bool singles = random_.next() % 2; left; singles = random_.next() % 2) {
        if (singles) {
            uint64_t count = std::min<uint64_t>(left, 1 + below(64));
            uint64_t top = pages_of(from, count * page);
            for (uint64_t i = count; i-- > 0;)
                runs_.push_back({top + i * page, page});
            left -= count;
        } else {
            uint64_t count = 1 + below(std::min<uint64_t>(left, 64));
            uint64_t address = pages_of(from, (count + 1) * page); // one between stays another's
            runs_.push_back({address, count * page});
            left -= count;
        }
    }
}

// The more pages, the likelier.
bool physical_memory::is_scattered(uint64_t pages) {
    double whole = std::pow(whole_pages_, static_cast<double>(pages - 1));
    return static_cast<double>(random_.next() >> 11) >= whole * 0x1p53;
}

uint32_t physical_memory::make(uint64_t bytes, uint64_t size_class, bool whole) {
    uint64_t total = blocks_[0] + blocks_[1];
    zone &from = zones_[below(total) >= blocks_[0] && blocks_[1] ? 1 : 0];
    std::size_t first = runs_.size();
    if (bytes < page) {
        uint64_t sectors = size_class / 2, room = small_classes - sectors;
        runs_.push_back({pages_of(from, page) + below(room + 1) * sector, sectors * sector});
    } else if (!whole && bytes > page && is_scattered((bytes + page - 1) / page)) {
        scatter(from, bytes);
    } else {
        uint64_t pages = (bytes + page - 1) / page * page;
        runs_.push_back({pages_of(from, pages), pages});
    }
    buffers_.push_back({first, static_cast<uint32_t>(runs_.size() - first), nothing, size_class});
    return static_cast<uint32_t>(buffers_.size() - 1);
}

} // namespace bouncesim::models
