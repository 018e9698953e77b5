// SPDX-License-Identifier: Apache-2.0
#include "request_issuer.hpp"

#include <algorithm>
#include <string>

namespace bouncesim::models {
namespace {

constexpr uint64_t last_ns = (uint64_t{1} << 62) / 1000;
constexpr uint32_t most_under_way = 1u << 20;
constexpr uint32_t most_in_lines = 1u << 14;

} // namespace

request_issuer::request_issuer(const sc_core::sc_module_name &name, request_context &context,
                               bounce_service &service)
    : sc_module(name), cpus("cpus"), context_(context), service_(service), again_("again") {
    payload_.set_command(tlm::TLM_IGNORE_COMMAND);
    context.moved = moved;
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
        throw engine_error(
            std::string("an event later than 53 days after the trace's beginning") +
            (context_.config.time_scale > 1 ? "; a smaller time scale was expected" : ""));
    return context_.config.time_scale == 1 ? time_ns * 1000 : static_cast<uint64_t>(scaled * 1000);
}

bool request_issuer::peek() {
    if (has_next_ || source_ended_)
        return has_next_;
    has_next_ = source_->next(next_);
    source_ended_ = !has_next_;
    if (source_->devices())
        service_.set_devices(source_->devices(), source_->device_count());
    left_ = next_.size;
    return has_next_;
}

// Whether the request may come now or at a known time; else something has to end first.
bool request_issuer::may_come(const arrival &request, uint64_t &time_ps) {
    driven_device &device = context_.device(request.device);
    switch (context_.config.arrivals) {
    case arrival_mode::open:
        time_ps = scaled(request.time_ns);
        break;
    case arrival_mode::closed:
        if (device.under_way >= context_.config.depth)
            return false;
        time_ps = device.last_end_ps;
        break;
    case arrival_mode::trace:
        if (device.completed < request.completions && device.under_way)
            return false;
        time_ps = request.completions // what it took to come after the last of them stays the same
                      ? nth_end(device, request.completions) + scaled(request.since_ns)
                      : scaled(request.time_ns);
        break;
    }
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

// The next of the trace, if it may come. One that may not holds back all later ones; but where it
// waits for others of its device to find room, those of other devices do not: it goes into its
// line.
bool request_issuer::read_on(uint64_t &time_ps) {
    stopped_ = false;
    while (peek()) {
        if (next_.restart) { // no request: what comes after it waits for nothing of before
            stopped_ = lines_.size() || context_.under_way;
            if (stopped_)
                return false;
            has_next_ = false;
            continue;
        }
        if (lines_.empty(next_.device) && may_come(next_, time_ps))
            return true;
        stopped_ = !context_.device(next_.device).held || lines_.size() >= most_in_lines;
        if (stopped_)
            return false;
        lines_.push(next_, left_);
        has_next_ = false;
    }
    return false;
}

// The first of the device's line, if it may come.
bool request_issuer::line_up(uint32_t device) {
    uint64_t time_ps = 0;
    if (lines_.empty(device) || lines_.ready(device) ||
        !may_come(lines_.front(device).request, time_ps))
        return false;
    lines_.ready(device) = true;
    ready_.push_back({time_ps, lines_.front(device).number, device});
    std::push_heap(ready_.begin(), ready_.end());
    return true;
}

void request_issuer::issue_all() {
    uint64_t now = now_ps();
    if (!slots_held_)
        hold_slots();
    for (;;) {
        uint64_t time_ps = 0;
        bool full = context_.under_way >= most_under_way;
        bool reads = !full && read_on(time_ps);
        stopped_ = stopped_ || full;
        context_.all_given = source_ended_ && !lines_.size();
        if (full || (!reads && ready_.empty()))
            return;
        bool waited = !ready_.empty() && (!reads || ready_.front().time_ps <= time_ps);
        if (waited)
            time_ps = ready_.front().time_ps;
        if (time_ps > now) {
            again_.notify(sc_core::sc_time::from_value(time_ps - now));
            return;
        }
        if (!waited) {
            submit(next_, left_, now);
            has_next_ = left_ > 0;
            continue;
        }
        uint32_t device = ready_.front().device;
        std::pop_heap(ready_.begin(), ready_.end());
        ready_.pop_back();
        lines_.ready(device) = false;
        arrival_lines::entry &first = lines_.front(device);
        submit(first.request, first.left, now);
        if (!first.left)
            lines_.pop(device);
        line_up(device);
    }
}

// As much of the request as its device takes at a time, or the rest.
void request_issuer::submit(const arrival &from, uint64_t &left, uint64_t time_ps) {
    driven_device &device = context_.device(from.device);
    uint64_t most = device.model.largest_request();
    uint32_t index = context_.requests.take();
    request &r = context_.requests[index];
    bool ring = device.model.ring_entries && from.dir == BOUNCE_FROM_DEVICE;
    r = {};
    r.arrived_ps = time_ps;
    r.service_ps = !context_.config.recorded_service || from.service_ns == arrival::unknown
                       ? arrival::unknown
                       : scaled(from.service_ns);
    if (context_.config.service_ns != UINT64_MAX)
        r.service_ps = context_.config.service_ns * 1000;
    r.size = ring ? from.size : std::min(left, most);
    r.first = r.last = r.list = r.buffer = r.packet = none;
    r.device = from.device;
    r.cpu = static_cast<uint16_t>(from.cpu % context_.config.cpus);
    r.done_cpu = static_cast<uint16_t>(from.done_cpu % context_.config.cpus);
    r.dir = from.dir;
    r.state = request_state::arriving;
    // Of a request that is cut each part has its share.
    r.segments =
        static_cast<uint16_t>(from.size ? (from.segments * r.size + from.size - 1) / from.size : 0);
    left -= r.size;
    // What never ended in the trace ends nothing that something waited for there.
    r.counts = (!left || ring) && (context_.config.arrivals != arrival_mode::trace ||
                                   from.service_ns != arrival::unknown);
    if (left)
        context_.counts.split += r.size + left == from.size;
    context_.counts.arrived++;
    device.under_way++;
    context_.under_way++;
    last_ps_ = time_ps;
    context_.last_ps = std::max(context_.last_ps, time_ps);

    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload_.set_address(index);
    cpus[static_cast<int>(r.cpu)]->b_transport(payload_, delay);
}

// A request of the device has ended, or found no room.
void request_issuer::moved(void *self, uint32_t device, uint64_t time_ps) {
    request_issuer &issuer = *static_cast<request_issuer *>(self);
    if (!issuer.line_up(device) && !issuer.stopped_)
        return;
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
