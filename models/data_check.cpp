// SPDX-License-Identifier: Apache-2.0
#include "data_check.hpp"

#include <algorithm>
#include <cstring>

namespace bouncesim::models {
namespace {

constexpr uint64_t most_of_one = UINT64_C(16) << 20;
constexpr uint64_t most_of_all = UINT64_C(1) << 30;
constexpr uint64_t piece_bytes = 4096;
constexpr uint64_t margin = 64; // looked at on both sides of a sync

bool to_cpu(uint8_t dir) {
    return dir == BOUNCE_FROM_DEVICE || dir == BOUNCE_BIDIRECTIONAL;
}

bool to_device(uint8_t dir) {
    return dir == BOUNCE_TO_DEVICE || dir == BOUNCE_BIDIRECTIONAL;
}

} // namespace

const char *check_place_name(check_place place) {
    switch (place) {
    case check_place::device_read:
        return "device_read";
    case check_place::after_sync:
        return "after_sync";
    case check_place::after_unmap:
        return "after_unmap";
    }
    return "";
}

data_check::record *data_check::find(uint32_t handle) {
    return handle < records_.size() && records_[handle].live ? &records_[handle] : nullptr;
}

bool data_check::strikes(planted_fault kind) {
    return fault_ == kind && ++fault_seen_ == fault_nth_;
}

uint64_t data_check::new_key(record &of) {
    return pattern_word(of.id * 2 + 1, ++of.written);
}

void data_check::cpu_writes(uint32_t handle, record &of, uint64_t begin, uint64_t end) {
    of.cpu.assign(begin, end, new_key(of));
    buffer_.resize(piece_bytes);
    for (uint64_t at = begin; at < end; at += piece_bytes) {
        uint64_t last = std::min(end, at + piece_bytes);
        of.cpu.write(at, last, buffer_.data());
        memory_.write(space_of(handle), of.orig_addr + at, buffer_.data(), last - at);
    }
}

void data_check::begin(uint32_t handle, uint64_t id, uint32_t device,
                       const bounce_mapping &mapping) {
    drop(handle);
    if (mapping.size > most_of_one || live_bytes_ + mapping.size > most_of_all) {
        stats_.not_checked++;
        return;
    }
    if (handle >= records_.size())
        records_.resize(std::max<std::size_t>(256, std::size_t{handle} * 2));
    record &made = records_[handle];
    made.id = id;
    made.orig_addr = mapping.orig_addr;
    made.dma_addr = mapping.dma_addr;
    made.size = mapping.size;
    made.device = device;
    made.written = 0;
    made.dir = mapping.dir;
    made.bounced = mapping.state == BOUNCE_BOUNCED;
    made.live = true;
    live_bytes_ += made.size;
    stats_.mappings++;
    memory_.hold(space_of(handle), made.orig_addr, made.size);
    if (made.bounced)
        memory_.hold(0, made.dma_addr, made.size);
    made.cpu.reset(made.size, 0);
    cpu_writes(handle, made, 0, made.size);
    if (made.bounced) {
        made.device_view.reset(made.size, 0);
        made.device_view.copy(made.cpu, 0, made.size);
    }
}

void data_check::copied(uint32_t handle, uint64_t tlb_addr, uint64_t orig_addr, uint64_t bytes,
                        bool to_device, bool for_sync) {
    if (!find(handle))
        return;
    if (strikes(for_sync    ? planted_fault::lost_sync
                : to_device ? planted_fault::lost_out
                            : planted_fault::lost_back))
        return;
    if (strikes(planted_fault::wrong_offset))
        tlb_addr++;
    stats_.copies++;
    bytes = std::min(bytes, most_of_one);
    buffer_.resize(piece_bytes);
    for (uint64_t at = 0; at < bytes; at += piece_bytes) {
        uint64_t piece = std::min(piece_bytes, bytes - at), read, written;
        uint64_t from = to_device ? orig_addr : tlb_addr, to = to_device ? tlb_addr : orig_addr;
        uint64_t own = space_of(handle);
        read = memory_.read(to_device ? own : 0, from + at, buffer_.data(), piece);
        written = memory_.write(to_device ? 0 : own, to + at, buffer_.data(), piece);
        stats_.lost_bytes += piece - std::min(read, written);
    }
}

void data_check::before_sync(uint32_t handle, uint64_t offset, uint64_t bytes, bool for_cpu) {
    record *of = find(handle);
    if (of && !for_cpu && to_device(of->dir) && offset < of->size)
        cpu_writes(handle, *of, offset, offset + std::min(bytes, of->size - offset));
}

void data_check::after_sync(uint32_t handle, uint64_t offset, uint64_t bytes, bool for_cpu) {
    record *of = find(handle);
    if (!of || offset >= of->size)
        return;
    uint64_t end = offset + std::min(bytes, of->size - offset);
    if (of->bounced && !for_cpu && to_device(of->dir))
        of->device_view.copy(of->cpu, offset, end);
    if (of->bounced && for_cpu && to_cpu(of->dir))
        of->cpu.copy(of->device_view, offset, end);
    if (for_cpu)
        look(handle, *of, offset - std::min(offset, margin), std::min(end + margin, of->size),
             check_place::after_sync);
}

void data_check::end(uint32_t handle, bool skip_cpu_sync) {
    record *of = find(handle);
    if (!of)
        return;
    if (skip_cpu_sync && of->bounced && strikes(planted_fault::ignored_skip))
        copied(handle, of->dma_addr, of->orig_addr, of->size, false, false);
    if (of->bounced && to_cpu(of->dir) && !skip_cpu_sync)
        of->cpu.copy(of->device_view, 0, of->size);
    look(handle, *of, 0, of->size, check_place::after_unmap);
    drop(handle);
}

void data_check::drop(uint32_t handle) {
    record *of = find(handle);
    if (!of)
        return;
    memory_.release(space_of(handle), of->orig_addr, of->size);
    if (of->bounced)
        memory_.release(0, of->dma_addr, of->size);
    live_bytes_ -= of->size;
    of->live = false;
}

void data_check::drop_all() {
    for (uint32_t handle = 0; handle < records_.size(); handle++)
        drop(handle);
}

uint64_t data_check::followed(uint32_t handle, uint64_t offset, uint64_t bytes) const {
    if (handle >= records_.size() || !records_[handle].live || offset >= records_[handle].size)
        return 0;
    return std::min(bytes, records_[handle].size - offset);
}

uint64_t data_check::space(uint32_t handle) const {
    bool direct = handle < records_.size() && records_[handle].live && !records_[handle].bounced;
    return direct ? space_of(handle) : 0;
}

void data_check::look(uint32_t handle, const record &of, uint64_t begin, uint64_t end,
                      check_place place) {
    buffer_.resize(piece_bytes);
    other_.resize(piece_bytes);
    for (uint64_t at = begin; at < end; at += piece_bytes) {
        uint64_t last = std::min(end, at + piece_bytes);
        memory_.read(space_of(handle), of.orig_addr + at, buffer_.data(), last - at);
        of.cpu.write(at, last, other_.data());
        compare(of, other_.data(), buffer_.data(), at, last - at, place);
    }
}

// Counts the first byte that is wrong.
void data_check::compare(const record &of, const uint8_t *expected, const uint8_t *found,
                         uint64_t offset, uint64_t bytes, check_place place) {
    stats_.bytes_checked += bytes;
    if (!std::memcmp(expected, found, bytes))
        return;
    uint64_t at = 0;
    while (expected[at] == found[at])
        at++;
    if (stats_.mismatches < check_stats::most_listed)
        stats_.first[stats_.mismatches] = {of.id, offset + at,  of.device,
                                           place, expected[at], found[at]};
    stats_.mismatches++;
}

void data_check::device_read(uint32_t handle, uint64_t offset, const uint8_t *data,
                             uint64_t bytes) {
    record &of = *find(handle);
    stats_.device_reads++;
    other_.resize(piece_bytes);
    for (uint64_t at = 0; at < bytes; at += piece_bytes) {
        uint64_t piece = std::min(piece_bytes, bytes - at);
        seen_by_device(of).write(offset + at, offset + at + piece, other_.data());
        compare(of, other_.data(), data + at, offset + at, piece, check_place::device_read);
    }
}

uint64_t data_check::device_write(uint32_t handle, uint64_t offset, uint8_t *data, uint64_t bytes) {
    record &of = *find(handle);
    uint64_t key = new_key(of);
    if (key % 4 == 0) // a device may write less than the buffer takes
        bytes = 1 + key / 4 % bytes;
    stats_.device_writes++;
    seen_by_device(of).assign(offset, offset + bytes, key);
    seen_by_device(of).write(offset, offset + bytes, data);
    return bytes;
}

} // namespace bouncesim::models
