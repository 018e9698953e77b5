// SPDX-License-Identifier: Apache-2.0
// What every reader promises, whatever its input.
#pragma once

#include "reading.hpp"

#include <cctype>
#include <map>
#include <string>

namespace reading {

inline std::string broken_events(const outcome &out) {
    std::map<std::uint32_t, bool> live;
    for (const bounce_event &event : out.events) {
        if (event.device >= std::max<std::size_t>(out.devices.size(), 1))
            return "an event of a device that is not in the table";
        if (event.kind == BOUNCE_EVENT_RESTART)
            live.clear();
        if (event.kind == BOUNCE_EVENT_ISSUE) {
            if (event.size == 0 || event.dir > BOUNCE_FROM_DEVICE)
                return "a request without bytes or direction";
            live[event.handle] = true;
        }
        if (event.kind == BOUNCE_EVENT_COMPLETE) {
            if (!live[event.handle])
                return "the end of a request that did not begin";
            live[event.handle] = false;
        }
    }
    return {};
}

// What bounce_requests makes of them, with completions and with an assumed service time.
inline std::string broken_mappings(const outcome &out, bool assume) {
    std::map<std::uint32_t, std::uint64_t> mapped;
    std::uint64_t last_ns = 0;
    for (const bounce_event &event : mappings(out.events, out.devices, {assume, 1000, 1, 0})) {
        if (event.time_ns < last_ns)
            return "mappings out of order";
        last_ns = event.time_ns;
        if (event.kind == BOUNCE_EVENT_RESTART)
            mapped.clear();
        else if (event.kind == BOUNCE_EVENT_MAP && !mapped.emplace(event.handle, event.id).second)
            return "a handle mapped twice";
        else if (event.kind == BOUNCE_EVENT_UNMAP && mapped.erase(event.handle) != 1)
            return "an unmap without a map";
    }
    return assume && !mapped.empty() ? "requests that never end" : "";
}

// Empty, or which promise was broken. `most`: events that an input of that size can ask for.
inline std::string broken_promise(const outcome &out, std::uint64_t most) {
    if (out.status != BOUNCE_END) {
        if (out.status != BOUNCE_MALFORMED)
            return "refused with status " + std::to_string(out.status);
        if (!out.error.text[0])
            return "refused without a reason";
        for (const char *c = out.error.text; *c; c++)
            if (std::iscntrl(static_cast<unsigned char>(*c)))
                return "control characters in a reason";
    }
    if (out.number >= most)
        return "too many events";
    std::string broken = broken_events(out);
    if (broken.empty() && out.recorded.level == BOUNCE_LEVEL_REQUESTS)
        broken = broken_mappings(out, false);
    if (broken.empty() && out.recorded.level == BOUNCE_LEVEL_REQUESTS)
        broken = broken_mappings(out, true);
    return broken;
}

} // namespace reading
