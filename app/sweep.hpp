// SPDX-License-Identifier: Apache-2.0
// Many configurations over one reading of a trace, on all cores.
#pragma once

#include "session.hpp"

#include "bounce/stats.h"

#include <vector>

namespace bouncesim {

struct sweep_point {
    const bounce_kernel *kernel = nullptr;
    std::uint64_t nslabs = 0; // after the kernel's rounding
    std::uint32_t nareas = 0;
    std::uint64_t start = 0;
    std::uint64_t bytes = 0;
    bounce_stats stats = {};
};

// Replays the whole session at every point and fills in its statistics. The result does not depend
// on `workers`. Throws as the session does.
void run_sweep(trace_session &session, std::vector<sweep_point> &points, unsigned workers);

// The smallest point of those with this kernel and areas from which on no larger one has a failed
// map; NULL when even the largest has.
const sweep_point *smallest_without_failures(const std::vector<sweep_point> &points,
                                             const bounce_kernel *kernel, std::uint32_t nareas);

} // namespace bouncesim
