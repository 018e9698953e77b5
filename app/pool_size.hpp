// SPDX-License-Identifier: Apache-2.0
// Which pool the boot option, the machine and the trace come to, and by which rule.
#pragma once

#include "options.hpp"

#include "bounce/infer.h"
#include "bounce/trace.h"

#include <string>

namespace bouncesim {

struct pool_size {
    std::uint64_t nslabs = 0; // 0: there is no pool
    std::uint32_t nareas = 1;
    const char *rule = "recorded"; // as the key size_rule has it
    std::string text;              // for people; empty when the recording tells and nothing else
};

pool_size decide_pool_size(const simulation_options &options, const bounce_recorded_config &header,
                           const bounce_inference &recorded);

} // namespace bouncesim
