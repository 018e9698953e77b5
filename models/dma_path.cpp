// SPDX-License-Identifier: Apache-2.0
#include "dma_path.hpp"

#include "models/engine.hpp"

#include <algorithm>

namespace bouncesim::models {

dma_path::dma_path(const path_config &config, bounce_replay_config &pool, costs &timing)
    : config_(config), timing_(timing), force_(pool.force), allocator_calls_(pool.allocator_calls) {
    if (config_.check_data) {
        data_ = std::make_unique<data_check>(bytes_, config_.fault, config_.fault_nth);
        events_ = std::make_unique<mapping_check>(*data_);
        checker_ = std::make_unique<dma_checker>("checker");
    }
    if (config_.iommu) {
        if (std::string wrong = config_.iommu->check(); !wrong.empty())
            throw engine_config_error("IOMMU: " + wrong);
        if (allocator_calls_)
            throw engine_config_error("an IOMMU with a stream of allocator calls; the stream says "
                                      "itself what bounces");
        iommu_ = std::make_unique<iommu>("iommu", *config_.iommu);
        mapper_ = std::make_unique<iommu_dma>(*iommu_, *config_.iommu);
        pool.force = false;
        pool.as_recorded = false;
    }
    if (config_.encryption) {
        config_.encryption->apply(timing);
        encryption_ = std::make_unique<encrypted_memory>("encryption", *config_.encryption);
        // Boot has shared it: the replay engine's conversion counts say what that took.
        encryption_->share_at_boot(pool.pool.start,
                                   pool.pool.nslabs * bounce_config_slot_size(&pool.pool));
    }
}

void dma_path::bind(memory &below) {
    entry_ = &below.socket;
    if (encryption_) {
        encryption_->memory.bind(*entry_);
        entry_ = &encryption_->devices;
    }
    if (iommu_) {
        iommu_->memory.bind(*entry_);
        entry_ = &iommu_->devices;
    }
    if (checker_) {
        checker_->out.bind(*entry_);
        entry_ = &checker_->devices;
        below.set_bytes(&bytes_);
    }
}

path_stats dma_path::stats() const {
    path_stats all;
    if (data_) {
        all.check = data_->stats();
        all.check.faults = checker_->faults();
    }
    if (mapper_)
        all.iommu = mapper_->stats();
    if (encryption_)
        all.encryption = encryption_->stats();
    return all;
}

const bounce_device *dma_path::set_devices(const bounce_device *devices, std::size_t count) {
    devices_ = devices;
    if (!iommu_)
        return devices;
    seen_.assign(devices, devices + count);
    for (std::size_t i = uses_.size(); i < count; i++) {
        uses_.push_back(config_.use ? config_.use(devices[i]) : iommu_use::trusted);
        mapper_->set_mask(static_cast<uint32_t>(i), devices[i].dma_mask);
        if (uses_[i] == iommu_use::direct)
            iommu_->set_bypass(static_cast<uint32_t>(i));
    }
    for (std::size_t i = 0; i < count; i++)
        if (uses_[i] != iommu_use::direct)
            seen_[i].dma_mask = UINT64_MAX;
    return seen_.data();
}

dma_path::opened &dma_path::at(uint32_t handle) {
    if (handle >= open_.size())
        open_.resize(std::max<std::size_t>(256, std::size_t{handle} * 2));
    return open_[handle];
}

void dma_path::close(uint32_t handle, uint32_t cpu, uint64_t &time_ps) {
    if (handle >= open_.size())
        return;
    opened &was = open_[handle];
    if (checker_)
        checker_->close(was.token);
    if (was.iova)
        mapper_->unmap(was.device, cpu, was.iova, was.size, time_ps);
    was = {};
}

void dma_path::before(const operation &op, bounce_event &event, const bounce_mapping &was,
                      uint64_t &time_ps) {
    bool is_map = event.kind == BOUNCE_EVENT_MAP;
    if (events_)
        events_->before(op, was);
    if (event.kind == BOUNCE_EVENT_RESTART) {
        for (uint32_t handle = 0; handle < open_.size(); handle++)
            close(handle, 0, time_ps);
        return;
    }
    // An entry of a list that failed has no unmap of its own: its place is seen to be free here.
    if (event.kind == BOUNCE_EVENT_UNMAP || is_map || was.state == BOUNCE_UNMAPPED)
        close(event.handle, event.cpu, time_ps);
    if (!iommu_ || !is_map)
        return;
    event.recorded = BOUNCE_RECORDED_NOTHING;
    iommu_use use = use_of(event.device);
    bool bounces = use == iommu_use::direct ? force_
                                            : mapper_->must_bounce(use == iommu_use::untrusted,
                                                                   event.orig_addr, event.size);
    if (bounces)
        event.recorded = BOUNCE_RECORDED_BOUNCES;
    event.alloc_align_mask =
        bounces && use == iommu_use::untrusted ? mapper_->alloc_align_mask() : 0;
}

void dma_path::copied(const operation &op, const bounce_mapping &mapping, const bounce_copy &copy,
                      uint64_t tlb_addr, bool to_device) {
    if (events_)
        events_->copied(op, mapping, copy, tlb_addr, to_device);
}

void dma_path::after(const operation &op, const bounce_mapping &now) {
    if (events_)
        events_->after(op, now);
}

// What the device could see of others in the granules of its buffer.
uint64_t dma_path::zero_padding(const bounce_mapping &now) {
    uint64_t before = mapper_->pre_padding(now.dma_addr);
    uint64_t behind = mapper_->post_padding(now.dma_addr, now.size);
    if (data_) {
        bytes_.fill(0, now.dma_addr - before, 0, before);
        bytes_.fill(0, now.dma_addr + now.size, 0, behind);
    }
    mapper_->count_bounced(before + behind);
    return timing_.copy_hot.at(before) + timing_.copy_hot.at(behind);
}

bool dma_path::open(const operation &op, const bounce_mapping &now, uint64_t &time_ps) {
    const bounce_event &event = op.event;
    iommu_use use = use_of(event.device);
    opened &made = at(event.handle);
    bool pooled = now.state == BOUNCE_BOUNCED;

    made.device = event.device;
    made.size = now.size;
    if (encryption_ && pooled)
        encryption_->share_at_boot(now.dma_addr, now.size);
    if (use != iommu_use::direct) {
        if (pooled)
            time_ps += zero_padding(now);
        made.iova = mapper_->map(event.device, event.cpu, now.dma_addr, now.size, now.dir, time_ps,
                                 data_ ? data_->space(event.handle) : 0);
        if (!made.iova)
            return false;
    }
    if (checker_) {
        bounce_device limits = devices_[event.device];
        if (allocator_calls_) // the stream sends every map to the pool, wherever that is
            limits.dma_mask = UINT64_MAX;
        made.token =
            checker_->open(limits, event.device, dma_addr(event.handle, now), now.size, now.dir);
    }
    return true;
}

uint64_t dma_path::dma_addr(uint32_t handle, const bounce_mapping &now) const {
    uint64_t iova = handle < open_.size() ? open_[handle].iova : 0;
    return iova ? iova : now.dma_addr;
}

} // namespace bouncesim::models
