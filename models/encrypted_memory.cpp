// SPDX-License-Identifier: Apache-2.0
#include "encrypted_memory.hpp"

#include "byte_runs.hpp"

#include <algorithm>
#include <iterator>

namespace bouncesim::models {

encrypted_memory::encrypted_memory(const sc_core::sc_module_name &name,
                                   const encryption_config &config)
    : sc_module(name), devices("devices"), memory("memory"), config_(config) {
    devices.register_b_transport(this, &encrypted_memory::b_transport);
}

// End of the shared range that holds the address; the address itself when it is private.
uint64_t encrypted_memory::shared_end(uint64_t address) const {
    auto next = shared_.upper_bound(address);
    if (next == shared_.begin())
        return address;
    return std::max(address, std::prev(next)->second);
}

// Where the private range that holds the address ends, `end` at most.
uint64_t encrypted_memory::private_end(uint64_t address, uint64_t end) const {
    auto next = shared_.upper_bound(address);
    return next == shared_.end() ? end : std::min(end, next->first);
}

bool encrypted_memory::is_shared(uint64_t address, uint64_t bytes) const {
    return !bytes || shared_end(address) >= address + bytes;
}

// How many pages were not so already.
uint64_t encrypted_memory::change(uint64_t address, uint64_t bytes, bool shared) {
    if (!bytes || (shared && is_shared(address, bytes)))
        return 0;
    uint64_t begin = address & ~(page_bytes - 1);
    uint64_t end = (address + bytes + page_bytes - 1) & ~(page_bytes - 1);
    uint64_t was_shared = 0;
    // Take out what lies in the range, and put back what reaches beyond it.
    uint64_t low = begin, high = end;
    auto each = shared_.upper_bound(begin);
    if (each != shared_.begin() && std::prev(each)->second >= begin)
        --each;
    while (each != shared_.end() && each->first <= end) {
        was_shared += std::max(begin, std::min(end, each->second)) - std::max(begin, each->first);
        low = std::min(low, each->first);
        high = std::max(high, each->second);
        each = shared_.erase(each);
    }
    if (shared) {
        shared_[low] = high;
    } else {
        if (low < begin)
            shared_[low] = begin;
        if (end < high)
            shared_[end] = high;
    }
    return (shared ? end - begin - was_shared : was_shared) / page_bytes;
}

void encrypted_memory::convert(uint64_t address, uint64_t bytes, bool shared, uint64_t &time_ps) {
    uint64_t pages = change(address, bytes, shared);
    (shared ? stats_.pages_shared : stats_.pages_private) += pages;
    stats_.conversion_ns += static_cast<double>(pages * config_.page_ps) / 1000;
    time_ps += pages * config_.page_ps;
}

uint64_t encrypted_memory::doorbell_exit_ps() {
    stats_.doorbells++;
    stats_.exit_ns += static_cast<double>(config_.doorbell_ps) / 1000;
    return config_.doorbell_ps;
}

uint64_t encrypted_memory::interrupt_exit_ps() {
    stats_.interrupts++;
    stats_.exit_ns += static_cast<double>(config_.interrupt_ps) / 1000;
    return config_.interrupt_ps;
}

void encrypted_memory::scramble(uint64_t address, unsigned char *data, uint64_t bytes) {
    constexpr uint64_t key = 0x5eed0fa11c0ffee5u;
    for (uint64_t i = 0; i < bytes; i++)
        data[i] ^= static_cast<unsigned char>(pattern_byte(key, address + i) | 1);
}

void encrypted_memory::scramble_private(uint64_t address, unsigned char *data,
                                        uint64_t bytes) const {
    for (uint64_t at = address, end = address + bytes; at < end;) {
        at = std::min(end, shared_end(at));
        uint64_t until = private_end(at, end);
        if (at < end)
            scramble(at, data + (at - address), until - at);
        at = until;
    }
}

void encrypted_memory::b_transport(int, tlm::tlm_generic_payload &payload,
                                   sc_core::sc_time &delay) {
    dma_extension &ext = *payload.get_extension<dma_extension>();
    uint64_t address = payload.get_address(), bytes = payload.get_data_length();
    bool write = ext.dir == BOUNCE_FROM_DEVICE;

    if (is_shared(address, bytes)) {
        memory->b_transport(payload, delay);
        return;
    }
    ext.fault = dma_fault::encrypted;
    (write ? stats_.private_writes : stats_.private_reads)++;
    stats_.private_bytes += bytes;
    stats_.faults.add({ext.fault, ext.device, address, bytes, write});
    if (config_.blocks) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        return;
    }
    unsigned char *data = payload.get_data_ptr();
    if (data && write)
        scramble_private(address, data, ext.data_bytes);
    memory->b_transport(payload, delay);
    if (data && !write)
        scramble_private(address, data, ext.data_bytes);
    ext.fault = dma_fault::encrypted;
}

} // namespace bouncesim::models
