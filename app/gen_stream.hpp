// SPDX-License-Identifier: Apache-2.0
// One [[device.stream]] of a spec. docs/gen.md is the reference.
#pragma once

#include "gen_spec.hpp"
#include "toml_table.hpp"

namespace bouncesim {

// Adds it to spec.streams; returns its share of the device's rate, 0 when it has a rate of its own.
// Throws refused_error.
std::uint64_t read_gen_stream(toml_table table, std::uint16_t device, gen_spec &spec);

} // namespace bouncesim
