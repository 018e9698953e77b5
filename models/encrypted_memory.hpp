// SPDX-License-Identifier: Apache-2.0
// The memory of a confidential guest as devices see it: they reach the pages that were made shared;
// of all others they get ciphertext (SEV) or are stopped (TDX). Stands right before the memory.
#pragma once

#include "dma_extension.hpp"
#include "models/encryption_config.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <map>

namespace bouncesim::models {

class encrypted_memory : public sc_core::sc_module {
  public:
    static constexpr uint64_t page_bytes = 4096;

    tlm_utils::multi_passthrough_target_socket<encrypted_memory> devices;
    tlm_utils::simple_initiator_socket<encrypted_memory> memory;

    // `config` has to outlive this. All pages are private at first.
    encrypted_memory(const sc_core::sc_module_name &name, const encryption_config &config);

    // Makes the pages that [address, address + bytes) touches shared or private; those that are so
    // already cost nothing. `time_ps` goes on by what the CPU takes. O(log n) in separate ranges.
    void convert(uint64_t address, uint64_t bytes, bool shared, uint64_t &time_ps);
    // Shared before anything was counted, or by what counts it elsewhere.
    void share_at_boot(uint64_t address, uint64_t bytes) {
        change(address, bytes, true);
    }
    // Whether all of these pages are shared.
    bool is_shared(uint64_t address, uint64_t bytes) const;

    // Exits of the guest: what the CPU takes for one.
    uint64_t doorbell_exit_ps();
    uint64_t interrupt_exit_ps();

    // What a device reads of a private page, and what a CPU reads of one that a device wrote: the
    // bytes turned into others that depend on their address. Twice gives the same again.
    static void scramble(uint64_t address, unsigned char *data, uint64_t bytes);

    const encryption_stats &stats() const {
        return stats_;
    }

  private:
    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    uint64_t change(uint64_t address, uint64_t bytes, bool shared);
    uint64_t shared_end(uint64_t address) const;
    uint64_t private_end(uint64_t address, uint64_t end) const;
    void scramble_private(uint64_t address, unsigned char *data, uint64_t bytes) const;

    const encryption_config &config_;
    std::map<uint64_t, uint64_t> shared_; // begin to end, apart from each other
    encryption_stats stats_;
};

} // namespace bouncesim::models
