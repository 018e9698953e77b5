// SPDX-License-Identifier: Apache-2.0
#include "mapping_check.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

bool is_sync(const bounce_event &event) {
    return event.kind == BOUNCE_EVENT_SYNC_FOR_CPU || event.kind == BOUNCE_EVENT_SYNC_FOR_DEVICE;
}

} // namespace

void mapping_check::before(const operation &op, const bounce_mapping &was) {
    const bounce_event &event = op.event;
    if (was.state == BOUNCE_UNMAPPED) // its list failed, without a word for each entry
        data_.drop(event.handle);
    if (is_sync(event))
        data_.before_sync(event.handle, event.offset, event.size,
                          event.kind == BOUNCE_EVENT_SYNC_FOR_CPU);
}

void mapping_check::copied(const operation &op, const bounce_mapping &mapping,
                           const bounce_copy &copy, uint64_t tlb_addr, bool to_device) {
    const bounce_event &event = op.event;
    if (event.kind == BOUNCE_EVENT_MAP)
        data_.begin(event.handle, event.id, event.device, mapping);
    // A sync that names more than its mapping has is its driver's error: the rest is not looked at.
    uint64_t bytes = copy.bytes;
    if (is_sync(event))
        bytes = event.offset < mapping.size ? std::min(bytes, mapping.size - event.offset) : 0;
    if (bytes)
        data_.copied(event.handle, tlb_addr, copy.orig_addr, bytes, to_device, is_sync(event));
}

void mapping_check::after(const operation &op, const bounce_mapping &now) {
    const bounce_event &event = op.event;
    switch (static_cast<bounce_event_kind>(event.kind)) {
    case BOUNCE_EVENT_MAP:
    case BOUNCE_EVENT_ALLOC:
        if (now.state == BOUNCE_DIRECT)
            data_.begin(event.handle, event.id, event.device, now);
        else if (now.state != BOUNCE_BOUNCED)
            data_.drop(event.handle);
        break;
    case BOUNCE_EVENT_UNMAP:
        data_.end(event.handle, event.attrs & BOUNCE_ATTR_SKIP_CPU_SYNC);
        break;
    case BOUNCE_EVENT_SYNC_FOR_CPU:
    case BOUNCE_EVENT_SYNC_FOR_DEVICE:
        data_.after_sync(event.handle, event.offset, event.size,
                         event.kind == BOUNCE_EVENT_SYNC_FOR_CPU);
        break;
    case BOUNCE_EVENT_RESTART:
        data_.drop_all();
        break;
    case BOUNCE_EVENT_WORKER:
    case BOUNCE_EVENT_LOST:
    case BOUNCE_EVENT_GROW:
    case BOUNCE_EVENT_ISSUE:
    case BOUNCE_EVENT_COMPLETE:
        break;
    }
}

} // namespace bouncesim::models
