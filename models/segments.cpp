// SPDX-License-Identifier: Apache-2.0
#include "segments.hpp"

namespace bouncesim::models {
namespace {

constexpr uint64_t page = 4096;

void add(request_context &context, request &r, uint64_t address, uint64_t size, uint8_t dir,
         bool in_list) {
    uint32_t made = context.pieces.take();
    context.pieces[made] = {0, address, size, 0, 0, none, dir, in_list, false};
    if (r.first == none)
        r.first = made;
    else
        context.pieces[r.last].next = made;
    r.last = made;
    r.pieces++;
}

// To the next multiple of the boundary, and no longer than a segment may be.
uint64_t fitting(const device_model &model, uint64_t address, uint64_t bytes) {
    uint64_t most = std::min(bytes, model.largest_segment());
    uint64_t left = (model.seg_boundary | address) - address + 1; // 0: no boundary before 2^64
    return left ? std::min(most, left) : most;
}

uint32_t count_segments(const device_model &model, const physical_memory &memory, uint32_t buffer,
                        uint64_t size) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < memory.run_count(buffer) && size; i++) {
        physical_memory::run run = memory.runs(buffer)[i];
        for (uint64_t bytes = std::min(run.bytes, size), done = 0; done < bytes; count++)
            done += fitting(model, run.address + done, bytes - done);
        size -= std::min(run.bytes, size);
    }
    return count;
}

} // namespace

void make_segments(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    const device_model &model = context.devices[r.device].model;
    bool whole = model.max_segments <= 1;
    r.first = r.last = none;
    r.pieces = 0;
    if (r.size <= model.coherent_bytes)
        return;
    r.buffer = context.memory.take(std::max<uint64_t>(r.size, 1), whole);
    uint32_t segments = count_segments(model, context.memory, r.buffer, r.size);
    if (segments > model.max_segments && !whole) { // the block layer had taken less scattered pages
        context.memory.give_back(r.buffer);
        r.buffer = context.memory.take(r.size, true);
        segments = count_segments(model, context.memory, r.buffer, r.size);
    }
    // Drivers with a table map each piece by itself; the others map more than one as a list.
    bool table = model.descriptor_bytes > 0, list = segments > 1 && !table && !whole;
    // Header, status and table lie in memory of the driver's own: slabs, of which the address
    // matters to no device that has them.
    uint64_t own = page * 256 + (index % 4096) * 2 * page;
    if (model.header_bytes)
        add(context, r, own + 0xf8, model.header_bytes, BOUNCE_TO_DEVICE, false);
    for (uint64_t i = 0, left = r.size; left; i++) {
        physical_memory::run run = context.memory.runs(r.buffer)[i];
        uint64_t bytes = std::min(run.bytes, left);
        for (uint64_t done = 0; done < bytes;) {
            uint64_t size = fitting(model, run.address + done, bytes - done);
            add(context, r, run.address + done, size, r.dir, list);
            done += size;
        }
        left -= bytes;
    }
    if (model.status_bytes)
        add(context, r, own + 0x108, model.status_bytes, BOUNCE_FROM_DEVICE, false);
    if (table && r.pieces > 1)
        add(context, r, own + page, r.pieces * model.descriptor_bytes, BOUNCE_TO_DEVICE, false);
}

void make_ring_segment(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    r.first = r.last = none;
    r.pieces = 0;
    r.buffer = context.memory.take(r.size, true);
    add(context, r, context.memory.runs(r.buffer)->address, r.size, BOUNCE_FROM_DEVICE, false);
}

void drop_segments(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    for (uint32_t at = r.first; at != none;) {
        uint32_t next = context.pieces[at].next;
        context.pieces.release(at);
        at = next;
    }
    if (r.buffer != none)
        context.memory.give_back(r.buffer);
    r.first = r.last = r.buffer = none;
    r.pieces = 0;
}

} // namespace bouncesim::models
