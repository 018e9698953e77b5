// SPDX-License-Identifier: Apache-2.0
#include "mirror.hpp"

#include <algorithm>

namespace mirror {
namespace {

constexpr std::uint64_t slot_bytes = 2048, page_bytes = 4096;
constexpr std::uint32_t set_slots = 128;

std::uint64_t slots_for(std::uint64_t bytes) {
    return bytes / slot_bytes + (bytes % slot_bytes != 0);
}

std::uint64_t low_offset(std::uint64_t min_align_mask, std::uint64_t address) {
    return address & min_align_mask & (slot_bytes - 1);
}

} // namespace

allocator::allocator(const pool_config &config)
    : config_(config), area_slots_(config.nslabs / config.nareas) {
    restart();
}

void allocator::restart() {
    slots_.assign(config_.nslabs, slot_state());
    cursors_.assign(config_.nareas, 0);
}

allocator::shape allocator::shape_of(const request &r) {
    shape s = {};
    if (r.alloc) {
        std::uint64_t bytes = page_bytes;
        while (bytes < r.size)
            bytes *= 2;
        s.align = bytes - 1;
        s.alloc_size = r.size;
    } else {
        s.orig = r.orig;
        s.align = r.align;
        s.offset = r.orig & r.min_align_mask & (r.align | (slot_bytes - 1));
        std::uint64_t unit = r.align + 1;
        s.alloc_size = (r.size + s.offset + unit - 1) / unit * unit;
    }
    s.slots = static_cast<std::uint32_t>(slots_for(s.alloc_size));
    return s;
}

allocator::search_rule allocator::rule_of(const request &r, const shape &s) const {
    search_rule rule = {};
    std::uint64_t align = s.align;
    if (align == 0 && r.min_align_mask == 0 && s.alloc_size >= page_bytes)
        align = page_bytes - 1;
    rule.base = config_.start & r.boundary_mask;
    rule.zero_bits = align | (slot_bytes - 1);
    rule.equal_bits = r.min_align_mask & ~rule.zero_bits;
    rule.stride =
        static_cast<std::uint32_t>(std::max(rule.zero_bits, rule.equal_bits) / slot_bytes + 1);
    rule.boundary_slots = r.boundary_mask / slot_bytes + 1;
    rule.orig = s.orig;
    return rule;
}

bool allocator::aligned(const search_rule &rule, std::uint64_t slot) {
    std::uint64_t address = rule.base + slot * slot_bytes;
    if (address & rule.zero_bits)
        return false;
    return rule.orig == 0 || ((address ^ rule.orig) & rule.equal_bits) == 0;
}

// Free slots from `slot` on, to the end of its slot set or of the pool.
std::uint32_t allocator::free_run(std::uint32_t slot) const {
    std::uint32_t end = std::min(config_.nslabs, slot / set_slots * set_slots + set_slots);
    std::uint32_t at = slot;
    while (at < end && slots_[at].buffer == 0)
        at++;
    return at - slot;
}

bool allocator::search_area(std::uint32_t area, const search_rule &rule, const shape &s,
                            answer &out, std::uint32_t &found) {
    out.locks++;
    if (s.slots > area_slots_ - area_used(area))
        return false;
    std::uint32_t index = cursors_[area];
    std::uint32_t stepped_over = 0;
    while (stepped_over < area_slots_) {
        std::uint32_t slot = area * area_slots_ + index;
        std::uint32_t step = 1;
        out.probes++;
        if (aligned(rule, slot)) {
            std::uint64_t into = (rule.base / slot_bytes + slot) % rule.boundary_slots;
            bool spans = s.slots > rule.boundary_slots - into;
            if (!spans && free_run(slot) >= s.slots) {
                cursors_[area] = index + s.slots < area_slots_ ? index + s.slots : 0;
                found = slot;
                return true;
            }
            step = rule.stride;
        }
        index = index + step < area_slots_ ? index + step : 0;
        stepped_over += step;
    }
    return false;
}

answer allocator::map(const request &r) {
    answer out;
    shape s = shape_of(r);
    search_rule rule = rule_of(r, s);
    std::uint32_t first = 0;
    bool found = false;
    out.alloc_size = s.alloc_size;
    for (std::uint32_t n = 0; n < config_.nareas && !found; n++)
        found = search_area((r.cpu + n) % config_.nareas, rule, s, out, first);
    if (!found)
        return out;

    std::uint32_t pad = static_cast<std::uint32_t>(s.offset / slot_bytes);
    std::uint64_t low = low_offset(r.alloc ? 0 : r.min_align_mask, r.orig);
    buffers_++;
    for (std::uint32_t i = 0; i < s.slots; i++) {
        slot_state &at = slots_[first + i];
        at.buffer = buffers_;
        at.left = s.alloc_size - low - i * slot_bytes; // may pass below 0, as it does there
        if (i >= pad && !r.alloc)
            at.orig = r.orig + (i - pad) * slot_bytes;
    }
    slots_[first].wasted = s.slots * slot_bytes - r.size;
    slots_[first + pad].pad = pad;
    slots_[first + pad].begins = true;
    out.ok = true;
    out.slots = s.slots;
    out.address = config_.start + (first + pad) * slot_bytes + s.offset % slot_bytes;
    return out;
}

std::uint32_t allocator::unmap(std::uint64_t min_align_mask, std::uint64_t address) {
    std::uint64_t low = low_offset(min_align_mask, address);
    if (address < config_.start || (address - config_.start) / slot_bytes >= config_.nslabs)
        return 0;
    std::uint64_t slot = (address - low - config_.start) / slot_bytes;
    if (!slots_[slot].begins || (address - config_.start) % slot_bytes != low)
        return 0;
    slot -= slots_[slot].pad;
    std::uint64_t count = slots_for(slots_[slot].left + low);
    for (std::uint64_t i = 0; i < count; i++)
        slots_[slot + i] = {};
    return static_cast<std::uint32_t>(count);
}

copy allocator::sync(std::uint64_t min_align_mask, std::uint64_t address,
                     std::uint64_t size) const {
    if (address < config_.start || (address - config_.start) / slot_bytes >= config_.nslabs)
        return {};
    const slot_state &at = slots_[(address - config_.start) / slot_bytes];
    if (at.orig == no_orig)
        return {};
    // Signed: the address may lie in the first bytes of a later slot.
    std::uint64_t into = address % slot_bytes - low_offset(min_align_mask, at.orig);
    return {at.orig + into, std::min(size, at.left - into)};
}

std::uint64_t allocator::used() const {
    return static_cast<std::uint64_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const slot_state &s) { return s.buffer != 0; }));
}

std::uint64_t allocator::area_used(std::uint32_t area) const {
    auto first = slots_.begin() + area * static_cast<std::ptrdiff_t>(area_slots_);
    return static_cast<std::uint64_t>(std::count_if(
        first, first + area_slots_, [](const slot_state &s) { return s.buffer != 0; }));
}

std::uint64_t allocator::free_segments() const {
    std::uint64_t count = 0;
    for (std::uint32_t set = 0; set + set_slots <= config_.nslabs; set += set_slots)
        count += free_run(set) == set_slots;
    return count;
}

std::uint64_t allocator::internal_bytes() const {
    std::uint64_t bytes = 0;
    for (const slot_state &s : slots_)
        bytes += s.wasted;
    return bytes;
}

bool allocator::taken(std::uint64_t first, std::uint64_t n) const {
    for (std::uint64_t i = first; i < first + n; i++)
        if (slots_.at(i).buffer)
            return true;
    return false;
}

// In a pool without end and without buffers, from the same start.
bool allocator::ever_fits(const search_rule &rule, std::uint32_t slots) const {
    for (std::uint64_t slot = 0; slot < 4096; slot++)
        if (aligned(rule, slot) && set_slots - slot % set_slots >= slots)
            return true;
    return false;
}

pressure allocator::why(const request &r) const {
    shape s = shape_of(r);
    pressure p = {cause::alignment, s.slots, config_.nslabs - used(), 0, 0};
    for (std::uint32_t area = 0; area < config_.nareas; area++)
        p.best_area_free = std::max(p.best_area_free, area_slots_ - area_used(area));
    for (std::uint32_t slot = 0; slot < config_.nslabs; slot++)
        p.largest_run = std::max(p.largest_run, free_run(slot));
    if (!ever_fits(rule_of(r, s), s.slots))
        p.cause = cause::oversize;
    else if (p.free < s.slots)
        p.cause = cause::exhausted;
    else if (p.best_area_free < s.slots)
        p.cause = cause::area_limited;
    else if (p.largest_run < s.slots)
        p.cause = cause::fragmented;
    return p;
}

std::string allocator::map_text() const {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string out;
    for (std::uint32_t set = 0; set < config_.nslabs; set += set_slots) {
        std::string row, marks;
        for (std::uint32_t i = set; i < std::min(set + set_slots, config_.nslabs); i++) {
            std::uint64_t buffer = slots_[i].buffer;
            row += buffer ? letters[buffer % (sizeof(letters) - 1)] : '.';
            marks += cursors_[i / area_slots_] == i % area_slots_ ? '^' : ' ';
        }
        std::string number = std::to_string(set);
        out += number + std::string(8 - number.size(), ' ') + row + '\n';
        if (marks.find('^') != std::string::npos)
            out += std::string(8, ' ') + marks + '\n';
    }
    return out;
}

} // namespace mirror
