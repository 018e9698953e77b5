// SPDX-License-Identifier: Apache-2.0
// A line on stderr while a long trace is read: only on a terminal, only after a second.
#pragma once

#include "session.hpp"

#include <chrono>

namespace bouncesim {

class progress_line {
  public:
    explicit progress_line(const trace_session &session);
    progress_line(const progress_line &) = delete;
    progress_line &operator=(const progress_line &) = delete;
    ~progress_line();
    void update();

  private:
    const trace_session &session_;
    bool wanted_;
    bool shown_ = false;
    unsigned batches_ = 0;
    std::chrono::steady_clock::time_point begun_, last_;
};

} // namespace bouncesim
