// SPDX-License-Identifier: Apache-2.0
// --trace-out, --vcd: what watches an engine, behind one object. Only with --engine systemc.
#pragma once

#include "options.hpp"

#include "bounce/device.h"
#include "bounce/swiotlb.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#ifdef BOUNCESIM_SYSTEMC
#include "models/activity.hpp"
#endif

namespace bouncesim {

struct watch_options {
    std::string events;               // file of --trace-out, or empty
    std::string vcd;                  // file of --vcd, or empty
    bool whole = false;               // standard output gets nothing before commit()
    std::vector<std::string> signals; // of the VCD: patterns; none: all
    std::uint64_t from_ns = 0;
    std::uint64_t to_ns = UINT64_MAX; // what begins there is left out

    bool any() const {
        return !events.empty() || !vcd.empty();
    }
    bool claims_stdout() const {
        return events == "-" || vcd == "-";
    }
};

po::options_description watch_option_table();
// refused_error; `engine` is what --engine says.
watch_options read_watch_options(const po::variables_map &values, const std::string &engine);

#ifdef BOUNCESIM_SYSTEMC

// The device table of the trace, which grows while it is read.
struct watched_devices {
    const bounce_device *table = nullptr;
    std::size_t count = 0;
};

// A file that an engine's activity goes into as it happens: memory follows what is live.
class watcher : public models::activity {
  public:
    // After the run, which ended at `end_ps`; the file is whole then, and not yet under its name.
    virtual void finish(std::uint64_t end_ps) = 0;
    virtual void commit() = 0;
    virtual std::string summary() const = 0; // a line for people
};

class watchers {
  public:
    // run_error for files that cannot be made, refused_error for signals that are not there.
    watchers(const watch_options &options, const bounce_swiotlb_config &pool);

    void set_devices(const std::vector<bounce_device> &devices) {
        devices_ = {devices.data(), devices.size()};
    }
    models::activity *activity() { // null: nobody watches
        return head_;
    }
    void finish(std::uint64_t end_ps);
    void commit();
    std::string summary() const;

  private:
    watched_devices devices_;
    std::vector<std::unique_ptr<watcher>> files_;
    std::unique_ptr<models::activity> all_; // tells each of several
    models::activity *head_ = nullptr;
};

#else

class watchers { // an engine that could be watched is refused
  public:
    watchers(const watch_options &, const bounce_swiotlb_config &) {}
    void commit() {}
    std::string summary() const {
        return {};
    }
};

#endif

} // namespace bouncesim
