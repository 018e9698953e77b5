// SPDX-License-Identifier: Apache-2.0
// What devices have and what waits for room, by key, of an engine that is watched.
#pragma once

#include "models/activity.hpp"

#include <cstdint>
#include <vector>

namespace bouncesim {

class live_work {
  public:
    struct item {
        models::work_report report = {};
        bool live = false;
    };

    void begin(const models::work_report &report) {
        if (report.key >= items_.size())
            items_.resize(std::size_t{report.key} * 2 + 16);
        items_[report.key] = {report, true};
    }
    // Null when it is not live. Valid until the next begin().
    const models::work_report *end(std::uint32_t key) {
        if (key >= items_.size() || !items_[key].live)
            return nullptr;
        items_[key].live = false;
        return &items_[key].report;
    }
    // Ends all of them.
    template <class Each> void clear(const Each &each) {
        for (item &one : items_)
            if (one.live) {
                one.live = false;
                each(one.report);
            }
    }

  private:
    std::vector<item> items_; // keys are given out again: as many as were live at a time
};

} // namespace bouncesim
