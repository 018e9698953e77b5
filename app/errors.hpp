// SPDX-License-Identifier: Apache-2.0
// What a command throws; main() prints it as one line and exits with its status.
#pragma once

#include <stdexcept>
#include <string>

namespace bouncesim {

enum exit_status : int {
    exit_done = 0,
    exit_failed = 1,
    exit_refused = 2,
    exit_regression = 3,
};

// Could not do it: an output that cannot be written, memory, a broken tool.
struct run_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Usage, configuration or input refused; the text names file, line and what would be right.
struct refused_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace bouncesim
