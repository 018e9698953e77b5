// SPDX-License-Identifier: Apache-2.0
#include "request_cpu.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ps = uint64_t{1} << 62;

} // namespace

request_cpu::request_cpu(const sc_core::sc_module_name &name, request_context &context,
                         uint32_t number)
    : sc_module(name), work("work"), interrupts("interrupts"), bounce("bounce"), devices("devices"),
      context_(context), watch_(context.config.watch), number_(number), wake_("wake") {
    op_.cpu = number;
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
        if (watch_)
            watch_->now(time_ps);
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
            refill_later(next.device, time_ps);
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

// ---- calls ----

uint32_t request_cpu::queue_number(const request &r) const {
    return static_cast<uint32_t>(r.cpu % context_.devices[r.device].queues.size());
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
        event.list = op_.trace_list = r.list;
        event.flags = BOUNCE_EVENT_IN_LIST;
        if (index == r.list)
            event.flags |= BOUNCE_EVENT_LIST_FIRST;
        if (p.next == none || !context_.pieces[p.next].in_list)
            event.flags |= BOUNCE_EVENT_LIST_LAST;
    }
    op_.group = none;
}

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

// A call that call_service() has just done.
void request_cpu::report(cpu_call what, const piece &p, uint64_t begin_ps, uint64_t end_ps) {
    const dma_extension &told = to_service_.extension;
    if (watch_ && (told.pooled || end_ps > begin_ps))
        watch_->call({number_, what, op_.event.device, p.size, p.dir,
                      what == cpu_call::map && !told.mapped, begin_ps, end_ps});
}

void request_cpu::report_exit(uint64_t begin_ps, uint64_t end_ps) {
    if (watch_ && end_ps > begin_ps)
        watch_->phase(number_, cpu_phase::exit, begin_ps, end_ps);
}

void request_cpu::ring(dma_request request, uint32_t index, uint64_t time_ps) {
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    to_devices_.extension.request = request;
    to_devices_.payload.set_address(index);
    devices->b_transport(to_devices_.payload, delay);
}

} // namespace bouncesim::models
