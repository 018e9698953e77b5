// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reading.hpp"

// From what a reader gave to the end: the pool found, the order found, the replay. Returns which
// promise was broken, or nothing.
std::string run_pipeline(const reading::outcome &out);
