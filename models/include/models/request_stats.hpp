// SPDX-License-Identifier: Apache-2.0
// What the request platform measures: one list for the struct, the JSON and docs/models/timing.md.
#pragma once

#include <cstdint>

namespace bouncesim::models {

/* clang-format off */
// X(type, name, unit, meaning)
#define BOUNCESIM_REQUEST_STATS(X) \
    X(uint64_t, arrived, "requests", "requests and packets that reached a driver") \
    X(uint64_t, completed, "requests", "of these, ended well") \
    X(uint64_t, failed, "requests", "ended with an error, as no room was found to map them") \
    X(uint64_t, dropped, "packets", "dropped: no room to map them, or no receive buffer posted") \
    X(uint64_t, split, "requests", "larger than one request of the device may be: cut") \
    X(uint64_t, held, "requests", "put back in their queue by a driver that found no room") \
    X(uint64_t, tries_failed, "attempts", "map attempts of whole requests that found no room") \
    X(uint64_t, held_hiwater, "requests", "most that waited for room at a time") \
    X(uint64_t, tag_waits, "requests", "waited because their hardware queue was full") \
    X(uint64_t, inflight_hiwater, "requests", "most that devices had at a time") \
    X(uint64_t, assumed_service, "requests", "without a recorded completion: the model's time") \
    X(double, latency_mean_ns, "ns", "from arrival to the end of the unmaps") \
    X(double, latency_p50_ns, "ns", "half of them took no longer than this") \
    X(double, latency_p90_ns, "ns", "nine in ten of them") \
    X(double, latency_p99_ns, "ns", "99 in 100") \
    X(double, latency_max_ns, "ns", "the longest") \
    X(double, held_ns, "ns", "time of all requests waiting for room")
/* clang-format on */

struct request_stats {
#define BOUNCESIM_FIELD(type, name, unit, meaning) type name = 0;
    BOUNCESIM_REQUEST_STATS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
};

} // namespace bouncesim::models
