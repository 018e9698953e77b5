// SPDX-License-Identifier: Apache-2.0
// What `bouncesim gen` makes, as a TOML file says it. docs/gen.md is the reference.
#pragma once

#include "bounce/device.h"
#include "bounce/gen.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace bouncesim {

struct gen_spec {
    // The lists that the configuration points into stay where they are.
    std::deque<std::vector<bounce_bin>> bins;
    std::deque<std::vector<std::uint16_t>> cpu_lists;
    std::deque<std::vector<bounce_gen_load>> loads;
    std::vector<bounce_gen_device> devices;
    std::vector<bounce_gen_stream> streams;
    std::vector<bounce_device> names; // name and masks, by device
    bounce_gen_config config = {};
    std::uint32_t cpus = 1;
    std::uint64_t nslabs = 32768; // for formats that state a pool
    std::uint32_t nareas = 0;
    std::uint64_t start = 0;

    gen_spec() = default;
    gen_spec(const gen_spec &) = delete;
    gen_spec &operator=(const gen_spec &) = delete;
};

// Throws refused_error with file and line: a key that is not known, a value out of range.
void read_gen_spec(const std::string &path, gen_spec &spec);

// The [[stream]] tables and device keys behind `profile = NAME`; NULL: no such profile.
const char *gen_profile(const std::string &name);
std::string gen_profile_names();

} // namespace bouncesim
