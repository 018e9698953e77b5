// SPDX-License-Identifier: Apache-2.0
// Memory for the pools that a kernel tree's allocator adds: the models that the core uses too, so
// that what differs is the allocator.
#pragma once

#include "plugin.h"

#include "bounce/swiotlb.h"

#include <cstdint>

extern "C" {
#include "swiotlb/atomic_pool.h"
}

namespace bouncesim {

class kernel_tree_memory {
  public:
    // Throws std::bad_alloc.
    explicit kernel_tree_memory(const bounce_swiotlb_config &config);
    kernel_tree_memory(const kernel_tree_memory &) = delete;
    kernel_tree_memory &operator=(const kernel_tree_memory &) = delete;
    ~kernel_tree_memory();

    const bounce_kt_memory *callbacks() const {
        return &callbacks_;
    }
    std::uint64_t atomic_size() const {
        return atomic_.size;
    }
    bool worker_queued() const {
        return atomic_.worker_queued;
    }
    // The atomic pool's own worker; bytes added.
    std::uint64_t run_worker();
    void restart();

  private:
    pages pages_ = {};
    atomic_pool atomic_ = {};
    std::uint64_t before_ = 0; // pages_.next before the block handed out last
    bounce_kt_memory callbacks_ = {};
};

} // namespace bouncesim
