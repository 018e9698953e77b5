// SPDX-License-Identifier: Apache-2.0
#include "convert_cut.hpp"

#include <algorithm>

namespace bouncesim {

bool trace_cut::keeps_device(const std::vector<bounce_device> &devices, std::uint16_t device) {
    if (options_.devices.empty())
        return true;
    if (device >= devices_.size())
        devices_.resize(device + 1u, -1);
    if (devices_[device] < 0) {
        bool wanted = device < devices.size() && options_.devices.count(devices[device].name);
        devices_[device] = wanted;
        if (wanted)
            seen_.insert(devices[device].name);
    }
    return devices_[device] == 1;
}

// What becomes of a map or request.
trace_cut::fate trace_cut::judge(const std::vector<bounce_device> &devices,
                                 const bounce_event &event) {
    if (!keeps_device(devices, event.device)) {
        counts_.by_device++;
        return fate::dropped;
    }
    if (!options_.cpus.empty() && !options_.cpus.count(event.cpu)) {
        counts_.by_cpu++;
        return fate::dropped;
    }
    if (in_time(event))
        return fate::kept;
    counts_.by_time++;
    return event.time_ns < options_.from_ns ? fate::before : fate::dropped;
}

bool trace_cut::keep_end(const std::vector<bounce_device> &devices, bounce_event &event) {
    bool ends = event.kind == BOUNCE_EVENT_UNMAP || event.kind == BOUNCE_EVENT_COMPLETE;
    mapping &known = live_[event.handle];
    mapping was = known;
    if (ends)
        known = mapping{};
    if (event.flags & BOUNCE_EVENT_UNMATCHED) {
        bool kept = in_time(event) && keeps_device(devices, event.device) &&
                    (options_.cpus.empty() || options_.cpus.count(event.cpu));
        counts_.ends += !kept;
        unmatched_in_ += kept;
        return kept;
    }
    if (ends && was.what == fate::kept && !in_time(event))
        owed_[event.handle] = event;
    if (!in_time(event) || was.what == fate::none || was.what == fate::dropped) {
        counts_.ends++;
        return false;
    }
    if (was.what == fate::kept)
        return true;
    if (event.kind != BOUNCE_EVENT_UNMAP || !was.placed) {
        counts_.ends++;
        return false;
    }
    event.flags = BOUNCE_EVENT_UNMATCHED; // as a reader says it of what it has not seen mapped
    event.id = UINT64_MAX;
    event.tlb_addr = was.tlb_addr;
    counts_.unmatched++;
    return true;
}

bool trace_cut::keep(const std::vector<bounce_device> &devices, bounce_event &event) {
    if (event.handle >= live_.size())
        live_.resize(std::max<std::size_t>(event.handle + 1u, 2 * live_.size()));
    switch (event.kind) {
    case BOUNCE_EVENT_MAP:
    case BOUNCE_EVENT_ALLOC:
    case BOUNCE_EVENT_ISSUE: {
        // The entries of a list go with its first one.
        bool follows = (event.flags & BOUNCE_EVENT_IN_LIST) &&
                       !(event.flags & BOUNCE_EVENT_LIST_FIRST) && event.list < live_.size();
        fate what = follows ? live_[event.list].what : judge(devices, event);
        if (follows && what != fate::kept)
            counts_.by_time += what == fate::before;
        live_[event.handle] = {what, event.recorded == BOUNCE_RECORDED_ADDRESS, event.tlb_addr};
        return what == fate::kept;
    }
    case BOUNCE_EVENT_RESTART:
        std::fill(live_.begin(), live_.end(), mapping{});
        if (in_time(event))
            owed_.clear();
        [[fallthrough]];
    case BOUNCE_EVENT_WORKER:
        counts_.others += !in_time(event);
        return in_time(event);
    default:
        return keep_end(devices, event);
    }
}

void trace_cut::put(bounce_event event, std::vector<bounce_event> &out) {
    event.time_ns -= std::min(event.time_ns, options_.from_ns);
    newest_ns_ = std::max(newest_ns_, event.time_ns);
    out.push_back(event);
    counts_.kept++;
}

// Entries of a list may begin behind --to, and take the handle of what has ended there.
void trace_cut::pay(const bounce_event &begins, std::vector<bounce_event> &out) {
    auto owed = owed_.find(begins.handle);
    if (owed == owed_.end())
        return;
    owed->second.time_ns = begins.time_ns;
    put(owed->second, out);
    counts_.ends--;
    owed_.erase(owed);
}

void trace_cut::take(const std::vector<bounce_device> &devices, const bounce_event *events,
                     std::size_t count, std::vector<bounce_event> &out) {
    counts_.in += count;
    if (!options_.any()) {
        out.insert(out.end(), events, events + count);
        counts_.kept += count;
        return;
    }
    for (std::size_t i = 0; i < count; i++) {
        bounce_event event = events[i];
        if (!keep(devices, event))
            continue;
        bool begins = event.kind == BOUNCE_EVENT_MAP || event.kind == BOUNCE_EVENT_ALLOC ||
                      event.kind == BOUNCE_EVENT_ISSUE;
        if (begins && !owed_.empty())
            pay(event, out);
        put(event, out);
    }
}

std::set<std::string> trace_cut::missing_devices() const {
    std::set<std::string> missing;
    std::set_difference(options_.devices.begin(), options_.devices.end(), seen_.begin(),
                        seen_.end(), std::inserter(missing, missing.end()));
    return missing;
}

bounce_trace_counts trace_cut::adjusted(bounce_trace_counts counts) const {
    if (!options_.any())
        return counts;
    std::uint64_t end = options_.to_ns ? std::min(*options_.to_ns, counts.span_ns) : counts.span_ns;
    counts.records = counts_.kept;
    counts.unmatched_unmaps = unmatched_in_ + counts_.unmatched;
    counts.unmatched_syncs = 0;
    counts.other_events = counts.coherent_events = 0; // they are not in it
    counts.first_ns += options_.from_ns;
    counts.span_ns = std::max(end > options_.from_ns ? end - options_.from_ns : 0, newest_ns_);
    return counts;
}

} // namespace bouncesim
