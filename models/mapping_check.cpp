// SPDX-License-Identifier: Apache-2.0
#include "mapping_check.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

bool is_sync(const bounce_event &event) {
    return event.kind == BOUNCE_EVENT_SYNC_FOR_CPU || event.kind == BOUNCE_EVENT_SYNC_FOR_DEVICE;
}

} // namespace

void mapping_check::close(uint32_t handle) {
    if (handle >= tokens_.size())
        return;
    transfers_.close(tokens_[handle]);
    tokens_[handle] = 0;
}

void mapping_check::before(const operation &op, const bounce_mapping &was) {
    const bounce_event &event = op.event;
    if (was.state == BOUNCE_UNMAPPED) { // its list failed, without a word for each entry
        data_.drop(event.handle);
        close(event.handle);
    }
    if (is_sync(event))
        data_.before_sync(event.handle, event.offset, event.size,
                          event.kind == BOUNCE_EVENT_SYNC_FOR_CPU);
}

void mapping_check::copied(const operation &op, const bounce_mapping &mapping,
                           const bounce_copy &copy, uint64_t tlb_addr, bool to_device) {
    const bounce_event &event = op.event;
    if (event.kind == BOUNCE_EVENT_MAP)
        data_.begin(event.handle, event.id, event.device, mapping);
    data_.copied(event.handle, tlb_addr, copy.orig_addr, copy.bytes, to_device, is_sync(event));
}

void mapping_check::after(const operation &op, const bounce_mapping &now,
                          const bounce_device *devices) {
    const bounce_event &event = op.event;
    switch (static_cast<bounce_event_kind>(event.kind)) {
    case BOUNCE_EVENT_MAP:
    case BOUNCE_EVENT_ALLOC: {
        close(event.handle);
        if (now.state == BOUNCE_DIRECT)
            data_.begin(event.handle, event.id, event.device, now);
        else if (now.state != BOUNCE_BOUNCED)
            data_.drop(event.handle);
        if (now.state != BOUNCE_DIRECT && now.state != BOUNCE_BOUNCED)
            break;
        bounce_device limits = devices[event.device];
        if (any_address_)
            limits.dma_mask = UINT64_MAX;
        if (event.handle >= tokens_.size())
            tokens_.resize(std::max<std::size_t>(256, std::size_t{event.handle} * 2));
        tokens_[event.handle] =
            transfers_.open(limits, event.device, now.dma_addr, now.size, now.dir);
        break;
    }
    case BOUNCE_EVENT_UNMAP:
        data_.end(event.handle, event.attrs & BOUNCE_ATTR_SKIP_CPU_SYNC);
        close(event.handle);
        break;
    case BOUNCE_EVENT_SYNC_FOR_CPU:
    case BOUNCE_EVENT_SYNC_FOR_DEVICE:
        data_.after_sync(event.handle, event.offset, event.size,
                         event.kind == BOUNCE_EVENT_SYNC_FOR_CPU);
        break;
    case BOUNCE_EVENT_RESTART:
        data_.drop_all();
        for (uint32_t handle = 0; handle < tokens_.size(); handle++)
            close(handle);
        break;
    case BOUNCE_EVENT_WORKER:
    case BOUNCE_EVENT_ISSUE:
    case BOUNCE_EVENT_COMPLETE:
        break;
    }
}

} // namespace bouncesim::models
