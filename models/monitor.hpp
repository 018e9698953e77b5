// SPDX-License-Identifier: Apache-2.0
// What the CPUs measure of their operations, and where a process leaves an error: exceptions do not
// get through the SystemC kernel as they are.
#pragma once

#include "histogram.hpp"

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

    // Runs the body of a process; the first exception ends the simulation.
    template <class Body> void guard(const Body &body) {
        try {
            if (!failure)
                body();
        } catch (...) {
            failure = std::current_exception();
            sc_core::sc_pause();
        }
    }
};

} // namespace bouncesim::models
