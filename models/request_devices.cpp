// SPDX-License-Identifier: Apache-2.0
#include "request_devices.hpp"

#include "models/service_times.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

constexpr uint64_t ns = 1000;

} // namespace

request_devices::request_devices(const sc_core::sc_module_name &name, request_context &context,
                                 const costs &timing)
    : sc_module(name), doorbell("doorbell"), bus("bus"), interrupts("interrupts"),
      context_(context), timing_(timing), watch_(context.config.watch), due_event_("due"),
      random_(context.config.seed) {
    doorbell.register_b_transport(this, &request_devices::b_transport);
    interrupt_.set_command(tlm::TLM_IGNORE_COMMAND);
    SC_METHOD(on_due);
    sensitive << due_event_;
    dont_initialize();
}

request_devices::device_state &request_devices::state(uint32_t device) {
    if (device >= states_.size())
        states_.resize(std::size_t{device} + 1);
    return states_[device];
}

void request_devices::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    const dma_extension &ext = *payload.get_extension<dma_extension>();
    uint32_t index = static_cast<uint32_t>(payload.get_address());
    uint64_t time_ps = now_ps() + delay.value();
    if (ext.request == dma_request::packet)
        receive(index, time_ps);
    else
        start(index, time_ps);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

// One buffer over the device's link; returns when its last byte has arrived.
uint64_t request_devices::transfer(uint32_t index, uint32_t device, bool read, uint64_t start_ps) {
    const piece &p = context_.pieces[index];
    uint64_t per_kib = read ? timing_.bus_read_ps_per_kib : timing_.bus_write_ps_per_kib;
    uint64_t on_link = p.size / 1024 * per_kib + p.size % 1024 * per_kib / 1024;
    uint64_t latency = (read ? timing_.bus_read : timing_.bus_write).at(p.size);
    uint64_t &free_at = state(device).link_free_ps;
    uint64_t begin = std::max(start_ps, free_at);
    free_at = begin + on_link;
    sc_core::sc_time delay =
        sc_core::sc_time::from_value(begin + std::max(latency, on_link) - now_ps());
    port_.transfer(bus, {device, index, p.token, p.dma_addr, 0, p.size, read}, delay);
    transfers_++;
    uint64_t done_ps = now_ps() + delay.value();
    busy_ps_ += static_cast<double>(done_ps - start_ps);
    if (watch_)
        watch_->transfer({device, read, p.dma_addr, p.size, begin, begin + on_link, done_ps});
    return done_ps;
}

uint64_t request_devices::move(uint32_t index, uint64_t time_ps) {
    const request &r = context_.requests[index];
    uint64_t last_ps = time_ps;
    for (uint32_t at = r.first; at != none; at = context_.pieces[at].next) {
        const piece &p = context_.pieces[at];
        if (p.dir != BOUNCE_FROM_DEVICE)
            last_ps = std::max(last_ps, transfer(at, r.device, true, time_ps));
        if (p.dir != BOUNCE_TO_DEVICE)
            last_ps = std::max(last_ps, transfer(at, r.device, false, time_ps));
    }
    return last_ps;
}

// As the device's own model has it: its latency, then the bytes at the rate of a channel; or as
// long as another request took.
uint64_t request_devices::serve(uint32_t device, uint64_t bytes, bool write, uint64_t time_ps) {
    const device_model &model = context_.devices[device].model;
    if (model.drawn)
        return time_ps + model.drawn->draw(write, bytes, random_.next()) * ns;
    std::vector<uint64_t> &channels = state(device).channels;
    uint64_t per_kib = write ? model.write_ns_per_kib : model.read_ns_per_kib;
    uint64_t on_channel = bytes * per_kib / 1024 * ns;
    uint64_t latency = (write ? model.write_ns : model.read_ns) * ns;
    while (!channels.empty() && channels.front() <= time_ps) {
        std::pop_heap(channels.begin(), channels.end(), std::greater<>());
        channels.pop_back();
    }
    uint64_t begin = time_ps;
    if (channels.size() >= model.channels) {
        begin = channels.front();
        std::pop_heap(channels.begin(), channels.end(), std::greater<>());
        channels.pop_back();
    }
    uint64_t busy_until = begin + on_channel + (model.pipelined ? 0 : latency);
    if (busy_until > time_ps) {
        channels.push_back(busy_until);
        std::push_heap(channels.begin(), channels.end(), std::greater<>());
    }
    return begin + on_channel + latency;
}

void request_devices::start(uint32_t index, uint64_t time_ps) {
    const request &r = context_.requests[index];
    const device_model &model = context_.devices[r.device].model;
    uint64_t moved_ps = move(index, time_ps);
    if (r.service_ps != arrival::unknown) {
        done_at(index, time_ps + r.service_ps);
        return;
    }
    context_.counts.assumed_service += context_.config.recorded_service;
    uint64_t served_ps = serve(r.device, r.size, r.dir == BOUNCE_TO_DEVICE, time_ps);
    done_at(index, std::max(moved_ps, served_ps) + model.interrupt_ns * ns);
}

// The bytes go to the receive buffers that were posted first; what finds none is dropped.
void request_devices::receive(uint32_t index, uint64_t time_ps) {
    request &packet = context_.requests[index];
    driven_device &device = context_.devices[packet.device];
    uint64_t each = std::max<uint64_t>(1, device.model.ring_bytes);
    uint64_t wanted = std::max<uint64_t>(1, (packet.size + each - 1) / each);
    if (device.posted.size() < wanted) {
        packet.failed = true;
        return;
    }
    packet.state = request_state::started;
    packet.parts = static_cast<uint32_t>(wanted);
    bool recorded = packet.service_ps != arrival::unknown;
    context_.counts.assumed_service += !recorded && context_.config.recorded_service;
    uint64_t served_ps =
        recorded ? time_ps + packet.service_ps : serve(packet.device, packet.size, false, time_ps);
    for (uint64_t i = 0; i < wanted; i++) {
        uint32_t buffer = device.posted.pop(context_.requests);
        request &r = context_.requests[buffer];
        r.packet = index;
        r.done_cpu = packet.done_cpu;
        context_.started++;
        uint64_t moved_ps = move(buffer, time_ps);
        done_at(buffer, recorded ? served_ps
                                 : std::max(served_ps, moved_ps) + device.model.interrupt_ns * ns);
    }
}

void request_devices::done_at(uint32_t index, uint64_t time_ps) {
    due_.push_back({time_ps, order_++, index});
    std::push_heap(due_.begin(), due_.end());
    uint64_t now = now_ps(), first = due_.front().time_ps;
    due_event_.notify(first > now ? sc_core::sc_time::from_value(first - now)
                                  : sc_core::SC_ZERO_TIME);
}

void request_devices::on_due() {
    context_.measured.guard([&] {
        uint64_t now = now_ps();
        while (!due_.empty() && due_.front().time_ps <= now) {
            uint32_t index = due_.front().index;
            std::pop_heap(due_.begin(), due_.end());
            due_.pop_back();
            const request &r = context_.requests[index];
            if (watch_)
                watch_->done(index, now);
            sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
            interrupt_.set_address(index);
            interrupts[static_cast<int>(r.done_cpu)]->b_transport(interrupt_, delay);
        }
        if (!due_.empty())
            due_event_.notify(sc_core::sc_time::from_value(due_.front().time_ps - now));
    });
}

} // namespace bouncesim::models
