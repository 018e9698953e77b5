// SPDX-License-Identifier: Apache-2.0
// The engines behind one call: replay (C, open loop) and systemc.
#pragma once

#include "options.hpp"
#include "recorders.hpp"
#include "session.hpp"

#include "bounce/stats.h"

#include <boost/json.hpp>

#include <string>

namespace bouncesim {

struct engine_options {
    std::string name = "replay";
    bool zero_costs = false;
    std::vector<std::string> costs; // KEY=PS
    bool check_data = false;
};

struct engine_result {
    bounce_stats stats = {};
    boost::json::object timing;   // simulated time, where the engine has it
    boost::json::object sections; // more of the result: "check"
    std::string summary;          // lines for people
    bool data_wrong = false;      // --check-data found something
};

po::options_description engine_option_table();
engine_options read_engine_options(const po::variables_map &values);

// Feeds the session's events to the engine until the trace ends.
engine_result run_engine(trace_session &session, const engine_options &options, recorders &rows);

} // namespace bouncesim
