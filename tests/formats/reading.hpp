// SPDX-License-Identifier: Apache-2.0
// A trace in memory, read to its end as the command would read it.
#pragma once

#include "bounce/requests.h"
#include "bounce/trace.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace reading {

struct bytes {
    std::string text;
    std::size_t at = 0;
    std::size_t piece = 1 << 16;

    static bounce_status read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                              bounce_error *) {
        auto *self = static_cast<bytes *>(context);
        *got = std::min({capacity, self->piece, self->text.size() - self->at});
        std::memcpy(buffer, self->text.data() + self->at, *got);
        self->at += *got;
        return BOUNCE_OK;
    }
};

struct outcome {
    bounce_status status = BOUNCE_OK; // of the last call; BOUNCE_END when all was read
    bounce_error error = {};
    std::string format;
    bounce_trace_counts counts = {};
    bounce_recorded_config recorded = {};
    bounce_request_counts requests = {};
    std::vector<bounce_event> events; // the first `kept`
    std::vector<bounce_device> devices;
    std::uint64_t number = 0; // of all events
};

inline std::string file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

inline outcome read(const std::string &text, bounce_trace_options options = {},
                    std::size_t piece = 1 << 16, std::size_t kept = 1 << 16) {
    outcome out;
    bytes source{text, 0, piece};
    bounce_input input = {&source, bytes::read};
    bounce_trace *trace = nullptr;
    out.status = bounce_trace_open(&input, &options, &trace, &out.error);
    if (out.status != BOUNCE_OK)
        return out;
    bounce_event batch[512];
    std::size_t got = 0;
    while ((out.status = bounce_trace_next(trace, batch, 512, &got, &out.error)) == BOUNCE_OK) {
        out.number += got;
        std::size_t room = kept - out.events.size();
        out.events.insert(out.events.end(), batch, batch + std::min(got, room));
    }
    std::size_t ndevices = 0;
    const bounce_device *devices = bounce_trace_devices(trace, &ndevices);
    out.devices.assign(devices, devices + ndevices);
    out.format = bounce_trace_format(trace)->name;
    out.counts = *bounce_trace_get_counts(trace);
    out.recorded = *bounce_trace_recorded(trace);
    out.requests = bounce_trace_requests(trace);
    bounce_trace_close(trace);
    return out;
}

// What bounce_requests makes of events, given in batches of `batch` and taken `capacity` at a time.
inline std::vector<bounce_event> mappings(const std::vector<bounce_event> &events,
                                          const std::vector<bounce_device> &devices,
                                          const bounce_requests_config &config,
                                          std::size_t batch = 100, std::size_t capacity = 64,
                                          bounce_requests_counts *counts = nullptr) {
    std::vector<bounce_event> all, out(capacity);
    bounce_requests *requests = nullptr;
    if (bounce_requests_create(&config, &requests, nullptr))
        return all;
    std::size_t at = 0, taken = 0, got = 0;
    for (bool ended = false; !ended;) {
        std::size_t count = std::min(batch, events.size() - at);
        if (bounce_requests_next(requests, devices.data(), events.data() + at, count, &taken,
                                 out.data(), capacity, &got))
            break;
        at += taken;
        all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(got));
        ended = count == 0 && got == 0;
    }
    if (counts)
        bounce_requests_get_counts(requests, counts);
    bounce_requests_destroy(requests);
    return all;
}

} // namespace reading
