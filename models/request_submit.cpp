// SPDX-License-Identifier: Apache-2.0
// From arrival to doorbell: mapping, and what a driver does when it finds no room.
#include "request_cpu.hpp"
#include "segments.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t ns = 1000;

} // namespace

void request_cpu::begin_request(uint32_t index, uint64_t time_ps) {
    request &r = context_.requests[index];
    driven_device &device = context_.device(r.device);
    if (device.model.ring_entries && !device.ring_open) {
        device.early.push(context_.requests, index);
        if (device.ring_begun)
            return;
        device.ring_begun = true; // when the interface was opened: before its first packet
        device.missing = static_cast<uint32_t>(device.model.ring_entries);
        defer(later::refill, r.device, 0, time_ps);
        return;
    }
    if (device.model.ring_entries && r.dir == BOUNCE_FROM_DEVICE) {
        ring(dma_request::packet, index, time_ps);
        if (r.failed)
            end_request(index, false, time_ps);
        return;
    }
    hardware_queue &queue = context_.queue_of(r);
    if (r.state != request_state::offered && queue.taken >= device.model.depth) {
        context_.counts.tag_waits++;
        queue.waiting.push(context_.requests, index);
        return;
    }
    queue.taken += r.state != request_state::offered;
    begin_tries(index, false, time_ps);
}

void request_cpu::begin_tries(uint32_t index, bool from_queue, uint64_t time_ps) {
    request &r = context_.requests[index];
    if (r.first == none)
        make_segments(context_, index);
    task_ = task::map;
    index_ = index;
    piece_ = r.first;
    tries_ = 0;
    from_queue_ = from_queue;
    if (piece_ == none) // nothing to map
        mapped_all(time_ps);
}

uint64_t request_cpu::apply_map(const request &r, piece &p, uint64_t time_ps) {
    p.id = context_.next_mapping++;
    fill_operation(r, p, piece_, BOUNCE_EVENT_MAP);
    uint64_t end_ps = call_service(dma_request::apply, time_ps);
    const dma_extension &told = to_service_.extension;
    if (told.pooled)
        context_.measured.map_ps.add(end_ps - time_ps);
    report(cpu_call::map, p, time_ps, end_ps);
    p.mapped = told.mapped;
    if (told.mapped) {
        p.dma_addr = told.dma_addr;
        p.token = told.mapping;
    }
    return end_ps;
}

uint64_t request_cpu::map_piece(uint64_t time_ps) {
    request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    uint64_t end_ps = apply_map(r, p, time_ps);
    if (p.mapped) {
        piece_ = p.next;
        return piece_ == none ? mapped_all(end_ps) : end_ps;
    }
    if (p.in_list) // all of it was unmapped at once
        for (uint32_t at = r.list; at != piece_; at = context_.pieces[at].next)
            context_.pieces[at].mapped = false;
    task_ = task::undo;
    piece_ = r.first;
    if (!context_.pieces[piece_].mapped)
        no_room(end_ps);
    return end_ps;
}

// Of a request that is not a list: what was mapped before the piece that found no room.
uint64_t request_cpu::undo_piece(uint64_t time_ps) {
    const request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    fill_operation(r, p, piece_, BOUNCE_EVENT_UNMAP);
    op_.event.attrs = BOUNCE_ATTR_SKIP_CPU_SYNC;
    uint64_t end_ps = call_service(dma_request::apply, time_ps);
    report(cpu_call::unmap, p, time_ps, end_ps);
    p.mapped = false;
    piece_ = p.next;
    if (piece_ == none || !context_.pieces[piece_].mapped)
        no_room(end_ps);
    return end_ps;
}

uint64_t request_cpu::mapped_all(uint64_t time_ps) {
    request &r = context_.requests[index_];
    hardware_queue &queue = context_.queue_of(r);
    task_ = task::idle;
    time_ps += own_work_ps(r);
    if (context_.encryption) {
        uint64_t exit_ps = context_.encryption->doorbell_exit_ps();
        report_exit(time_ps, time_ps + exit_ps);
        time_ps += exit_ps;
    }
    if (from_queue_) {
        queue.held.pop(context_.requests);
        queue.running = queue.again = false;
        context_.held--;
        context_.devices[r.device].held--;
        context_.counts.held_ns += static_cast<double>(time_ps - r.held_since_ps) / 1000;
    }
    r.state = request_state::started;
    queue.started++;
    context_.started++;
    context_.counts.inflight_hiwater =
        std::max<uint64_t>(context_.counts.inflight_hiwater, context_.started);
    context_.progress_ps = std::max(context_.progress_ps, time_ps);
    uint32_t device = r.device, number = queue_number(r);
    if (watch_)
        watch_->given({device, index_, r.size, r.dir, time_ps});
    ring(dma_request::doorbell, index_, time_ps);
    if (from_queue_)
        run_now(device, number, time_ps);
    return time_ps;
}

void request_cpu::no_room(uint64_t time_ps) {
    request &r = context_.requests[index_];
    const device_model &model = context_.devices[r.device].model;
    context_.counts.tries_failed++;
    if (from_queue_) {
        hardware_queue &queue = context_.queue_of(r);
        uint32_t number = queue_number(r);
        bool again = queue.again;
        uint64_t since_ps = std::max(context_.progress_ps, r.held_since_ps);
        if (!context_.started && time_ps > since_ps + context_.config.watchdog_ns * ns)
            throw engine_stalled("");
        task_ = task::idle;
        queue.running = queue.again = false;
        if (!marked_ || again) { // nobody would run the queue: at once again, now marked
            queue.marked = true;
            ask_run(queue, r.device, number, time_ps);
        } else if (!queue.started) {
            defer(later::run_queue, r.device, number, time_ps + model.retry_ns * ns);
        }
        return;
    }
    if (++tries_ < model.first_tries) {
        task_ = task::map;
        piece_ = r.first;
        return;
    }
    task_ = task::idle;
    if (model.full == on_full::requeue) {
        hold(time_ps);
        return;
    }
    give_place(context_.queue_of(r), time_ps);
    end_request(index_, true, time_ps);
}

void request_cpu::hold(uint64_t time_ps) {
    request &r = context_.requests[index_];
    const device_model &model = context_.devices[r.device].model;
    hardware_queue &queue = context_.queue_of(r);
    uint32_t number = queue_number(r);
    r.state = request_state::held;
    r.held_since_ps = time_ps;
    queue.held.push(context_.requests, index_);
    if (watch_)
        watch_->waits({r.device, index_, r.size, r.dir, time_ps});
    context_.counts.held++;
    context_.held++;
    context_.devices[r.device].held++;
    context_.counts.held_hiwater = std::max<uint64_t>(context_.counts.held_hiwater, context_.held);
    context_.moved(context_.issuer, r.device, time_ps);
    if (model.tries_inline) {
        queue.marked = true;
        run_now(r.device, number, time_ps);
    } else if (!queue.run_asked) {
        ask_run(queue, r.device, number, time_ps);
    }
}

// A worker is to run the queue.
void request_cpu::ask_run(hardware_queue &queue, uint32_t device, uint32_t number,
                          uint64_t time_ps) {
    uint64_t worker_ps = context_.devices[device].model.worker_ns * ns;
    queue.run_asked = true;
    queue.run_ps = time_ps + worker_ps;
    queue.run_by_ps = time_ps + 10 * worker_ps;
    defer(later::run_queue, device, number, queue.run_ps);
}

// The oldest of the queue; when it gets through, the next one.
void request_cpu::begin_run(uint32_t device, uint32_t number, uint64_t time_ps) {
    hardware_queue &queue = context_.devices[device].queues[number];
    if (queue.run_asked && std::min(queue.run_ps, queue.run_by_ps) > time_ps) {
        defer(later::run_queue, device, number, std::min(queue.run_ps, queue.run_by_ps));
        return;
    }
    queue.run_asked = false;
    run_now(device, number, time_ps);
}

void request_cpu::run_now(uint32_t device, uint32_t number, uint64_t time_ps) {
    hardware_queue &queue = context_.devices[device].queues[number];
    if (queue.running) {
        queue.again = true;
        return;
    }
    if (queue.held.empty()) {
        queue.marked = false;
        return;
    }
    queue.running = true;
    marked_ = queue.marked;
    begin_tries(queue.held.front(), true, time_ps);
}

} // namespace bouncesim::models
