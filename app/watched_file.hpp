// SPDX-License-Identifier: Apache-2.0
// What the files of --trace-out and --vcd have in common: the file itself, and what devices have
// and what waits for room, from when it begins to when it ends.
#pragma once

#include "live_work.hpp"
#include "packed_output.hpp"
#include "watchers.hpp"

#include <string>

namespace bouncesim {

class watched_file : public watcher {
  public:
    void given(const models::work_report &report) final {
        std::uint64_t ns = report.time_ps / 1000;
        if (const models::work_report *waited = waiting_.end(report.key))
            ended(*waited, true, ns);
        given_.begin(report);
        began(report, false, ns);
    }
    void done(std::uint32_t key, std::uint64_t time_ps) final {
        if (const models::work_report *was = given_.end(key))
            ended(*was, false, time_ps / 1000);
    }
    void waits(const models::work_report &report) final {
        waiting_.begin(report);
        began(report, true, report.time_ps / 1000);
    }
    void restart(std::uint64_t time_ps) final {
        end_all([&](const models::work_report &one, bool waiting) {
            ended(one, waiting, time_ps / 1000);
        });
    }
    void commit() final {
        file_.commit();
    }

  protected:
    // `devices` outlives this and is set before what names a device is told.
    watched_file(const watch_options &options, const std::string &name,
                 const watched_devices &devices)
        : options_(options), devices_(devices), file_(name, options.whole) {}

    // `waiting`: for room; otherwise a device has it. Times may go back a little.
    virtual void began(const models::work_report &report, bool waiting, std::uint64_t ns) = 0;
    virtual void ended(const models::work_report &report, bool waiting, std::uint64_t ns) = 0;

    // Nothing waits or is with a device any more: each(report, waiting) for what was.
    template <class Each> void end_all(const Each &each) {
        waiting_.clear([&](const models::work_report &one) { each(one, true); });
        given_.clear([&](const models::work_report &one) { each(one, false); });
    }

    const watch_options options_;
    const watched_devices &devices_;
    packed_output file_;

  private:
    live_work given_, waiting_;
};

} // namespace bouncesim
