// SPDX-License-Identifier: Apache-2.0
// What `convert` writes: one class a format, one row each in the table of convert_formats.cpp.
#pragma once

#include "packed_output.hpp"
#include "session.hpp"

#include <memory>
#include <string>
#include <vector>

namespace bouncesim {

class trace_writer {
  public:
    virtual ~trace_writer() = default;
    // What the trace tells of its machine by now; before the events that it was read with.
    virtual void set() {}
    // What the recorder wrote of its machine; the same again costs nothing. `part`: the events are
    // not all of those that it counted.
    virtual void tell(const recording &, bool part) {
        (void)part;
    }
    virtual void write(const std::vector<bounce_event> &events) = 0;
    virtual void finish(const bounce_trace_counts &counts) = 0;
    // One line for people about what the format could not carry, or nothing.
    virtual std::string lost() const {
        return "";
    }
};

struct convert_format {
    const char *name;
    const char *suffix;
    bool carries_order; // the windows of events: no order has to be settled before
    std::unique_ptr<trace_writer> (*create)(const trace_session &session, packed_output &output);
};

// bouncesim's own CSV (convert_csv.cpp).
std::unique_ptr<trace_writer> make_csv_writer(const trace_session &session, packed_output &output);

// By name, or by suffix (with its point); NULL: none.
const convert_format *find_convert_format(const std::string &text);
std::string convert_format_names(); // "native (.bnc), ..."

} // namespace bouncesim
