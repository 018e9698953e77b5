// SPDX-License-Identifier: Apache-2.0
// The kernel's own counts beside the replay's, and what the recorder lost.
#pragma once

#include "session.hpp"

#include "bounce/stats.h"

#include <boost/json.hpp>

#include <string>

namespace bouncesim {

// One line each, empty when there is nothing to say.
std::string counters_text(const trace_session &session, const bounce_stats &stats);
std::string recorder_losses_text(const trace_session &session);

// Adds what was counted to the section `recorded`, and a section `recording` of what an archive
// tells of its machine.
void add_recording_json(const trace_session &session, boost::json::object &result);

} // namespace bouncesim
