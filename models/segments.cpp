// SPDX-License-Identifier: Apache-2.0
#include "segments.hpp"

namespace bouncesim::models {
namespace {

constexpr uint64_t page = 4096, sector = 512;

void add(request_context &context, request &r, uint64_t address, uint64_t size, uint8_t dir,
         bool in_list) {
    uint32_t made = context.pieces.take();
    context.pieces[made] = {0, address, size, 0, 0, none, none, dir, in_list, false};
    if (r.first == none)
        r.first = made;
    else
        context.pieces[r.last].next = made;
    r.last = made;
    if (in_list && r.list == none)
        r.list = made;
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

// PRP and the like: what comes after another piece begins on a multiple, what another one follows
// ends on one.
bool gaps_allowed(const device_model &model, const physical_memory &memory, uint32_t buffer) {
    uint32_t count = memory.run_count(buffer);
    for (uint32_t i = 0; model.gap_mask && i < count; i++) {
        physical_memory::run run = memory.runs(buffer)[i];
        if ((i && run.address & model.gap_mask) ||
            (i + 1 < count && (run.address + run.bytes) & model.gap_mask))
            return false;
    }
    return true;
}

void add_run(request_context &context, request &r, const device_model &model, uint64_t address,
             uint64_t bytes, bool list) {
    for (uint64_t done = 0; done < bytes;) {
        uint64_t size = fitting(model, address + done, bytes - done);
        add(context, r, address + done, size, r.dir, list);
        done += size;
    }
}

// A buffer as memory happens to be.
void add_scattered(request_context &context, request &r, const device_model &model, bool list) {
    bool whole = model.max_segments <= 1;
    r.buffer = context.memory.take(std::max<uint64_t>(r.size, 1), whole);
    uint32_t segments = count_segments(model, context.memory, r.buffer, r.size);
    if ((segments > model.max_segments || !gaps_allowed(model, context.memory, r.buffer)) &&
        !whole) { // the block layer had taken less scattered pages
        context.memory.give_back(r.buffer);
        r.buffer = context.memory.take(r.size, true);
        segments = count_segments(model, context.memory, r.buffer, r.size);
    }
    list = list && segments > 1 && !whole;
    for (uint64_t i = 0, left = r.size; left; i++) {
        physical_memory::run run = context.memory.runs(r.buffer)[i];
        uint64_t bytes = std::min(run.bytes, left);
        add_run(context, r, model, run.address, bytes, list);
        left -= bytes;
    }
}

// As many pieces as the trace tells, of about the same size.
void add_told(request_context &context, request &r, const device_model &model, bool list) {
    uint64_t told = std::min<uint64_t>(r.segments, model.max_segments);
    uint64_t unit = std::max(page, model.gap_mask + 1), units = (r.size + unit - 1) / unit;
    if (units < told && !model.gap_mask) {
        unit = sector;
        units = (r.size + unit - 1) / unit;
    }
    told = std::min(told, units);
    list = list && (told > 1 || r.size > std::min(model.largest_segment(), model.seg_boundary));
    for (uint64_t i = 0, left = r.size; left; i++) {
        uint64_t bytes = std::min((units / told + (i < units % told)) * unit, left);
        uint32_t buffer = context.memory.take(bytes, true), before = r.last;
        add_run(context, r, model, context.memory.runs(buffer)->address, bytes, list);
        context.pieces[before == none ? r.first : context.pieces[before].next].buffer = buffer;
        left -= bytes;
    }
}

} // namespace

void make_segments(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    const device_model &model = context.devices[r.device].model;
    r.first = r.last = r.list = none;
    r.pieces = 0;
    if (r.size <= model.coherent_bytes)
        return;
    // Drivers with a table map each piece by itself; the others map more than one as a list.
    bool table = model.descriptor_bytes > 0;
    // Header, status and table lie in memory of the driver's own: slabs, of which the address
    // matters to no device that has them.
    uint64_t own = page * 256 + (index % 4096) * 2 * page;
    if (model.header_bytes)
        add(context, r, own + 0xf8, model.header_bytes, BOUNCE_TO_DEVICE, false);
    if (r.segments && model.max_segments > 1)
        add_told(context, r, model, !table);
    else
        add_scattered(context, r, model, !table);
    if (model.status_bytes)
        add(context, r, own + 0x108, model.status_bytes, BOUNCE_FROM_DEVICE, false);
    if (table && r.pieces > 1)
        add(context, r, own + page, r.pieces * model.descriptor_bytes, BOUNCE_TO_DEVICE, false);
}

void make_ring_segment(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    r.first = r.last = r.list = none;
    r.pieces = 0;
    r.buffer = context.memory.take(r.size, true);
    add(context, r, context.memory.runs(r.buffer)->address, r.size, BOUNCE_FROM_DEVICE, false);
}

void drop_segments(request_context &context, uint32_t index) {
    request &r = context.requests[index];
    for (uint32_t at = r.first; at != none;) {
        uint32_t next = context.pieces[at].next;
        if (context.pieces[at].buffer != none)
            context.memory.give_back(context.pieces[at].buffer);
        context.pieces.release(at);
        at = next;
    }
    if (r.buffer != none)
        context.memory.give_back(r.buffer);
    r.first = r.last = r.list = r.buffer = none;
    r.pieces = 0;
}

} // namespace bouncesim::models
