// SPDX-License-Identifier: Apache-2.0
// What a person reads in ten seconds.
#pragma once

#include "session.hpp"

#include "bounce/exposure.h"
#include "bounce/stats.h"

#include <ostream>

namespace bouncesim {

// `exposure` may be null.
void print_summary(std::ostream &out, trace_session &session, const bounce_stats &stats,
                   const bounce_exposure *exposure);

// "60 exhausted, 48 fragmented", largest first; empty when there were none.
std::string causes_text(const bounce_stats &stats);

// What speaks against "nothing bounced": dma addresses that are not the buffers' in a recording
// without swiotlb_bounced events. Empty otherwise. Whole once all events have been read.
std::string elsewhere_text(const trace_session &session);

// The sentence on a trace in which no map bounced.
std::string nothing_bounced(const trace_session &session);

} // namespace bouncesim
