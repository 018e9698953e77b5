// SPDX-License-Identifier: Apache-2.0
#include "request_source.hpp"

#include <algorithm>
#include <iterator>

namespace bouncesim::models {

request_source::pending *request_source::numbered(uint64_t number) {
    return number >= first_ && number - first_ < queue_.size() ? &queue_[number - first_] : nullptr;
}

bool request_source::read() {
    if (position_ >= batch_.count) {
        if (ended_)
            return false;
        batch_ = (*events_)();
        position_ = 0;
        if (batch_.devices) {
            devices_ = batch_.devices;
            device_count_ = batch_.device_count;
        }
        if (!batch_.count) {
            ended_ = true;
            return false;
        }
    }
    take(batch_.events[position_++]);
    return true;
}

void request_source::take(const bounce_event &event) {
    now_ns_ = event.time_ns;
    if (event.kind == BOUNCE_EVENT_ISSUE) {
        if (tells_requeues_ || !issue_again(event))
            issue(event);
        given_back_ = 0;
    } else if (event.kind == BOUNCE_EVENT_COMPLETE) {
        complete(event);
    } else if (event.kind == BOUNCE_EVENT_RESTART) {
        arrival restart = {};
        restart.time_ns = event.time_ns;
        restart.restart = true;
        for (pending &each : queue_)
            each.live = false;
        queue_.push_back({restart, event.time_ns, false, false, false});
        by_handle_.clear(); // completions are counted on: the models' devices do so too
        past_.clear();
    }
}

// Given back by its driver a moment ago.
bool request_source::issue_again(const bounce_event &event) {
    pending *again = given_back_ ? numbered(given_back_ - 1) : nullptr;
    if (!again || again->given || again->request.device != event.device ||
        again->request.offset != event.offset || again->request.size != event.size)
        return false;
    again->live = true;
    again->issued_ns = event.time_ns;
    at(by_handle_, event.handle) = given_back_;
    return true;
}

// Whether what workers issue are requests that found no room. Reads and writes alike find none;
// where one kind alone comes from workers, it has another reason (seen: every write of Linux 6.1).
bool request_source::workers_try_again(device_past &past, bool write, bool worker) {
    constexpr uint64_t sure = 8; // of the other kind would have been seen by now
    past.issued[write]++;
    past.by_worker[write] += worker;
    return past.by_worker[!write] ||
           past.by_worker[write] * past.issued[!write] < sure * past.issued[write];
}

void request_source::issue(const bounce_event &event) {
    device_past &done = at(done_, event.device);
    cpu_past &past = at(past_, event.cpu);
    arrival made = {};
    made.time_ns = event.time_ns;
    made.service_ns = arrival::unknown;
    made.completions = done.completions;
    made.since_ns = event.time_ns - std::min(event.time_ns, done.completed_ns);
    made.size = event.size;
    made.offset = event.offset;
    made.device = event.device;
    made.cpu = made.done_cpu = event.cpu;
    made.segments = event.segments;
    made.dir = event.dir;

    uint64_t number = first_ + queue_.size();
    bool worker = event.flags & BOUNCE_EVENT_BY_WORKER && hides_tries_(event.device);
    worker = workers_try_again(done, event.dir == BOUNCE_TO_DEVICE, worker) && worker;
    const arrival *with = held_back(past, event.device, 0);
    bool early = worker && with && event.time_ns - with->time_ns < horizon_ns &&
                 past.early.size() < 64 && early_.size() < 1024;
    if (!worker)
        past.batch[past.issued++ % batch_end] = made;
    queue_.push_back({made, event.time_ns, true, early, false});
    at(by_handle_, event.handle) = number + 1;
    if (!early)
        return;
    past.early.push_back(number);
    early_.emplace_back(0, number);
    place_early(past, event.device);
}

// Of the device's requests in the batch the last, for 1 the one before it, and so on as far as
// there are; null when it has none. Completions are counted by device, so another's will not do.
const arrival *request_source::held_back(const cpu_past &past, uint16_t device, std::size_t back) {
    const arrival *found = nullptr;
    uint32_t count = std::min(past.held_issued, batch_end);
    for (uint32_t i = 1; i <= count; i++) {
        const arrival &each = past.held[(past.held_issued - i) % batch_end];
        if (each.device != device)
            continue;
        found = &each;
        if (!back--)
            break;
    }
    return found;
}

// The last of them with the last request of the batch, the one before it with the request before
// that, and so on: what finds no room stands at the end, where the pool is fullest.
void request_source::place_early(cpu_past &past, uint16_t device) {
    std::size_t back = 0;
    for (std::size_t i = past.early.size(); i-- > 0;) {
        pending *moved = numbered(past.early[i]);
        if (!moved || moved->request.device != device)
            continue;
        const arrival *with = held_back(past, device, back++);
        if (!with || moved->given)
            continue;
        moved->request.time_ns = with->time_ns;
        moved->request.completions = with->completions;
        moved->request.since_ns = with->since_ns;
        for (auto &[time_ns, number] : early_)
            if (number == past.early[i])
                time_ns = with->time_ns;
    }
    std::make_heap(early_.begin(), early_.end(), std::greater<>());
}

void request_source::complete(const bounce_event &event) {
    uint64_t &slot = at(by_handle_, event.handle);
    pending *ended = slot ? numbered(slot - 1) : nullptr;
    bool implied = event.flags & BOUNCE_EVENT_IMPLIED;
    given_back_ = implied ? slot : 0;
    slot = 0;
    if (!implied)
        end_batch(at(past_, event.cpu));
    if (!ended)
        return;
    ended->live = false;
    if (implied || ended->given) // given without its end: nothing is to wait for that
        return;
    device_past &done = at(done_, event.device);
    done.completions++;
    done.completed_ns = event.time_ns;
    ended->request.service_ns = event.time_ns - std::min(event.time_ns, ended->issued_ns);
    ended->request.done_cpu = event.cpu;
}

void request_source::end_batch(cpu_past &past) {
    if (!past.issued)
        return;
    std::copy(std::begin(past.batch), std::end(past.batch), past.held);
    past.held_issued = past.issued;
    past.issued = 0;
    past.early.clear();
}

bool request_source::ready(const pending &oldest) const {
    if (ended_ || queue_.size() >= window)
        return true;
    return !oldest.live && now_ns_ - std::min(now_ns_, oldest.request.time_ns) >= horizon_ns;
}

void request_source::give(pending &chosen, arrival &out) {
    out = chosen.request;
    chosen.given = true;
    while (!queue_.empty() && queue_.front().given) {
        queue_.pop_front();
        first_++;
    }
}

bool request_source::next(arrival &out) {
    for (;;) {
        head_ = std::max(head_, first_);
        while (head_ - first_ < queue_.size() &&
               (queue_[head_ - first_].early || queue_[head_ - first_].given))
            head_++;
        pending *oldest = numbered(head_);
        bool early = !early_.empty() && (!oldest || early_.front().first < oldest->request.time_ns);
        if (early)
            oldest = numbered(early_.front().second);
        if (oldest && ready(*oldest)) {
            if (early) {
                std::pop_heap(early_.begin(), early_.end(), std::greater<>());
                early_.pop_back();
            }
            give(*oldest, out);
            return true;
        }
        if (!read() && ended_ && queue_.empty())
            return false;
    }
}

} // namespace bouncesim::models
