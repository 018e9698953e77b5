// SPDX-License-Identifier: Apache-2.0
#include "iommu_dma.hpp"

#include <algorithm>

namespace bouncesim::models {

iommu_dma::iommu_dma(iommu &hardware, const iommu_config &config)
    : hardware_(hardware), config_(config),
      shift_(static_cast<unsigned>(__builtin_ctzll(config.granule))),
      queue_entries_(config.single_queue ? config.single_queue_entries : config.queue_entries),
      queue_timeout_ps_(1000000 * (config.single_queue ? config.single_queue_timeout_us
                                                       : config.queue_timeout_us)) {}

iommu_dma::domain &iommu_dma::domain_of(uint32_t device) {
    if (device >= domains_.size())
        domains_.resize(device + 1);
    domain &of = domains_[device];
    if (!of.addresses)
        of.addresses = std::make_unique<iova_allocator>(shift_, of.mask);
    return of;
}

void iommu_dma::set_mask(uint32_t device, uint64_t dma_mask) {
    if (device >= domains_.size())
        domains_.resize(device + 1);
    if (!domains_[device].addresses)
        domains_[device].mask = dma_mask;
}

uint64_t iommu_dma::map(uint32_t device, uint32_t cpu, uint64_t phys, uint64_t bytes, uint8_t dir,
                        uint64_t &time_ps, uint64_t space) {
    domain &of = domain_of(device);
    uint64_t in_granule = phys & (config_.granule - 1), pages = granules(phys, bytes);
    uint64_t begin_ps = time_ps;
    iova_source from;
    uint64_t iova = of.addresses->allocate(cpu, pages, from);

    time_ps += config_.iova_hit_ps;
    switch (from) {
    case iova_source::cache:
        stats_.iova_hits++;
        break;
    case iova_source::tree:
        stats_.iova_misses++;
        time_ps += config_.iova_miss_ps;
        break;
    case iova_source::large:
        stats_.iova_large++;
        break;
    case iova_source::failed:
        stats_.iova_failures++;
        return 0;
    }
    hardware_.map(device, iova, phys - in_granule, pages << shift_, dir, space);
    time_ps += config_.map_time.at(pages << shift_) + pages * config_.map_page_ps;
    stats_.maps++;
    stats_.map_ns += static_cast<double>(time_ps - begin_ps) / 1000;
    return iova + in_granule;
}

void iommu_dma::unmap(uint32_t device, uint32_t cpu, uint64_t iova, uint64_t bytes,
                      uint64_t &time_ps) {
    domain &of = domain_of(device);
    uint64_t pages = granules(iova, bytes), size = pages << shift_, begin_ps = time_ps;
    uint64_t host_ps = pages * config_.unmap_page_ps;

    iova &= ~(config_.granule - 1);
    stats_.unmaps++;
    if (config_.lazy) {
        hardware_.unmap(device, iova, size);
        time_ps += config_.unmap_lazy.at(size) + host_ps;
        enqueue(device, of, {iova, pages, cpu}, time_ps);
    } else {
        uint64_t all = config_.unmap_time.at(size);
        uint64_t serial = std::min(all, config_.unmap_serial.at(size));
        uint64_t ready_ps = time_ps + (all - serial);
        serial += host_ps;
        uint64_t alone_ps = std::max(ready_ps, invalidation_free_at_ps_);
        stats_.invalidation_wait_ns += static_cast<double>(alone_ps - ready_ps) / 1000;
        time_ps = invalidation_free_at_ps_ = alone_ps + serial;
        hardware_.unmap_now(device, iova, size);
        stats_.invalidations++;
        of.addresses->free(cpu, iova, pages);
    }
    stats_.unmap_ns += static_cast<double>(time_ps - begin_ps) / 1000;
}

void iommu_dma::enqueue(uint32_t device, domain &of, const queued &entry, uint64_t &time_ps) {
    if (time_ps >= of.due_ps)
        expire(time_ps);
    std::size_t which = config_.single_queue ? 0 : entry.cpu;
    if (which >= of.queues.size())
        of.queues.resize(which + 1);
    queue &own = of.queues[which];
    if (own.size() >= queue_entries_) {
        stats_.flushes_full++;
        hardware_.invalidate_all(device);
        release(of, own);
        time_ps += config_.flush_ps;
    }
    own.push_back(entry);
    stats_.queue_hiwater = std::max(stats_.queue_hiwater, ++queued_);
    if (of.due_ps == UINT64_MAX) {
        of.due_ps = time_ps + queue_timeout_ps_;
        arm();
    }
}

// Nothing in the IOTLB is older than this any more: the queue's addresses are free.
void iommu_dma::release(domain &of, queue &which) {
    for (const queued &entry : which)
        of.addresses->free(entry.cpu, entry.iova, entry.pages);
    queued_ -= which.size();
    which.clear();
}

void iommu_dma::expire(uint64_t time_ps) {
    for (uint32_t device = 0; device < domains_.size(); device++) {
        domain &of = domains_[device];
        if (of.due_ps > time_ps)
            continue;
        of.due_ps = UINT64_MAX;
        stats_.flushes_timeout++;
        hardware_.invalidate_all(device);
        for (queue &each : of.queues)
            release(of, each);
    }
    arm();
}

void iommu_dma::arm() {
    uint64_t due_ps = UINT64_MAX;
    for (const domain &of : domains_)
        due_ps = std::min(due_ps, of.due_ps);
    hardware_.set_timer(this, due_ps);
}

iommu_stats iommu_dma::stats() const {
    iommu_stats all = hardware_.stats();
    all.maps = stats_.maps;
    all.unmaps = stats_.unmaps;
    all.bounced = stats_.bounced;
    all.zeroed_bytes = stats_.zeroed_bytes;
    all.map_ns = stats_.map_ns;
    all.unmap_ns = stats_.unmap_ns;
    all.invalidation_wait_ns = stats_.invalidation_wait_ns;
    all.invalidations = stats_.invalidations;
    all.flushes_full = stats_.flushes_full;
    all.flushes_timeout = stats_.flushes_timeout;
    all.queue_hiwater = stats_.queue_hiwater;
    all.iova_hits = stats_.iova_hits;
    all.iova_misses = stats_.iova_misses;
    all.iova_large = stats_.iova_large;
    all.iova_failures = stats_.iova_failures;
    return all;
}

} // namespace bouncesim::models
