// SPDX-License-Identifier: Apache-2.0
// The table of subcommands: one file (cmd_NAME.cpp) and one row here each.
#pragma once

#include <string>
#include <vector>

namespace bouncesim {

using arguments = std::vector<std::string>;

// Every command gets the arguments after its own name and returns the exit status:
// 0 done, 1 could not do it, 2 usage or input refused, 3 a regression or --fail-on-full.
struct command {
    const char *name;
    const char *usage;
    const char *summary;
    int (*run)(const arguments &args);
};

const std::vector<command> &commands();

} // namespace bouncesim
