// SPDX-License-Identifier: Apache-2.0
#include "request_issuer.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ns = (uint64_t{1} << 62) / 1000;
constexpr uint32_t most_under_way = 1u << 20;

} // namespace

request_issuer::request_issuer(const sc_core::sc_module_name &name, request_context &context,
                               bounce_service &service)
    : sc_module(name), cpus("cpus"), context_(context), service_(service), again_("again") {
    payload_.set_command(tlm::TLM_IGNORE_COMMAND);
    context.ended = ended;
    context.issuer = this;
    SC_METHOD(issue);
    sensitive << again_;
}

void request_issuer::issue() {
    context_.measured.guard([&] { issue_all(); });
}

uint64_t request_issuer::scaled(uint64_t time_ns) const {
    double scaled = static_cast<double>(time_ns) * context_.config.time_scale;
    if (scaled > static_cast<double>(last_ns))
        throw engine_error("an event later than 53 days after the trace's beginning");
    return context_.config.time_scale == 1 ? time_ns * 1000 : static_cast<uint64_t>(scaled * 1000);
}

bool request_issuer::peek() {
    if (has_next_)
        return true;
    has_next_ = source_->next(next_);
    if (source_->devices())
        service_.set_devices(source_->devices(), source_->device_count());
    left_ = next_.size;
    context_.all_given = !has_next_;
    return has_next_;
}

// Whether the next request may come now or at a known time; else something has to end first.
bool request_issuer::may_come(uint64_t &time_ps) {
    driven_device &device = context_.device(next_.device);
    time_ps = scaled(next_.time_ns);
    if (context_.requests.live() >= most_under_way)
        return false;
    switch (context_.config.arrivals) {
    case arrival_mode::open:
        break;
    case arrival_mode::closed:
        if (device.under_way >= context_.config.depth)
            return false;
        time_ps = ended_ps_;
        break;
    case arrival_mode::trace:
        if (device.completed < next_.completions && device.under_way)
            return false;
        if (next_.completions) // what it took to come after the last of them stays the same
            time_ps = nth_end(device, next_.completions) + scaled(next_.since_ns);
        break;
    }
    time_ps = std::max(time_ps, last_ps_);
    return true;
}

// When that many requests had ended. Nobody asks for less than before.
uint64_t request_issuer::nth_end(driven_device &device, uint64_t count) {
    while (device.completed - device.ended_ps.size() + 1 < count)
        device.ended_ps.pop_front();
    return !device.ended_ps.empty() && device.completed - device.ended_ps.size() + 1 == count
               ? device.ended_ps.front()
               : last_ps_;
}

void request_issuer::issue_all() {
    uint64_t now = now_ps();
    if (!slots_held_)
        hold_slots();
    while (peek()) {
        uint64_t time_ps = 0;
        if (next_.restart ? context_.any_under_way() : !may_come(time_ps)) {
            blocked_ = true;
            return;
        }
        if (next_.restart) { // no request: what comes now waits for nothing of before
            has_next_ = false;
            continue;
        }
        if (time_ps > now) {
            again_.notify(sc_core::sc_time::from_value(time_ps - now));
            return;
        }
        submit(std::max(now, time_ps));
    }
}

void request_issuer::submit(uint64_t time_ps) {
    driven_device &device = context_.device(next_.device);
    uint64_t most = device.model.largest_request();
    uint32_t index = context_.requests.take();
    request &r = context_.requests[index];
    bool ring = device.model.ring_entries && next_.dir == BOUNCE_FROM_DEVICE;
    r = {};
    r.arrived_ps = time_ps;
    r.service_ps = !context_.config.recorded_service || next_.service_ns == arrival::unknown
                       ? arrival::unknown
                       : scaled(next_.service_ns);
    if (context_.config.service_ns != UINT64_MAX)
        r.service_ps = context_.config.service_ns * 1000;
    r.size = ring ? next_.size : std::min(left_, most);
    r.first = r.last = r.buffer = r.packet = none;
    r.device = next_.device;
    r.cpu = static_cast<uint16_t>(next_.cpu % context_.config.cpus);
    r.done_cpu = static_cast<uint16_t>(next_.done_cpu % context_.config.cpus);
    r.dir = next_.dir;
    r.state = request_state::arriving;
    left_ -= r.size;
    // What never ended in the trace ends nothing that something waited for there.
    r.counts = (!left_ || ring) && (context_.config.arrivals != arrival_mode::trace ||
                                    next_.service_ns != arrival::unknown);
    if (left_)
        context_.counts.split += r.size + left_ == next_.size;
    else
        has_next_ = false;
    context_.counts.arrived++;
    device.under_way++;
    last_ps_ = time_ps;
    context_.last_ps = std::max(context_.last_ps, time_ps);

    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    payload_.set_address(index);
    cpus[static_cast<int>(r.cpu)]->b_transport(payload_, delay);
}

void request_issuer::ended(void *self, uint32_t, uint64_t time_ps) {
    request_issuer &issuer = *static_cast<request_issuer *>(self);
    issuer.ended_ps_ = std::max(issuer.ended_ps_, time_ps);
    if (!issuer.blocked_)
        return;
    issuer.blocked_ = false;
    uint64_t now = now_ps();
    issuer.again_.notify(time_ps > now ? sc_core::sc_time::from_value(time_ps - now)
                                       : sc_core::SC_ZERO_TIME);
}

// Slots that other devices have taken before the trace begins and keep.
void request_issuer::hold_slots() {
    slots_held_ = true;
    if (!context_.config.held_slots || !peek())
        return;
    operation op = {};
    for (uint32_t i = 0; i < context_.config.held_slots; i++) {
        uint32_t handle = context_.pieces.take();
        op.event.kind = BOUNCE_EVENT_MAP;
        op.event.flags = BOUNCE_EVENT_HELD;
        op.event.size = uint64_t{1} << BOUNCE_SLOT_SHIFT;
        op.event.handle = op.trace_handle = handle;
        op.event.list = op.trace_list = BOUNCE_NO_LIST;
        op.event.device = next_.device;
        op.event.dir = BOUNCE_FROM_DEVICE;
        service_.hold(op);
    }
}

} // namespace bouncesim::models
