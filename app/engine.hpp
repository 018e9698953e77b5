// SPDX-License-Identifier: Apache-2.0
// The engines behind one call: replay (C, open loop) and systemc.
#pragma once

#include "options.hpp"
#include "path_options.hpp"
#include "recorders.hpp"
#include "session.hpp"
#include "watchers.hpp"
#ifdef BOUNCESIM_SYSTEMC
#include "platform.hpp"
#endif

#include "bounce/stats.h"

#include <boost/json.hpp>

#include <string>

namespace bouncesim {

struct engine_options {
    std::string name = "replay";
    bool zero_costs = false;
    std::vector<std::string> costs; // KEY=PS
    path_options path;
#ifdef BOUNCESIM_SYSTEMC
    platform machine; // systemc
#endif
};

struct engine_result {
    bounce_stats stats = {};
    boost::json::object timing;   // simulated time, where the engine has it
    boost::json::object sections; // more of the result: "check", "iommu", "platform", ...
    std::string summary;          // lines for people
    bool data_wrong = false;      // --check-data found something
};

po::options_description engine_option_table();
engine_options read_engine_options(const po::variables_map &values);

// What the engine's platform says goes into options that the command line left open.
void apply_engine(engine_options &engine, const po::variables_map &values,
                  simulation_options &options);

// Feeds the session's events to the engine until the trace ends. `watching` may be null.
engine_result run_engine(trace_session &session, const engine_options &options, recorders &rows,
                         watchers *watching = nullptr);

} // namespace bouncesim
