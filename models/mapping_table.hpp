// SPDX-License-Identifier: Apache-2.0
// Who waits for whom. A trace reuses a handle as soon as the mapping was unmapped when recorded; a
// slower model may unmap it later, so every mapping gets a handle of the engine's own. Operations
// on a mapping go in trace order, and the entries of a scatter list count as one mapping here.
#pragma once

#include "operation.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bouncesim::models {

class mapping_table {
  public:
    struct group {
        uint64_t ready_ps;    // when the last operation begun on it ends
        uint64_t dma_done_ps; // when the device is done with it
        uint32_t submitted;
        uint32_t begun;
        uint32_t references; // live mappings in it; the first entry of a list outlives the others
        uint32_t leader;     // handle of the group that this mapping is in
        uint32_t parked;     // operations whose predecessor has not begun
    };

    // Gives an operation its handle, group and ticket; to be called in trace order. Before a
    // restart all operations have to be done: it ends every mapping.
    void bind(operation &op);
    // The operation was done. Its handle may be given out again if it was an unmap.
    void finish(const operation &op);

    group &group_of(const operation &op) {
        return groups_[op.group];
    }
    // It will be asked for soon.
    void prefetch(const operation &op) const {
        if (op.group != none)
            __builtin_prefetch(&groups_[op.group], 1);
    }
    void park(operation_pool &pool, uint32_t index);
    // The parked operation whose turn it is now, taken out; or `none`.
    uint32_t unpark(operation_pool &pool, group &of);

  private:
    uint32_t &current(uint32_t trace_handle);
    uint32_t allocate(uint32_t leader);
    void clear();
    void unreference(uint32_t handle);

    std::vector<group> groups_;     // by handle
    std::vector<uint32_t> free_;    // handles
    std::vector<uint32_t> current_; // handle of a trace's handle while mapped
};

} // namespace bouncesim::models
