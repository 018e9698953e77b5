// SPDX-License-Identifier: Apache-2.0
// From interrupt to the end: unmapping, and the receive rings that are filled again.
#include "request_cpu.hpp"
#include "segments.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t ns = 1000;

} // namespace

void request_cpu::begin_end(uint32_t index, uint64_t time_ps) {
    const request &r = context_.requests[index];
    if (r.first == none) {
        finish(index, time_ps);
        return;
    }
    // Drivers with a descriptor table unmap it first.
    last_first_ = r.pieces > 1 && context_.devices[r.device].model.descriptor_bytes;
    task_ = task::unmap_copy;
    interrupted_ = true;
    index_ = index;
    piece_ = last_first_ ? r.last : r.first;
}

uint64_t request_cpu::unmap_piece(uint64_t time_ps) {
    const request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    fill_operation(r, p, piece_, BOUNCE_EVENT_UNMAP);
    if (interrupted_ && context_.encryption && time_ps != handler_until_ps_) {
        uint64_t exit_ps = context_.encryption->interrupt_exit_ps();
        report_exit(time_ps, time_ps + exit_ps);
        time_ps += exit_ps;
    }
    interrupted_ = false;
    if (task_ == task::unmap_copy) {
        since_ps_ = time_ps;
        task_ = task::unmap;
        uint64_t copied_ps = time_ps;
        for (uint64_t n = 0; n < context_.devices[r.device].model.unmap_copies; n++)
            copied_ps = call_service(dma_request::copy_back, copied_ps);
        if (copied_ps > time_ps)
            return copied_ps;
    }
    uint64_t end_ps = call_service(dma_request::apply, time_ps);
    if (to_service_.extension.pooled)
        context_.measured.unmap_ps.add(end_ps - since_ps_);
    report(cpu_call::unmap, p, since_ps_, end_ps);
    p.mapped = false;
    if (last_first_ && piece_ == r.last) {
        piece_ = r.first;
    } else {
        piece_ = p.next;
        if (last_first_ && piece_ == r.last)
            piece_ = none;
    }
    if (piece_ != none) {
        task_ = task::unmap_copy;
        return end_ps;
    }
    if (r.state == request_state::receiving && r.packet != none &&
        context_.requests[r.packet].parts == 1) // its last buffer
        end_ps += own_work_ps(context_.requests[r.packet]);
    handler_until_ps_ = end_ps;
    task_ = task::idle;
    finish(index_, end_ps);
    return end_ps;
}

// Nothing of it is mapped any more.
void request_cpu::finish(uint32_t index, uint64_t time_ps) {
    const request &r = context_.requests[index];
    if (r.state == request_state::receiving) {
        end_buffer(index, time_ps);
        return;
    }
    context_.started--;
    release_place(r, time_ps);
    end_request(index, false, time_ps);
}

void request_cpu::release_place(const request &r, uint64_t time_ps) {
    hardware_queue &queue = context_.queue_of(r);
    queue.started--;
    give_place(queue, time_ps);
    if (queue.held.empty() || (!queue.marked && !queue.run_asked))
        return;
    // The worker gets to it when the interrupt's handler has ended all that is done.
    if (queue.run_asked)
        queue.run_ps = time_ps + context_.devices[r.device].model.worker_ns * ns;
    else
        ask_run(queue, r.device, queue_number(r), time_ps);
}

// To the oldest that waits for one.
void request_cpu::give_place(hardware_queue &queue, uint64_t time_ps) {
    if (queue.waiting.empty()) {
        queue.taken--;
        return;
    }
    uint32_t next = queue.waiting.pop(context_.requests);
    context_.requests[next].state = request_state::offered;
    (*peers_)[context_.requests[next].cpu]->resubmit(next, time_ps);
}

// `failed`: no room, and the driver does not wait for it.
void request_cpu::end_request(uint32_t index, bool failed, uint64_t time_ps) {
    request &r = context_.requests[index];
    driven_device &device = context_.devices[r.device];
    bool dropped = r.failed || (failed && device.model.full == on_full::drop);
    if (dropped)
        context_.counts.dropped++;
    else if (failed)
        context_.counts.failed++;
    else
        context_.counts.completed++;
    if (!dropped && !failed)
        context_.latency_ps.add(time_ps - std::min(time_ps, r.arrived_ps));
    if (r.counts) {
        device.completed++;
        if (context_.config.arrivals == arrival_mode::trace)
            device.ended_ps.push_back(time_ps);
    }
    device.under_way--;
    context_.under_way--;
    device.last_end_ps = std::max(device.last_end_ps, time_ps);
    context_.progress_ps = std::max(context_.progress_ps, time_ps);
    uint32_t number = r.device;
    drop_segments(context_, index);
    context_.requests.release(index);
    context_.moved(context_.issuer, number, time_ps);
}

// ---- receive rings ----

void request_cpu::end_buffer(uint32_t index, uint64_t time_ps) {
    request &r = context_.requests[index];
    uint32_t device = r.device, packet = r.packet;
    drop_segments(context_, index);
    context_.requests.release(index);
    context_.started--;
    context_.devices[device].missing++;
    if (packet != none && --context_.requests[packet].parts == 0)
        end_request(packet, false, time_ps);
    begin_refill(device, time_ps);
}

// The ring is as full as it gets for the first time: what came meanwhile may come.
void request_cpu::open_ring(driven_device &device, uint64_t time_ps) {
    device.ring_open = true;
    while (!device.early.empty()) {
        uint32_t next = device.early.pop(context_.requests);
        (*peers_)[context_.requests[next].cpu]->resubmit(next, time_ps);
    }
}

void request_cpu::begin_refill(uint32_t device, uint64_t time_ps) {
    if (!context_.devices[device].missing) {
        if (!context_.devices[device].ring_open)
            open_ring(context_.devices[device], time_ps);
        return;
    }
    context_.devices[device].missing--; // others do not post it too
    uint32_t index = context_.requests.take();
    request &r = context_.requests[index];
    r = {};
    r.size = context_.devices[device].model.ring_bytes;
    r.device = static_cast<uint16_t>(device);
    r.cpu = r.done_cpu = static_cast<uint16_t>(number_);
    r.dir = BOUNCE_FROM_DEVICE;
    r.state = request_state::receiving;
    r.packet = r.buffer = none;
    make_ring_segment(context_, index);
    task_ = task::refill;
    index_ = index;
    piece_ = r.first;
}

// What a timer does; it stops with the trace, though not everything may have found room.
void request_cpu::refill_later(uint32_t device, uint64_t time_ps) {
    context_.devices[device].refill_asked = false;
    if (!context_.all_given || context_.under_way)
        begin_refill(device, time_ps);
}

uint64_t request_cpu::refill_one(uint64_t time_ps) {
    request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    driven_device &device = context_.devices[r.device];
    uint32_t number = r.device;
    uint64_t end_ps = apply_map(r, p, time_ps);
    task_ = task::idle;
    if (time_ps == handler_until_ps_) // the handler that took a buffer posts the next one
        handler_until_ps_ = end_ps;
    if (p.mapped) {
        if (watch_)
            watch_->given({number, index_, r.size, r.dir, end_ps});
        device.posted.push(context_.requests, index_);
        begin_refill(number, end_ps);
        return end_ps;
    }
    drop_segments(context_, index_);
    context_.requests.release(index_);
    device.missing++;
    if (!device.ring_open)
        open_ring(device, end_ps);
    if (device.posted.empty() && !device.refill_asked) { // no packet will come that tries again
        device.refill_asked = true;
        defer(later::refill, number, 0, end_ps + device.model.retry_ns * ns);
    }
    return end_ps;
}

} // namespace bouncesim::models
