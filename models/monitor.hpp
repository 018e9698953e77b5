// SPDX-License-Identifier: Apache-2.0
// What the CPUs measure of their operations, and where a process leaves an error: exceptions do not
// get through the SystemC kernel as they are.
#pragma once

#include "histogram.hpp"
#include "models/engine.hpp"
#include "models/timing_stats.hpp"

#include <systemc>

#include <cstdint>
#include <exception>

namespace bouncesim::models {

struct monitor {
    histogram map_ps;
    histogram unmap_ps;
    uint64_t dma_waits = 0;
    double dma_wait_ps = 0;
    uint64_t lag_max_ps = 0;
    std::exception_ptr failure;
    stop_function *stop = nullptr;
    uint32_t bodies = 0;

    // Runs the body of a process; the first exception ends the simulation.
    template <class Body> void guard(const Body &body) {
        try {
            if (++bodies % 4096 == 0 && stop && stop())
                throw engine_error("interrupted");
            if (!failure)
                body();
        } catch (...) {
            failure = std::current_exception();
            sc_core::sc_pause();
        }
    }

    // The times of the calls.
    void report(timing_stats &t) const {
#define BOUNCESIM_LATENCY(call)                                                                    \
    t.call##_mean_ns = ns_of_ps(call##_ps.mean());                                                 \
    t.call##_p50_ns = ns_of_ps(call##_ps.percentile(500));                                         \
    t.call##_p90_ns = ns_of_ps(call##_ps.percentile(900));                                         \
    t.call##_p99_ns = ns_of_ps(call##_ps.percentile(990));                                         \
    t.call##_p999_ns = ns_of_ps(call##_ps.percentile(999));                                        \
    t.call##_max_ns = ns_of_ps(call##_ps.max())
        BOUNCESIM_LATENCY(map);
        BOUNCESIM_LATENCY(unmap);
#undef BOUNCESIM_LATENCY
    }
};

} // namespace bouncesim::models
