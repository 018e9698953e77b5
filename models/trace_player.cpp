// SPDX-License-Identifier: Apache-2.0
#include "trace_player.hpp"

#include "dma_extension.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ns = (uint64_t{1} << 62) / 1000;

} // namespace

trace_player::trace_player(const sc_core::sc_module_name &name, cpu_context &context,
                           bounce_service &service)
    : sc_module(name), cpus("cpus"), context_(context), service_(service) {
    payload_.set_command(tlm::TLM_IGNORE_COMMAND);
    SC_METHOD(play);
}

void trace_player::play() {
    context_.measured.guard([&] { submit_until_others_act(); });
}

// While no other process has anything to do before the next event there is no need to let the
// kernel advance time: the event goes out with its distance as annotated delay.
void trace_player::submit_until_others_act() {
    uint64_t now = now_ps();
    last_ps_ = std::max(last_ps_, now);
    while (next_event()) {
        const bounce_event &event = batch_.events[position_];
        // Nothing goes past another boot, in either direction.
        bool alone = event.kind == BOUNCE_EVENT_RESTART || restarting_;
        if (alone ? context_.operations.live() > 0 : !context_.operations.has_room()) {
            context_.operations.wanted = true;
            next_trigger(context_.operations.released);
            return;
        }
        if (event.time_ns > last_ns)
            throw engine_error("an event later than 53 days after the trace's beginning");
        uint64_t recorded = event.time_ns * 1000;
        uint64_t time = std::max(recorded, last_ps_);
        if (time > now && time - now > sc_core::sc_time_to_pending_activity(simcontext()).value()) {
            next_trigger(sc_core::sc_time::from_value(time - now));
            return;
        }
        restarting_ = event.kind == BOUNCE_EVENT_RESTART;
        submit(event, recorded, time);
        position_++;
    }
}

bool trace_player::next_event() {
    if (position_ < batch_.count)
        return true;
    if (!done_) {
        batch_ = (*source_)();
        position_ = 0;
        if (batch_.devices) // at the end operations may still be waiting: the last table goes on
            service_.set_devices(batch_.devices, batch_.device_count);
        done_ = !batch_.count;
    }
    return !done_;
}

void trace_player::submit(const bounce_event &event, uint64_t recorded_ps, uint64_t time_ps) {
    uint32_t index = context_.operations.take();
    operation &op = context_.operations[index];
    op.event = event;
    op.recorded_ps = recorded_ps;
    op.cpu = static_cast<uint32_t>(event.cpu % context_.cpus.size());
    context_.mappings.bind(op);
    last_ps_ = time_ps;

    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    payload_.set_address(index);
    cpus[static_cast<int>(op.cpu)]->b_transport(payload_, delay);
}

} // namespace bouncesim::models
