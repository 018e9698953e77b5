// SPDX-License-Identifier: Apache-2.0
// Sizes, times and counts of a spec: a number or a distribution. docs/gen.md is the reference.
#pragma once

#include "gen_spec.hpp"
#include "toml_table.hpp"

namespace bouncesim {

constexpr std::uint64_t gen_time_most = std::uint64_t{1} << 60; // ns: 36 years

// What `key` says, from `least` to `most`, times `unit`; tables of values go into spec.bins. False:
// not there. Throws refused_error.
bool read_dist(toml_table &table, const char *key, std::uint64_t least, std::uint64_t most,
               std::uint64_t unit, gen_spec &spec, bounce_dist &out);

// The same for a time: KEY_ns, KEY_us or KEY_ms.
bool read_time_dist(toml_table &table, const std::string &key, gen_spec &spec, bounce_dist &out);

} // namespace bouncesim
