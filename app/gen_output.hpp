// SPDX-License-Identifier: Apache-2.0
// The formats that `gen` writes.
#pragma once

#include "gen_spec.hpp"

#include "bounce/event.h"

#include <memory>
#include <string>

namespace bouncesim {

class gen_output {
  public:
    virtual ~gen_output() = default;
    virtual const char *name() const = 0;
    virtual void write(const bounce_event *events, std::size_t count) = 0;
    // The file appears under its name.
    virtual void finish(std::uint64_t span_ns) = 0;
};

// `format`: a name, or empty for what the suffix of `target` says. Throws refused_error for one
// that is not known or cannot carry what the spec makes, run_error when it cannot be written.
std::unique_ptr<gen_output> open_gen_output(const std::string &format, const std::string &target,
                                            const std::string &spec_path, const gen_spec &spec);
std::string gen_format_names(); // "csv, native, ops"

// A row of its table.
std::unique_ptr<gen_output> make_native_output(const std::string &target,
                                               const std::string &spec_path, const gen_spec &spec);

} // namespace bouncesim
