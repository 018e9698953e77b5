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

// What a kernel makes of swiotlb=SLOTS,AREAS on the session's machine.
sweep_point make_point(const trace_session &session, const bounce_kernel *kernel,
                       std::uint64_t slots, std::uint32_t areas);

// --kernels, empty when it is not given; then the session has one: --kernel, or the recording's.
std::vector<const bounce_kernel *> read_kernels(const po::variables_map &values);
std::vector<const bounce_kernel *> kernels_for(const std::vector<const bounce_kernel *> &asked,
                                               const trace_session &session);

// --jobs, by default all cores. Throws refused_error.
unsigned read_workers(const po::variables_map &values);

// Options that leave no size of one pool to be tried. Throws refused_error.
void refuse_for_one_pool(const simulation_options &options);

// Replays the whole session at every point and fills in its statistics. The result does not depend
// on `workers`. Throws as the session does.
void run_sweep(trace_session &session, std::vector<sweep_point> &points, unsigned workers);

// The smallest point of those with this kernel and areas from which on no larger one has a failed
// map; NULL when even the largest has.
const sweep_point *smallest_without_failures(const std::vector<sweep_point> &points,
                                             const bounce_kernel *kernel, std::uint32_t nareas);

} // namespace bouncesim
