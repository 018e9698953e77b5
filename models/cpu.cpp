// SPDX-License-Identifier: Apache-2.0
#include "cpu.hpp"

#include "models/engine.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ps = uint64_t{1} << 62;

bool is_map(const operation &op) {
    return op.event.kind == BOUNCE_EVENT_MAP || op.event.kind == BOUNCE_EVENT_ALLOC;
}

// Comes after the device has done its part.
bool needs_device(const operation &op) {
    return op.event.kind == BOUNCE_EVENT_UNMAP || op.event.kind == BOUNCE_EVENT_SYNC_FOR_CPU;
}

} // namespace

cpu::cpu(const sc_core::sc_module_name &name, cpu_context &context)
    : sc_module(name), work("work"), bounce("bounce"), devices("devices"), context_(context),
      wake_("wake") {
    work.register_b_transport(this, &cpu::b_transport);
    SC_METHOD(on_wake);
    sensitive << wake_;
    dont_initialize();
}

void cpu::wake_at(uint64_t time_ps) {
    uint64_t now = now_ps();
    if (time_ps > now)
        wake_.notify(sc_core::sc_time::from_value(time_ps - now));
    else
        wake_.notify(sc_core::SC_ZERO_TIME);
}

// The player's: the operation's number is the payload's address.
void cpu::b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    uint64_t time_ps = now_ps() + delay.value();
    queue_.push(context_.operations, static_cast<uint32_t>(payload.get_address()));
    advance(time_ps);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void cpu::on_wake() {
    context_.measured.guard([&] { advance(now_ps()); });
}

void cpu::resume(uint32_t index, uint64_t time_ps) {
    wait_until(index, time_ps);
    wake_at(std::max(time_ps, busy_until_ps_));
}

void cpu::wait_until(uint32_t index, uint64_t time_ps) {
    due_.push_back({time_ps, waited_++, index});
    std::push_heap(due_.begin(), due_.end());
}

// Does all that can begin now; the rest gets a wake-up.
void cpu::advance(uint64_t time_ps) {
    if (context_.watch)
        context_.watch->now(time_ps);
    for (;;) {
        if (busy_until_ps_ > time_ps) {
            if (copying_ != none || !due_.empty() || (!blocked_ && !queue_.empty()))
                wake_at(busy_until_ps_);
            return;
        }
        if (copying_ != none) {
            uint32_t index = copying_;
            copying_ = none;
            apply(index, copying_since_ps_, time_ps);
        } else if (!due_.empty() && due_.front().time_ps <= time_ps) {
            uint32_t index = due_.front().index;
            std::pop_heap(due_.begin(), due_.end());
            due_.pop_back();
            if (!due_.empty())
                context_.operations.prefetch(due_.front().index);
            if (is_map(context_.operations[index]))
                blocked_ = false;
            begin(index, time_ps);
        } else if (!blocked_ && !queue_.empty()) {
            uint32_t index = queue_.pop(context_.operations);
            if (queue_.front() != none)
                context_.mappings.prefetch(context_.operations[queue_.front()]);
            begin_or_wait(index, time_ps);
        } else {
            if (!due_.empty())
                wake_at(due_.front().time_ps);
            return;
        }
    }
}

void cpu::begin_or_wait(uint32_t index, uint64_t time_ps) {
    operation &op = context_.operations[index];
    if (op.group == none) {
        begin(index, time_ps);
        return;
    }
    mapping_table::group &group = context_.mappings.group_of(op);
    if (group.begun != op.ticket) {
        blocked_ |= is_map(op);
        context_.mappings.park(context_.operations, index);
        return;
    }
    uint64_t ready = group.ready_ps;
    if (needs_device(op) && group.dma_done_ps > std::max(ready, time_ps)) {
        context_.measured.dma_waits++;
        context_.measured.dma_wait_ps +=
            static_cast<double>(group.dma_done_ps - std::max(ready, time_ps));
        ready = group.dma_done_ps;
    }
    if (ready > time_ps) {
        blocked_ |= is_map(op);
        wait_until(index, ready);
        return;
    }
    begin(index, time_ps);
}

void cpu::begin(uint32_t index, uint64_t time_ps) {
    const operation &op = context_.operations[index];
    context_.measured.lag_max_ps = std::max(context_.measured.lag_max_ps, time_ps - op.recorded_ps);
    if (op.event.kind == BOUNCE_EVENT_UNMAP) {
        // The copy does not touch the pool; the pool is reached when it is done, in turn with what
        // other CPUs do meanwhile.
        uint64_t copied_ps = call_service(dma_request::copy_back, op, time_ps);
        if (copied_ps > time_ps) {
            busy_ps_ += static_cast<double>(copied_ps - time_ps);
            busy_until_ps_ = copied_ps;
            copying_ = index;
            copying_since_ps_ = time_ps;
            return;
        }
    }
    apply(index, time_ps, time_ps);
}

void cpu::apply(uint32_t index, uint64_t begun_ps, uint64_t time_ps) {
    operation &op = context_.operations[index];
    uint64_t end_ps = call_service(dma_request::apply, op, time_ps);
    bool pooled = to_service_.extension.pooled;

    busy_ps_ += static_cast<double>(end_ps - time_ps);
    busy_until_ps_ = end_ps;
    if (pooled && is_map(op))
        context_.measured.map_ps.add(end_ps - begun_ps);
    else if (pooled && op.event.kind == BOUNCE_EVENT_UNMAP)
        context_.measured.unmap_ps.add(end_ps - begun_ps);
    if (context_.watch)
        report(op, begun_ps, end_ps);
    if (op.group != none) {
        mapping_table::group &group = context_.mappings.group_of(op);
        group.ready_ps = end_ps;
        group.begun++;
        if (to_service_.extension.mapped &&
            (is_map(op) || op.event.kind == BOUNCE_EVENT_SYNC_FOR_DEVICE))
            group.dma_done_ps = std::max(group.dma_done_ps, ring_doorbell(op, end_ps));
        if (group.parked != none) {
            uint32_t next = context_.mappings.unpark(context_.operations, group);
            if (next != none) {
                const operation &waiting = context_.operations[next];
                context_.cpus[waiting.cpu]->resume(
                    next, needs_device(waiting) ? std::max(end_ps, group.dma_done_ps) : end_ps);
            }
        }
        context_.mappings.finish(op);
    }
    context_.operations.release(index);
}

void cpu::report(const operation &op, uint64_t begun_ps, uint64_t end_ps) {
    const bounce_event &event = op.event;
    const dma_extension &told = to_service_.extension;
    bool unmap = event.kind == BOUNCE_EVENT_UNMAP;
    if (op.group == none)
        return; // not a driver's call
    if (told.pooled || end_ps > begun_ps)
        context_.watch->call({op.cpu,
                              is_map(op) ? cpu_call::map
                              : unmap    ? cpu_call::unmap
                                         : cpu_call::sync,
                              event.device, event.size, event.dir, is_map(op) && !told.mapped,
                              begun_ps, end_ps});
    if (is_map(op) && told.mapped)
        context_.watch->given({event.device, event.handle, event.size, event.dir, end_ps});
    else if (unmap)
        context_.watch->done(event.handle, end_ps);
}

// Returns when it is over.
uint64_t cpu::call_service(dma_request request, const operation &op, uint64_t time_ps) {
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    to_service_.extension.request = request;
    to_service_.extension.op = &op;
    bounce->b_transport(to_service_.payload, delay);
    uint64_t end_ps = now_ps() + delay.value();
    if (end_ps > last_ps)
        throw engine_error("simulated time beyond 53 days; the trace's times or the costs are off");
    return end_ps;
}

// Returns when the device will be done.
uint64_t cpu::ring_doorbell(const operation &op, uint64_t time_ps) {
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    to_service_.extension.request = dma_request::doorbell;
    to_service_.extension.op = &op;
    devices->b_transport(to_service_.payload, delay);
    if (to_service_.extension.done_ps > last_ps)
        throw engine_error("simulated time beyond 53 days; the trace's times or the costs are off");
    return to_service_.extension.done_ps;
}

} // namespace bouncesim::models
