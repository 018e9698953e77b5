// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

namespace bouncesim {

int cmd_calibrate(const arguments &args);
int cmd_run(const arguments &args);
#ifdef BOUNCESIM_SYSTEMC
int cmd_check_config(const arguments &args);
#endif
int cmd_sweep(const arguments &args);
int cmd_size(const arguments &args);
int cmd_compare(const arguments &args);
int cmd_convert(const arguments &args);
int cmd_explain(const arguments &args);
int cmd_gen(const arguments &args);
int cmd_info(const arguments &args);
int cmd_lint(const arguments &args);
int cmd_list(const arguments &args);

const std::vector<command> &commands() {
    static const std::vector<command> table = {
        {"run", "TRACE...", "replay a trace: pool pressure, full events and their causes", cmd_run},
#ifdef BOUNCESIM_SYSTEMC
        {"check-config", "FILE.toml...", "read platform files and say what is wrong with them",
         cmd_check_config},
#endif
        {"sweep", "TRACE...", "the same trace over a grid of pool sizes, areas and kernels",
         cmd_sweep},
        {"size", "TRACE...", "the smallest pool that is enough, as the boot option to use",
         cmd_size},
        {"compare", "A B", "two results: what differs, and whether anything got worse",
         cmd_compare},
        {"explain", "LINE|FILE|-", "what a \"swiotlb buffer is full\" log line really says",
         cmd_explain},
        {"gen", "SPEC.toml", "a trace made from a description: seeded, of any length", cmd_gen},
        {"info", "TRACE...", "what is in a trace: devices, sizes, lifetimes, demand, losses",
         cmd_info},
        {"calibrate", "[-o FILE.toml]", "this machine's copy and lock costs, for a platform file",
         cmd_calibrate},
        {"lint", "TRACE...",
         "what contradicts itself, is missing or is never given back in a trace", cmd_lint},
        {"convert", "IN... OUT", "a trace of any format as native (.bnc), CSV or operation stream",
         cmd_convert},
        {"list", "[kernels|formats|...]", "what this build knows", cmd_list},
    };
    return table;
}

} // namespace bouncesim
