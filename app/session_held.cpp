// SPDX-License-Identifier: Apache-2.0
// What was in use when the recording began: it stands in front of the recording.
#include "session.hpp"

#include "bounce/infer.h"

#include <algorithm>
#include <new>

namespace bouncesim {

// Behind what stands in front of the recording.
std::size_t trace_session::held_in_front() const {
    auto is_held = [](const bounce_event &e) {
        return (e.flags & BOUNCE_EVENT_HELD) && e.handle < BOUNCE_HELD_TOLD;
    };
    auto behind = std::find_if_not(window_.begin(), window_.end(), is_held);
    return static_cast<std::size_t>(behind - window_.begin());
}

// Buffers that were mapped before the recording began, as their unmaps tell, stand in front.
void trace_session::add_held(std::uint64_t low, std::uint64_t high) {
    std::size_t told = held_in_front();
    std::vector<bounce_event> held(BOUNCE_HELD_TOLD - told);
    held.resize(bounce_infer_held(low, high, window_.data(), window_.size(), held.data(),
                                  static_cast<std::uint32_t>(told)));
    window_.insert(window_.begin() + static_cast<std::ptrdiff_t>(told), held.begin(), held.end());
}

// And so do slots that nothing in the recording ever tells of.
void trace_session::add_hidden() {
    std::size_t told = held_in_front(), found = 0;
    std::vector<bounce_event> hidden(BOUNCE_HELD_TOLD - told);
    if (bounce_infer_hidden(&config_.recorded, devices_.data(), window_.data(), window_.size(),
                            hidden.data(), hidden.size(), &found))
        throw std::bad_alloc();
    hidden.resize(found);
    for (std::size_t i = 0; i < found; i++)
        hidden[i].handle = static_cast<std::uint32_t>(told + i);
    window_.insert(window_.begin() + static_cast<std::ptrdiff_t>(told), hidden.begin(),
                   hidden.end());
}

void trace_session::count_held() {
    constexpr std::uint64_t slot = std::uint64_t(1) << BOUNCE_SLOT_SHIFT;
    for (const bounce_event &event : window_) {
        if (!(event.flags & BOUNCE_EVENT_HELD) || event.handle >= BOUNCE_HELD_TOLD)
            break;
        std::uint64_t slots = (event.tlb_addr % slot + event.size + slot - 1) / slot;
        config_.held_slots += slots;
        config_.hidden_slots += bounce_event_is_hidden(&event) ? slots : 0;
    }
}

// Of requests: what the kernel counted at both ends of the recording was mapped for something else.
void trace_session::count_others() {
    if (!config_.requests || options_.as_read)
        return;
    std::uint64_t counted = 0;
    if (told_ && !told_->overwritten)
        counted =
            std::min<std::uint64_t>({told_->begin.used.value_or(0), told_->end.used.value_or(0),
                                     config_.replay.pool.nslabs, most_held_slots});
    config_.others_slots = options_.held_slots.value_or(
        options_.usually_held ? options_.usually_held : static_cast<std::uint32_t>(counted));
}

} // namespace bouncesim
