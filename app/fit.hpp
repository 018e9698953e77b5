// SPDX-License-Identifier: Apache-2.0
// --fit TRACE: how long devices take, from the requests and completions of another trace.
#pragma once

#include "platform.hpp"

#include <string>

namespace bouncesim {

// Sets the times of every model that a device of the trace at `path` has: a straight line by size
// (least squares), for reads and for writes apart, whatever else is under way; with `draws` the
// times themselves, to draw from. Throws refused_error for a trace without completions.
void fit_platform(platform &p, const simulation_options &options, const std::string &path,
                  bool draws);

} // namespace bouncesim
