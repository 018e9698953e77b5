// SPDX-License-Identifier: Apache-2.0
#include "request_cpu.hpp"

#include "segments.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ps = uint64_t{1} << 62;
constexpr uint64_t ns = 1000;

} // namespace

request_cpu::request_cpu(const sc_core::sc_module_name &name, request_context &context,
                         uint32_t number)
    : sc_module(name), work("work"), interrupts("interrupts"), bounce("bounce"), devices("devices"),
      context_(context), number_(number), wake_("wake") {
    work.register_b_transport(this, &request_cpu::b_arrive);
    interrupts.register_b_transport(this, &request_cpu::b_interrupt);
    SC_METHOD(on_wake);
    sensitive << wake_;
    dont_initialize();
}

void request_cpu::wake_at(uint64_t time_ps) {
    uint64_t now = now_ps();
    if (time_ps > now)
        wake_.notify(sc_core::sc_time::from_value(time_ps - now));
    else
        wake_.notify(sc_core::SC_ZERO_TIME);
}

void request_cpu::b_arrive(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    arrived_.push(context_.requests, static_cast<uint32_t>(payload.get_address()));
    wake_at(std::max<uint64_t>(now_ps() + delay.value(), busy_until_ps_));
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void request_cpu::b_interrupt(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    done_.push(context_.requests, static_cast<uint32_t>(payload.get_address()));
    wake_at(std::max<uint64_t>(now_ps() + delay.value(), busy_until_ps_));
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void request_cpu::resubmit(uint32_t index, uint64_t time_ps) {
    arrived_.push(context_.requests, index);
    wake_at(std::max(time_ps, busy_until_ps_));
}

void request_cpu::defer(later what, uint32_t device, uint32_t queue, uint64_t time_ps) {
    deferred_.push_back({time_ps, deferred_count_++, device, queue, what});
    std::push_heap(deferred_.begin(), deferred_.end());
    wake_at(std::max(time_ps, busy_until_ps_));
}

void request_cpu::on_wake() {
    context_.measured.guard([&] { advance(now_ps()); });
}

// While no other process has anything to do before a step ends, the next one need not wait for
// SystemC to get there.
void request_cpu::advance(uint64_t time_ps) {
    for (;;) {
        if (busy_until_ps_ > time_ps) {
            uint64_t others = sc_core::sc_time_to_pending_activity(simcontext()).value();
            uint64_t now = now_ps();
            bool more = task_ != task::idle || !done_.empty() || !arrived_.empty();
            if (more && busy_until_ps_ - now < others) {
                time_ps = busy_until_ps_;
            } else {
                if (more)
                    wake_at(busy_until_ps_);
                else if (!deferred_.empty())
                    wake_at(std::max(busy_until_ps_, deferred_.front().time_ps));
                return;
            }
        }
        if (task_ == task::idle && !begin(time_ps)) {
            if (!deferred_.empty())
                wake_at(deferred_.front().time_ps);
            return;
        }
        if (task_ == task::idle)
            continue;
        uint64_t end_ps = step(time_ps);
        busy_ps_ += static_cast<double>(end_ps - time_ps);
        busy_until_ps_ = end_ps;
        context_.last_ps = std::max(context_.last_ps, end_ps);
    }
}

// Takes up the next thing; false when there is none yet.
bool request_cpu::begin(uint64_t time_ps) {
    if (!done_.empty()) {
        begin_end(done_.pop(context_.requests), time_ps);
    } else if (!deferred_.empty() && deferred_.front().time_ps <= time_ps) {
        deferred next = deferred_.front();
        std::pop_heap(deferred_.begin(), deferred_.end());
        deferred_.pop_back();
        if (next.what == later::run_queue)
            begin_run(next.device, next.queue, time_ps);
        else
            begin_refill(next.device, time_ps);
    } else if (!arrived_.empty()) {
        begin_request(arrived_.pop(context_.requests), time_ps);
    } else {
        return false;
    }
    since_ps_ = time_ps;
    return true;
}

uint64_t request_cpu::step(uint64_t time_ps) {
    switch (task_) {
    case task::map:
        return map_piece(time_ps);
    case task::undo:
        return undo_piece(time_ps);
    case task::unmap_copy:
    case task::unmap:
        return unmap_piece(time_ps);
    case task::refill:
        return refill_one(time_ps);
    case task::idle:
        break;
    }
    return time_ps;
}

// ---- requests ----

uint32_t request_cpu::queue_number(const request &r) const {
    return static_cast<uint32_t>(r.cpu % context_.devices[r.device].queues.size());
}

void request_cpu::begin_request(uint32_t index, uint64_t time_ps) {
    request &r = context_.requests[index];
    driven_device &device = context_.device(r.device);
    if (device.model.ring_entries && !device.ring_filled) {
        device.ring_filled = true; // when the interface was opened: before its first packet
        device.missing = static_cast<uint32_t>(device.model.ring_entries);
        defer(later::refill, r.device, 0, time_ps);
        arrived_.push(context_.requests, index);
        return;
    }
    if (device.model.ring_entries && r.dir == BOUNCE_FROM_DEVICE) {
        ring(dma_request::packet, index, time_ps);
        if (r.failed)
            end_request(index, false, time_ps);
        return;
    }
    hardware_queue &queue = context_.queue_of(r);
    if (queue.started >= device.model.depth) {
        context_.counts.tag_waits++;
        queue.waiting.push(context_.requests, index);
        return;
    }
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

void request_cpu::fill_operation(const request &r, const piece &p, uint32_t index, uint8_t kind) {
    bounce_event &event = op_.event;
    event = {};
    event.kind = kind;
    event.id = p.id;
    event.orig_addr = p.address;
    event.size = p.size;
    event.handle = op_.trace_handle = index;
    event.list = op_.trace_list = BOUNCE_NO_LIST;
    event.device = r.device;
    event.cpu = static_cast<uint16_t>(number_);
    event.dir = p.dir;
    if (p.in_list) {
        event.list = op_.trace_list = r.first;
        event.flags = BOUNCE_EVENT_IN_LIST;
        if (index == r.first)
            event.flags |= BOUNCE_EVENT_LIST_FIRST;
        if (index == r.last)
            event.flags |= BOUNCE_EVENT_LIST_LAST;
    }
    op_.group = none;
}

uint64_t request_cpu::map_piece(uint64_t time_ps) {
    request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    p.id = context_.next_mapping++;
    fill_operation(r, p, piece_, BOUNCE_EVENT_MAP);
    uint64_t end_ps = call_service(dma_request::apply, time_ps);
    const dma_extension &told = to_service_.extension;
    if (told.pooled)
        context_.measured.map_ps.add(end_ps - time_ps);
    if (told.mapped) {
        p.mapped = true;
        p.dma_addr = told.dma_addr;
        p.token = told.mapping;
        piece_ = p.next;
        return piece_ == none ? mapped_all(end_ps) : end_ps;
    }
    if (p.in_list) // all of it was unmapped at once
        for (uint32_t at = r.first; at != piece_; at = context_.pieces[at].next)
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
    if (context_.encryption)
        time_ps += context_.encryption->doorbell_exit_ps();
    if (from_queue_) {
        queue.held.pop(context_.requests);
        queue.running = queue.again = false;
        context_.held--;
        context_.counts.held_ns += static_cast<double>(time_ps - r.held_since_ps) / 1000;
    }
    r.state = request_state::started;
    queue.started++;
    context_.started++;
    context_.counts.inflight_hiwater =
        std::max<uint64_t>(context_.counts.inflight_hiwater, context_.started);
    context_.progress_ps = std::max(context_.progress_ps, time_ps);
    uint32_t device = r.device, number = queue_number(r);
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
        task_ = task::idle;
        queue.running = queue.again = false;
        if (!marked_ || again) { // nobody would run the queue: at once again, now marked
            queue.marked = true;
            ask_run(queue, r.device, number, time_ps);
        } else if (!queue.started) {
            uint64_t since_ps = std::max(context_.progress_ps, r.held_since_ps);
            if (time_ps > since_ps + context_.config.watchdog_ns * ns)
                throw engine_stalled("");
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
    if (model.full == on_full::requeue)
        hold(time_ps);
    else
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
    context_.counts.held++;
    context_.held++;
    context_.counts.held_hiwater = std::max<uint64_t>(context_.counts.held_hiwater, context_.held);
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
    if (queue.started >= context_.devices[device].model.depth)
        return; // what ends runs it again
    queue.running = true;
    marked_ = queue.marked;
    begin_tries(queue.held.front(), true, time_ps);
}

// ---- ends ----

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
    if (interrupted_ && context_.encryption && time_ps != handler_until_ps_)
        time_ps += context_.encryption->interrupt_exit_ps();
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
    if (!queue.waiting.empty()) {
        uint32_t next = queue.waiting.pop(context_.requests);
        (*peers_)[context_.requests[next].cpu]->resubmit(next, time_ps);
    }
    if (queue.held.empty() || (!queue.marked && !queue.run_asked))
        return;
    // The worker gets to it when the interrupt's handler has ended all that is done.
    if (queue.run_asked)
        queue.run_ps = time_ps + context_.devices[r.device].model.worker_ns * ns;
    else
        ask_run(queue, r.device, queue_number(r), time_ps);
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
    context_.progress_ps = std::max(context_.progress_ps, time_ps);
    uint32_t number = r.device;
    drop_segments(context_, index);
    context_.requests.release(index);
    context_.ended(context_.issuer, number, time_ps);
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

void request_cpu::begin_refill(uint32_t device, uint64_t) {
    if (!context_.devices[device].missing)
        return;
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

uint64_t request_cpu::refill_one(uint64_t time_ps) {
    request &r = context_.requests[index_];
    piece &p = context_.pieces[piece_];
    driven_device &device = context_.devices[r.device];
    uint32_t number = r.device;
    p.id = context_.next_mapping++;
    fill_operation(r, p, piece_, BOUNCE_EVENT_MAP);
    uint64_t end_ps = call_service(dma_request::apply, time_ps);
    const dma_extension &told = to_service_.extension;
    task_ = task::idle;
    if (time_ps == handler_until_ps_) // the handler that took a buffer posts the next one
        handler_until_ps_ = end_ps;
    if (told.pooled)
        context_.measured.map_ps.add(end_ps - time_ps);
    if (told.mapped) {
        p.mapped = true;
        p.dma_addr = told.dma_addr;
        p.token = told.mapping;
        device.posted.push(context_.requests, index_);
        device.missing--;
        begin_refill(number, end_ps);
        return end_ps;
    }
    drop_segments(context_, index_);
    context_.requests.release(index_);
    if (device.posted.empty()) // no packet will come that would try again
        defer(later::refill, number, 0, end_ps + device.model.retry_ns * ns);
    return end_ps;
}

// ---- calls ----

// What the layers above the DMA API take: once a request, when it is submitted, or a packet
// received, when the last of its buffers is unmapped.
uint64_t request_cpu::own_work_ps(const request &r) const {
    const costs &timing = context_.config.timing;
    return timing.request_ps + r.size / 1024 * timing.request_ps_per_kib +
           r.size % 1024 * timing.request_ps_per_kib / 1024;
}

// Returns when it is over.
uint64_t request_cpu::call_service(dma_request request, uint64_t time_ps) {
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    to_service_.extension.request = request;
    to_service_.extension.op = &op_;
    bounce->b_transport(to_service_.payload, delay);
    uint64_t end_ps = now_ps() + delay.value();
    if (end_ps > last_ps)
        throw engine_error("simulated time beyond 53 days; the trace's times or the costs are off");
    return end_ps;
}

void request_cpu::ring(dma_request request, uint32_t index, uint64_t time_ps) {
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    to_devices_.extension.request = request;
    to_devices_.payload.set_address(index);
    devices->b_transport(to_devices_.payload, delay);
}

} // namespace bouncesim::models
