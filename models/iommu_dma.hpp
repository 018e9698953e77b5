// SPDX-License-Identifier: Apache-2.0
// The DMA layer of devices behind an IOMMU (drivers/iommu/dma-iommu.c of 6.12.117): gives out
// IOVAs, fills the page table, invalidates, and says how long a CPU takes for it.
#pragma once

#include "iommu.hpp"
#include "iova_allocator.hpp"

#include "bounce/device.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace bouncesim::models {

class iommu_dma final : public iommu_timer {
  public:
    // Both outlive this.
    iommu_dma(iommu &hardware, const iommu_config &config);

    // What the device reaches; to be told before its first map, 64 bits otherwise.
    void set_mask(uint32_t device, uint64_t dma_mask);

    // Whether a buffer has to bounce: an untrusted device must not see what shares its granules.
    // With alloc_align_mask() the pool gives it whole granules.
    bool must_bounce(bool untrusted, uint64_t phys, uint64_t bytes) const {
        return untrusted && ((phys | bytes) & (config_.granule - 1));
    }
    uint32_t alloc_align_mask() const {
        return static_cast<uint32_t>(config_.granule - 1);
    }
    // The bytes of a bounced buffer's granules before and after it, which are zeroed.
    uint64_t pre_padding(uint64_t tlb_addr) const {
        return tlb_addr & (config_.granule - 1);
    }
    uint64_t post_padding(uint64_t tlb_addr, uint64_t bytes) const {
        return -(tlb_addr + bytes) & (config_.granule - 1);
    }
    void count_bounced(uint64_t zeroed_bytes) {
        stats_.bounced++;
        stats_.zeroed_bytes += zeroed_bytes;
    }

    // Maps [phys, phys + bytes) with the granules around it; the address for the device, with the
    // low bits of `phys`, or 0 when it has none left. `time_ps` goes on by what the CPU takes.
    uint64_t map(uint32_t device, uint32_t cpu, uint64_t phys, uint64_t bytes, uint8_t dir,
                 uint64_t &time_ps, uint64_t space = 0);
    // What map() returned, with the same size. Strict: when it is over no device reaches it. Lazy:
    // devices may, until its queue is flushed.
    void unmap(uint32_t device, uint32_t cpu, uint64_t iova, uint64_t bytes, uint64_t &time_ps);

    // Flush queues whose time has come.
    void expire(uint64_t time_ps) override;

    // Those of the IOMMU too.
    iommu_stats stats() const;

  private:
    struct queued {
        uint64_t iova;
        uint64_t pages;
        uint32_t cpu;
    };
    using queue = std::vector<queued>;
    struct domain {
        std::unique_ptr<iova_allocator> addresses;
        uint64_t mask = UINT64_MAX;
        std::vector<queue> queues;    // by CPU, or one
        uint64_t due_ps = UINT64_MAX; // the timer of all its queues
    };

    domain &domain_of(uint32_t device);
    void enqueue(uint32_t device, domain &of, const queued &entry, uint64_t &time_ps);
    void release(domain &of, queue &which);
    void arm();

    uint64_t granules(uint64_t phys, uint64_t bytes) const {
        return ((phys & (config_.granule - 1)) + bytes + config_.granule - 1) >> shift_;
    }

    iommu &hardware_;
    const iommu_config &config_;
    unsigned shift_;
    std::vector<domain> domains_; // by device
    uint64_t queue_entries_;
    uint64_t queue_timeout_ps_;
    uint64_t queued_ = 0;
    uint64_t invalidation_free_at_ps_ = 0;
    iommu_stats stats_;
};

} // namespace bouncesim::models
