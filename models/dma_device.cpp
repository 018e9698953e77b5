// SPDX-License-Identifier: Apache-2.0
#include "dma_device.hpp"

#include <algorithm>
#include <functional>

namespace bouncesim::models {

dma_device::dma_device(const sc_core::sc_module_name &name, const costs &timing, activity *watch)
    : sc_module(name), doorbell("doorbell"), bus("bus"), timing_(timing), watch_(watch),
      link_free_at_ps_(64) {
    doorbell.register_b_transport(this, &dma_device::b_transport);
}

// Its last byte has arrived at the time returned; the link is free for the next one earlier, when
// the bytes have left it.
uint64_t dma_device::transfer(const dma_extension &told, uint64_t offset, uint64_t size, bool read,
                              uint64_t start_ps) {
    uint64_t bytes = std::min(size, cost_curve::limit);
    uint64_t per_kib = read ? timing_.bus_read_ps_per_kib : timing_.bus_write_ps_per_kib;
    uint64_t on_link = bytes / 1024 * per_kib + bytes % 1024 * per_kib / 1024;
    uint64_t latency = (read ? timing_.bus_read : timing_.bus_write).at(bytes);
    uint32_t device = told.op->event.device;
    uint64_t &free_at = link_free_at_ps_[device];

    uint64_t begin = std::max(start_ps, free_at);
    if (read && timing_.bus_reads)
        begin = read_place(told.op->event.device, begin);
    free_at = begin + on_link;
    sc_core::sc_time delay =
        sc_core::sc_time::from_value(begin + std::max(latency, on_link) - now_ps());
    port_.transfer(
        bus, {device, told.op->event.handle, told.mapping, told.dma_addr, offset, bytes, read},
        delay);
    uint64_t done = now_ps() + delay.value();
    if (read && timing_.bus_reads)
        read_begun(told.op->event.device, done);
    transfers_++;
    busy_ps_ += static_cast<double>(done - start_ps);
    if (watch_)
        watch_->transfer(
            {device, read, told.dma_addr + offset, bytes, begin, begin + on_link, done});
    return done;
}

// With `bus_reads` outstanding the next one begins when the first of them ends.
uint64_t dma_device::read_place(uint32_t device, uint64_t begin_ps) {
    if (device >= reading_ps_.size())
        reading_ps_.resize(std::size_t{device} + 1);
    std::vector<uint64_t> &reading = reading_ps_[device];
    if (reading.size() < timing_.bus_reads)
        return begin_ps;
    begin_ps = std::max(begin_ps, reading.front());
    std::pop_heap(reading.begin(), reading.end(), std::greater<>());
    reading.pop_back();
    return begin_ps;
}

void dma_device::read_begun(uint32_t device, uint64_t done_ps) {
    reading_ps_[device].push_back(done_ps);
    std::push_heap(reading_ps_[device].begin(), reading_ps_[device].end(), std::greater<>());
}

void dma_device::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    dma_extension &ext = *payload.get_extension<dma_extension>();
    const bounce_event &event = ext.op->event;
    bool sync = event.kind == BOUNCE_EVENT_SYNC_FOR_DEVICE;
    uint64_t offset = sync ? event.offset : 0;
    // A sync may name more than the mapping has: a device uses what it was given.
    uint64_t bytes = offset < ext.size ? std::min(event.size, ext.size - offset) : 0;

    if (event.device >= link_free_at_ps_.size())
        link_free_at_ps_.resize(std::size_t{event.device} * 2);
    ext.done_ps = now_ps() + delay.value();
    if (bytes && (ext.dir == BOUNCE_TO_DEVICE || ext.dir == BOUNCE_BIDIRECTIONAL))
        ext.done_ps = transfer(ext, offset, bytes, true, ext.done_ps);
    if (bytes && (ext.dir == BOUNCE_FROM_DEVICE || ext.dir == BOUNCE_BIDIRECTIONAL))
        ext.done_ps = transfer(ext, offset, bytes, false, ext.done_ps);
    last_done_ps_ = std::max(last_done_ps_, ext.done_ps);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

} // namespace bouncesim::models
