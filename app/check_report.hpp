// SPDX-License-Identifier: Apache-2.0
// What --check-data found, as JSON and for people.
#pragma once

#include "models/check_stats.hpp"

#include "bounce/device.h"

#include <boost/json.hpp>

#include <string>
#include <vector>

namespace bouncesim {

// "check" of the JSON result: the counts, and the first mismatches and faults.
boost::json::object check_json(const models::check_stats &stats,
                               const std::vector<bounce_device> &devices);
// The same of faults alone: { count, by_kind, first }.
boost::json::object faults_json(const models::fault_stats &faults,
                                const std::vector<bounce_device> &devices);
std::string check_summary(const models::check_stats &stats,
                          const std::vector<bounce_device> &devices);

} // namespace bouncesim
