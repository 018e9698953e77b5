// SPDX-License-Identifier: Apache-2.0
#include "mapping_table.hpp"

namespace bouncesim::models {

uint32_t &mapping_table::current(uint32_t trace_handle) {
    if (trace_handle >= current_.size())
        current_.resize(std::max<std::size_t>(256, std::size_t{trace_handle} * 2 + 1), none);
    return current_[trace_handle];
}

uint32_t mapping_table::allocate(uint32_t leader) {
    uint32_t handle;
    if (free_.empty()) {
        handle = static_cast<uint32_t>(groups_.size());
        groups_.emplace_back();
    } else {
        handle = free_.back();
        free_.pop_back();
    }
    if (leader != none)
        groups_[leader].references++;
    groups_[handle] = {0, 0, 0, 0, 1, leader == none ? handle : leader, none};
    return handle;
}

void mapping_table::clear() {
    groups_.clear();
    free_.clear();
    std::fill(current_.begin(), current_.end(), none);
}

void mapping_table::bind(operation &op) {
    bounce_event &event = op.event;
    op.trace_handle = event.handle;
    op.trace_list = event.list;
    op.group = none;
    if (event.kind == BOUNCE_EVENT_WORKER || event.kind == BOUNCE_EVENT_RESTART ||
        event.kind == BOUNCE_EVENT_GROW || event.kind == BOUNCE_EVENT_LOST) {
        event.handle = 0;
        if (event.kind == BOUNCE_EVENT_RESTART)
            clear();
        return;
    }
    uint32_t leader = none, first = none;
    if (event.flags & BOUNCE_EVENT_IN_LIST && event.list != op.trace_handle) {
        first = event.list < current_.size() ? current_[event.list] : none;
        if (first != none)
            leader = groups_[first].leader;
    }
    uint32_t &live = current(op.trace_handle);
    if (live == none)
        live = allocate(leader);
    event.handle = live;
    if (event.flags & BOUNCE_EVENT_IN_LIST)
        event.list = first == none ? live : first;
    op.group = groups_[live].leader;
    op.ticket = groups_[op.group].submitted++;
    if (event.kind == BOUNCE_EVENT_UNMAP)
        live = none;
}

void mapping_table::finish(const operation &op) {
    if (op.event.kind == BOUNCE_EVENT_UNMAP)
        unreference(op.event.handle);
}

void mapping_table::unreference(uint32_t handle) {
    group &mapping = groups_[handle];
    if (--mapping.references)
        return;
    free_.push_back(handle);
    if (mapping.leader != handle)
        unreference(mapping.leader);
}

void mapping_table::park(operation_pool &pool, uint32_t index) {
    group &of = groups_[pool[index].group];
    pool[index].next = of.parked;
    of.parked = index;
}

uint32_t mapping_table::unpark(operation_pool &pool, group &of) {
    for (uint32_t *link = &of.parked; *link != none; link = &pool[*link].next) {
        uint32_t index = *link;
        if (pool[index].ticket == of.begun) {
            *link = pool[index].next;
            return index;
        }
    }
    return none;
}

} // namespace bouncesim::models
