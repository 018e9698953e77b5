// SPDX-License-Identifier: Apache-2.0
// Which bounce buffers the CPU cache still holds: those that fit into it with all that was copied
// since they were.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace bouncesim::models {

class copy_cache {
  public:
    // One stamp a slot of the default pool, and no fewer than for 128 MiB: slots of other pools
    // share them.
    copy_cache(uint64_t cache_bytes, uint64_t nslabs) : cache_bytes_(cache_bytes) {
        uint64_t stamps = 65536;
        while (stamps < nslabs)
            stamps *= 2;
        mask_ = stamps - 1;
        // calloc: memory of slots that are never used is never touched.
        stamps_.reset(static_cast<uint64_t *>(std::calloc(stamps, sizeof(uint64_t))));
        if (!stamps_)
            throw std::bad_alloc();
    }

    // Whether the buffer at that address was hot; now it is.
    bool touch(uint64_t tlb_addr, uint64_t bytes) {
        uint64_t &stamp = stamps_[(tlb_addr >> 11) & mask_];
        bool hot = stamp && copied_ - stamp + bytes <= cache_bytes_;
        copied_ += bytes;
        stamp = copied_;
        return hot;
    }

    // The buffer at that address is no longer in it: a device wrote it.
    void evict(uint64_t tlb_addr) {
        stamps_[(tlb_addr >> 11) & mask_] = 0;
    }

  private:
    struct release {
        void operator()(uint64_t *stamps) const {
            std::free(stamps);
        }
    };
    uint64_t cache_bytes_;
    uint64_t mask_;
    uint64_t copied_ = 0;
    std::unique_ptr<uint64_t[], release> stamps_;
};

} // namespace bouncesim::models
