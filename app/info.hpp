// SPDX-License-Identifier: Apache-2.0
// What `bouncesim info` found in a trace, and the forms in which it says so.
#pragma once

#include "report.hpp"
#include "session.hpp"

#include "bounce/profile.h"

#include <memory>
#include <ostream>
#include <string>

namespace bouncesim {

// A trace read to its end.
struct trace_info {
    std::unique_ptr<trace_session> session;
    std::unique_ptr<bounce_profile, void (*)(bounce_profile *)> profile{nullptr,
                                                                        bounce_profile_destroy};

    const bounce_profile_totals &totals() const {
        return *bounce_profile_get_totals(profile.get());
    }
};

// Counts and histograms of several streams together: of a device, or of all of them. Owns them.
class stream_sum {
  public:
    stream_sum() = default;
    stream_sum(const stream_sum &) = delete;
    stream_sum &operator=(const stream_sum &) = delete;
    ~stream_sum();

    void add(const bounce_profile_stream *stream); // NULL: nothing

    bounce_profile_stream all = {};
};

// Percentiles of a histogram, sorted once.
class percentiles {
  public:
    explicit percentiles(const bounce_histogram &histogram)
        : histogram_(histogram), sorted_(bounce_histogram_sorted(&histogram), std::free) {}
    std::uint64_t at(std::uint32_t per_mille) const {
        return bounce_histogram_percentile(&histogram_, sorted_.get(), per_mille);
    }
    // The upper one of an even number, as in the results of `run`.
    std::uint64_t median() const {
        return bounce_histogram_at(&histogram_, sorted_.get(), histogram_.count / 2);
    }
    const bounce_bin *begin() const {
        return sorted_.get();
    }
    const bounce_bin *end() const {
        return sorted_ ? sorted_.get() + histogram_.used : nullptr;
    }

  private:
    const bounce_histogram &histogram_;
    std::unique_ptr<bounce_bin[], void (*)(void *)> sorted_;
};

// The smallest power of two of slots, at least a slot set, that holds so many; 0 of nothing.
std::uint64_t pool_for(std::uint64_t slots);

// What a direction is called in results: "to_device", ..., "unknown" where the trace does not tell.
const char *direction_name(unsigned dir);

json::object info_json(const trace_info &info);             // schema bouncesim-info/1
void print_info(std::ostream &out, const trace_info &info); // for people
std::string histogram_file(const trace_info &info);         // TOML that `gen` takes

} // namespace bouncesim
