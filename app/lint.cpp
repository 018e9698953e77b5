// SPDX-License-Identifier: Apache-2.0
#include "lint.hpp"

#include "bounce/boot.h"

#include <algorithm>

namespace bouncesim {
namespace {

constexpr std::uint64_t late_records = 512; // an unmap's record may stand that much later
constexpr std::size_t freed_most = 1u << 20;
constexpr std::size_t notes_most = 1u << 16;
constexpr std::size_t parts = 8; // of the trace, to tell growth from a steady set

std::uint64_t first_slot(std::uint64_t addr) {
    return addr >> BOUNCE_SLOT_SHIFT;
}

std::uint64_t last_slot(std::uint64_t addr, std::uint64_t size) {
    return (addr + (size ? size - 1 : 0)) >> BOUNCE_SLOT_SHIFT;
}

// Unmaps of scatter lists tell the original addresses of their entries, and no other.
std::uint64_t list_key(std::uint16_t device, std::uint64_t orig_addr) {
    return orig_addr ^ static_cast<std::uint64_t>(device) << 48;
}

example from_note(const bounce_note &note) {
    return {note.place, note.is_line, note.time_ns, note.addr, note.size, note.told, note.device};
}

// Never falls, rises in half of the parts, and by more than a few buffers.
bool rises(const std::vector<std::uint64_t> &floor) {
    std::size_t steps = 0;
    for (std::size_t i = 1; i < floor.size(); i++) {
        if (floor[i] < floor[i - 1])
            return false;
        steps += floor[i] > floor[i - 1];
    }
    return floor.size() == parts && steps >= parts / 2 && floor.back() >= floor.front() + parts / 2;
}

} // namespace

const finding_info &info_of(finding_kind kind) {
    static const finding_info table[] = {
#define BOUNCESIM_INFO(name, level, requests, what) {#name, severity::level, requests, what},
        BOUNCESIM_FINDINGS(BOUNCESIM_INFO)
#undef BOUNCESIM_INFO
    };
    return table[static_cast<std::size_t>(kind)];
}

std::uint64_t linter::count(severity level) const {
    std::uint64_t kinds = 0;
    for (std::size_t i = 0; i < finding_kinds; i++)
        kinds += findings_[i].count && info_of(static_cast<finding_kind>(i)).level == level;
    return kinds;
}

void linter::found(finding_kind kind, const example &where, std::uint64_t times) {
    finding &f = findings_[static_cast<std::size_t>(kind)];
    f.count += times;
    if (f.examples.size() < examples_)
        f.examples.push_back(where);
}

// ---- what the reader tells ----

void linter::note(const bounce_note &note) {
    switch (static_cast<bounce_note_kind>(note.kind)) {
    case BOUNCE_NOTE_MAP:
        places_[note.id] = {note.place, note.is_line};
        return;
    case BOUNCE_NOTE_UNMATCHED_UNMAP:
    case BOUNCE_NOTE_UNMATCHED_SYNC:
        if (note.seq) { // what was unmapped before it is known once its turn has come
            notes_.push_back(note);
            if (notes_.size() > notes_most)
                take_until(notes_.front().seq);
            return;
        }
        break;
    default:
        break;
    }
    take(note);
}

void linter::take_until(std::uint64_t seq) {
    while (!notes_.empty() && notes_.front().seq <= seq) {
        take(notes_.front());
        notes_.pop_front();
    }
}

void linter::take(const bounce_note &note) {
    bool freed = note.addr ? freed_.count(first_slot(note.addr))
                           : note.told && freed_entries_.count(list_key(note.device, note.told));
    example where = from_note(note);
    if (note.kind == BOUNCE_NOTE_UNMATCHED_UNMAP && !note.addr)
        std::swap(where.addr, where.told);
    switch (static_cast<bounce_note_kind>(note.kind)) {
    case BOUNCE_NOTE_UNMATCHED_UNMAP:
        return found(freed      ? finding_kind::unmapped_twice
                     : note.seq ? finding_kind::mapped_before
                                : finding_kind::unmap_without_map,
                     where);
    case BOUNCE_NOTE_UNMATCHED_SYNC:
        return found(freed      ? finding_kind::sync_after_unmap
                     : note.seq ? finding_kind::sync_mapped_before
                                : finding_kind::sync_without_map,
                     where);
    case BOUNCE_NOTE_IMPLIED_UNMAP:
        return found(finding_kind::mapped_twice, where);
    case BOUNCE_NOTE_OTHER_SIZE:
        return found(finding_kind::unmap_size, where);
    case BOUNCE_NOTE_OTHER_DIR:
        return found(finding_kind::unmap_direction, where);
    case BOUNCE_NOTE_OTHER_DEVICE:
        return found(finding_kind::unmap_device, where);
    case BOUNCE_NOTE_TRUNCATED_LIST:
        return found(finding_kind::truncated_list, where);
    case BOUNCE_NOTE_FAILED_LIST:
        return found(finding_kind::failed_list, where);
    case BOUNCE_NOTE_RESTART:
        return found(finding_kind::restart, where);
    case BOUNCE_NOTE_TIME_BACK:
        return found(finding_kind::time_back, where);
    case BOUNCE_NOTE_LATE_RECORD:
        return found(finding_kind::late_record, where);
    case BOUNCE_NOTE_LOST_EVENTS:
        return found(finding_kind::lost_events, where, note.size);
    case BOUNCE_NOTE_MALFORMED:
        return found(finding_kind::malformed, where);
    case BOUNCE_NOTE_CUT_RECORD:
        return found(finding_kind::cut_record, where);
    case BOUNCE_NOTE_NOT_TRACKED:
        return found(finding_kind::not_tracked, where);
    case BOUNCE_NOTE_MAP:
    case BOUNCE_NOTE_KINDS:
        break;
    }
}

// ---- what the events tell ----

void linter::floor_series::advance(std::uint64_t now_ns) {
    while (now_ns / width_ns >= fewest.size()) {
        for (std::size_t i = 0; i < fewest.size() / 2; i++) {
            bool second = 2 * i + 1 < used;
            fewest[i] = second ? std::min(fewest[2 * i], fewest[2 * i + 1]) : fewest[2 * i];
        }
        used = (used + 1) / 2;
        width_ns *= 2;
    }
    while (used <= now_ns / width_ns)
        fewest[used++] = live;
}

void linter::floor_series::set(std::uint64_t now_ns, std::uint64_t count) {
    advance(now_ns);
    live = count;
    fewest[used - 1] = std::min(fewest[used - 1], live);
}

linter::floor_series &linter::floor_of(std::uint16_t device) {
    if (device >= floors_.size())
        floors_.resize(device + 1u);
    return floors_[device];
}

void linter::add(const bounce_event *events, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) {
        const bounce_event &event = events[i];
        if (event.seq)
            take_until(event.seq);
        now_ns_ = std::max(now_ns_, event.time_ns);
        switch (static_cast<bounce_event_kind>(event.kind)) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
        case BOUNCE_EVENT_ISSUE:
            begin(event);
            break;
        case BOUNCE_EVENT_UNMAP:
        case BOUNCE_EVENT_COMPLETE:
            end(event);
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            sync(event);
            break;
        case BOUNCE_EVENT_RESTART:
            if (teller_ == teller::events)
                found(finding_kind::restart,
                      {0, false, events[i].time_ns, 0, 0, 0, BOUNCE_NOTE_NO_DEVICE});
            restart();
            break;
        case BOUNCE_EVENT_WORKER:
        case BOUNCE_EVENT_LOST:
        case BOUNCE_EVENT_GROW:
            break;
        }
    }
}

void linter::begin(const bounce_event &event) {
    if (bounce_event_is_hidden(&event))
        return;
    place at;
    if (auto known = places_.find(event.id); known != places_.end()) {
        at = known->second;
        places_.erase(known);
    }
    if (event.recorded == BOUNCE_RECORDED_FULL || event.recorded == BOUNCE_RECORDED_TRIED) {
        if (event.recorded == BOUNCE_RECORDED_FULL)
            found(finding_kind::failed_map,
                  {at.number, at.is_line, event.time_ns, 0, event.size, 0, event.device});
        return;
    }
    if (event.handle >= live_.size())
        live_.resize(event.handle + 1u);
    live &l = live_[event.handle];
    if (l.mapped)
        forget(l);
    l = {};
    l.id = event.id;
    l.since_ns = now_ns_;
    l.size = event.size;
    l.at = at;
    l.device = event.device;
    l.dir = event.dir;
    l.mapped = true;
    l.held = event.flags & BOUNCE_EVENT_HELD;
    l.bounced = event.recorded == BOUNCE_RECORDED_ADDRESS;
    l.addr = l.bounced ? event.tlb_addr : 0;
    if (l.bounced && !l.held)
        check_overlap(l, event);
    if (l.bounced) {
        by_slot_.emplace(first_slot(l.addr), event.handle);
        freed_.erase(first_slot(l.addr));
    }
    if (event.flags & BOUNCE_EVENT_IN_LIST) {
        l.list_key = list_key(event.device, event.orig_addr);
        freed_entries_.erase(l.list_key);
    }
    floor_series &floor = floor_of(l.device);
    floor.set(now_ns_, floor.live + 1);
}

void linter::check_overlap(live &newcomer, const bounce_event &event) {
    std::uint64_t first = first_slot(newcomer.addr), last = last_slot(newcomer.addr, newcomer.size);
    auto mark = [&](std::uint32_t handle) {
        live &old = live_[handle];
        if (last_slot(old.addr, old.size) < first || first_slot(old.addr) > last ||
            old.overlapped || old.held) // those are only assumed
            return;
        old.overlapped = true;
        old.overlapped_seq = event.seq;
        old.overlapped_at = newcomer.at;
        old.overlapper = newcomer.addr;
    };
    auto next = by_slot_.lower_bound(first);
    if (next != by_slot_.begin())
        mark(std::prev(next)->second);
    for (; next != by_slot_.end() && next->first <= last; ++next)
        mark(next->second);
}

void linter::forget(live &gone) {
    auto [from, to] = by_slot_.equal_range(first_slot(gone.addr));
    for (; gone.bounced && from != to; ++from)
        if (&live_[from->second] == &gone) {
            by_slot_.erase(from);
            break;
        }
    gone.mapped = false;
    floor_series &floor = floor_of(gone.device);
    floor.set(now_ns_, floor.live ? floor.live - 1 : 0);
}

void linter::unmatched(const bounce_event &event) {
    bool freed = event.tlb_addr && freed_.count(first_slot(event.tlb_addr));
    found(freed ? finding_kind::unmapped_twice : finding_kind::mapped_before,
          {0, false, event.time_ns, event.tlb_addr, event.size, 0, event.device});
}

void linter::add_counts(const bounce_trace_counts &counts) {
    auto told = [&](std::uint64_t count, finding_kind kind) {
        if (count)
            found(kind, {}, count);
    };
    told(counts.malformed, finding_kind::malformed);
    told(counts.cut_records, finding_kind::cut_record);
    told(counts.late_records, finding_kind::late_record);
    told(counts.not_tracked, finding_kind::not_tracked);
    told(counts.truncated_lists, finding_kind::truncated_list);
    told(counts.failed_lists, finding_kind::failed_list);
    told(counts.lost_events, finding_kind::lost_events);
}

void linter::end(const bounce_event &event) {
    bool known = event.handle < live_.size() && live_[event.handle].mapped;
    bool held = event.handle < live_.size() && live_[event.handle].held;
    if (teller_ != teller::reader && event.flags & BOUNCE_EVENT_UNMATCHED && (!known || held))
        unmatched(event);
    if (teller_ == teller::events && event.flags & BOUNCE_EVENT_IMPLIED && known)
        found(finding_kind::mapped_twice, {0, false, event.time_ns, live_[event.handle].addr,
                                           event.size, 0, live_[event.handle].device});
    if ((event.flags & BOUNCE_EVENT_UNMATCHED &&
         (event.handle >= live_.size() || !live_[event.handle].held)) ||
        event.handle >= live_.size() || !live_[event.handle].mapped)
        return; // the reader has told of it
    live &l = live_[event.handle];
    if (l.overlapped && !(event.flags & BOUNCE_EVENT_IMPLIED)) {
        bool late = event.seq && event.seq - l.overlapped_seq <= late_records;
        found(late ? finding_kind::order : finding_kind::overlap,
              {l.overlapped_at.number, l.overlapped_at.is_line, now_ns_, l.overlapper, 0,
               l.at.number, l.device});
    }
    forget(l);
    if (l.bounced && freed_.size() < freed_most)
        freed_.insert(first_slot(l.addr));
    if (l.list_key && freed_entries_.size() < freed_most)
        freed_entries_.insert(l.list_key);
}

void linter::sync(const bounce_event &event) {
    if (event.handle >= live_.size() || !live_[event.handle].mapped)
        return;
    const live &l = live_[event.handle];
    if (event.offset <= l.size && event.size <= l.size - event.offset)
        return;
    found(finding_kind::sync_beyond_end, {l.at.number, l.at.is_line, now_ns_, l.addr + event.offset,
                                          event.size, l.size, l.device});
}

void linter::restart() {
    take_until(UINT64_MAX);
    live_.clear();
    by_slot_.clear();
    freed_.clear();
    freed_entries_.clear();
    for (floor_series &floor : floors_)
        floor.set(now_ns_, 0);
}

// ---- the end ----

void linter::finish(std::uint64_t span_ns, bool tracked) {
    take_until(UINT64_MAX);
    for (const live &l : live_)
        if (l.mapped && l.overlapped)
            found(finding_kind::overlap, {l.overlapped_at.number, l.overlapped_at.is_line, now_ns_,
                                          l.overlapper, 0, l.at.number, l.device});
    if (tracked)
        find_leaks(std::max(span_ns, now_ns_));
}

void linter::find_leaks(std::uint64_t span_ns) {
    std::vector<std::vector<const live *>> by_device(floors_.size());
    for (const live &l : live_)
        if (l.mapped)
            by_device[l.device].push_back(&l);
    for (std::size_t device = 0; device < by_device.size(); device++) {
        auto &left = by_device[device];
        if (left.empty())
            continue;
        std::stable_sort(left.begin(), left.end(), [](const live *a, const live *b) {
            return a->since_ns != b->since_ns ? a->since_ns < b->since_ns : a->id < b->id;
        });
        floor_series &floor = floors_[device];
        leak out;
        out.device = static_cast<std::uint16_t>(device);
        out.count = left.size();
        for (const live *l : left) {
            out.before += l->held;
            out.bytes += l->size;
            out.slots += l->bounced ? last_slot(l->addr, l->size) - first_slot(l->addr) + 1 : 0;
            if (out.examples.size() < examples_ && !l->held)
                out.examples.push_back({l->at.number, l->at.is_line, l->since_ns, l->addr, l->size,
                                        span_ns - l->since_ns, l->device});
        }
        out.age_ns = span_ns - left.front()->since_ns;
        out.median_age_ns = span_ns - left[left.size() / 2]->since_ns;
        floor.advance(span_ns);
        for (std::size_t part = 0; part < parts && floor.used >= parts; part++) {
            std::size_t from = floor.used * part / parts, to = floor.used * (part + 1) / parts;
            out.floor.push_back(
                *std::min_element(floor.fewest.begin() + static_cast<std::ptrdiff_t>(from),
                                  floor.fewest.begin() + static_cast<std::ptrdiff_t>(to)));
        }
        out.grows = rises(out.floor);
        found(out.grows ? finding_kind::leak_grows : finding_kind::never_ended,
              out.examples.empty() ? example{} : out.examples.front(), out.count);
        leaks_.push_back(std::move(out));
    }
}

} // namespace bouncesim
