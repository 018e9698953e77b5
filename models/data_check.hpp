// SPDX-License-Identifier: Apache-2.0
// Proves with real bytes that each of them reaches the right buffer. Whoever owns a buffer writes a
// pattern of its own into it: the CPU before a map and before a sync_for_device, the device with
// each transfer. Bytes move only by the copies that the DMA layer reports and by the transfers of
// devices, at the addresses those name; what has to be where is kept apart from that, by the rules
// of the DMA API alone:
//
//   map               the device sees what the CPU's buffer holds, in every direction
//   sync_for_device   the device sees the CPU's bytes of that range (TO_DEVICE, BIDIRECTIONAL)
//   sync_for_cpu      the CPU sees the device's bytes of that range (FROM_DEVICE, BIDIRECTIONAL)
//   unmap             the same for all of the buffer, unless SKIP_CPU_SYNC
//
// Original buffers live in a space of their mapping's, so that what a trace maps twice at a time is
// no conflict; the pool is one memory, as it is in the machine.
#pragma once

#include "byte_runs.hpp"
#include "models/check_stats.hpp"
#include "sparse_memory.hpp"

#include "bounce/dma.h"

#include <cstdint>
#include <vector>

namespace bouncesim::models {

class data_check {
  public:
    // `memory` is what devices and copies reach, and outlives this.
    explicit data_check(sparse_memory &memory, planted_fault fault = planted_fault::nothing,
                        uint64_t nth = 1)
        : memory_(memory), fault_(fault), fault_nth_(nth) {}

    static uint64_t space_of(uint32_t handle) {
        return uint64_t{handle} + 1;
    }

    // ---- what the CPU and the DMA layer do; handles that are not followed are ignored ----

    // A mapping was made, bounced or direct: to be called before its copy is told. A mapping that
    // the handle still had is over, without a look at it.
    void begin(uint32_t handle, uint64_t id, uint32_t device, const bounce_mapping &mapping);
    // The DMA layer copied; both addresses are its own.
    void copied(uint32_t handle, uint64_t tlb_addr, uint64_t orig_addr, uint64_t bytes,
                bool to_device, bool for_sync);
    // The CPU writes what it is about to hand over with sync_for_device.
    void before_sync(uint32_t handle, uint64_t offset, uint64_t bytes, bool for_cpu);
    void after_sync(uint32_t handle, uint64_t offset, uint64_t bytes, bool for_cpu);
    // The buffer is the CPU's again.
    void end(uint32_t handle, bool skip_cpu_sync);
    // The mapping is gone and nobody will look at its buffer (a list that failed, another boot).
    void drop(uint32_t handle);
    void drop_all();

    // ---- what devices do ----

    // How many of `bytes` bytes from `offset` on are followed, so can be given to the calls below.
    uint64_t followed(uint32_t handle, uint64_t offset, uint64_t bytes) const;
    // Where a device's accesses go: 0 for a bounced mapping, its own space for a direct one.
    uint64_t space(uint32_t handle) const;
    // A device has read them from memory.
    void device_read(uint32_t handle, uint64_t offset, const uint8_t *data, uint64_t bytes);
    // A device is going to write them, the first of them at least: the bytes it does write are put
    // into `data` and their number is returned. Devices do not always fill a buffer.
    uint64_t device_write(uint32_t handle, uint64_t offset, uint8_t *data, uint64_t bytes);

    check_stats stats() const {
        check_stats now = stats_;
        now.pages_hiwater = memory_.pages_hiwater();
        return now;
    }

  private:
    struct record {
        uint64_t id;
        uint64_t orig_addr;
        uint64_t dma_addr; // physical: in the pool, or the original address
        uint64_t size;
        uint64_t orig_hold; // bytes held of the original buffer
        uint32_t device;
        uint32_t written; // patterns so far
        uint8_t dir;
        bool bounced;
        bool live = false;
        byte_runs cpu;         // what the original buffer has to hold
        byte_runs device_view; // what the device has to see; unused for a direct mapping
    };

    record *find(uint32_t handle);
    byte_runs &seen_by_device(record &of) {
        return of.bounced ? of.device_view : of.cpu;
    }
    uint64_t new_key(record &of);
    void cpu_writes(uint32_t handle, record &of, uint64_t begin, uint64_t end);
    void look(uint32_t handle, const record &of, uint64_t begin, uint64_t end, check_place place);
    void compare(const record &of, const uint8_t *expected, const uint8_t *found, uint64_t offset,
                 uint64_t bytes, check_place place);
    bool strikes(planted_fault kind);

    sparse_memory &memory_;
    std::vector<record> records_; // by handle
    std::vector<uint8_t> buffer_, other_;
    uint64_t live_bytes_ = 0;
    check_stats stats_;
    planted_fault fault_;
    uint64_t fault_nth_;
    uint64_t fault_seen_ = 0;
};

} // namespace bouncesim::models
