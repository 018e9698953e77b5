// SPDX-License-Identifier: Apache-2.0
// Results as JSON: the schema of `--json` and of sweep points.
#pragma once

#include "session.hpp"

#include "bounce/exposure.h"
#include "bounce/stats.h"

#include <boost/json.hpp>

#include <ostream>

namespace bouncesim {

namespace json = boost::json;

// The sections of bounce_stats as nested objects; `recorded` only when something was compared.
json::object stats_json(const bounce_stats &stats);
json::object trace_json(const trace_session &session);
// How the order of events was found; empty when it is the recorded one.
json::object order_json(trace_session &session);
// The pools that the recorded kernel added, in the order in which they came.
json::array growth_json(const trace_session &session);
json::object config_json(const resolved_config &config, const std::vector<bounce_device> &devices,
                         const char *engine);

// Keys as the columns of --exposure: the total, and a list of devices.
json::object exposure_json(const bounce_exposure &exposure,
                           const std::vector<bounce_device> &devices);

// Indented, keys in their order, a newline at the end.
std::string pretty(const json::value &value);

} // namespace bouncesim
