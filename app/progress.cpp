// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include "text.hpp"

#include <cstdio>
#include <unistd.h>

namespace bouncesim {

using std::chrono::duration;
using std::chrono::steady_clock;

progress_line::progress_line(const trace_session &session)
    : session_(session), wanted_(!session.options().quiet && isatty(STDERR_FILENO)),
      begun_(steady_clock::now()), last_(begun_) {}

progress_line::~progress_line() {
    if (shown_)
        std::fputs("\r\033[K", stderr);
}

void progress_line::update() {
    if (!wanted_ || ++batches_ % 16)
        return;
    steady_clock::time_point now = steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(shown_ ? 250 : 1000))
        return;
    last_ = now;
    shown_ = true;
    double seconds = duration<double>(now - begun_).count();
    std::uint64_t records = session_.counts().records;
    double share = session_.progress();
    std::string line =
        with_commas(records) + " records, " +
        with_commas(static_cast<std::uint64_t>(static_cast<double>(records) / seconds)) + "/s";
    if (share > 0 && share <= 1) {
        std::string bar(static_cast<std::size_t>(share * 30), '#');
        bar.resize(30, '.');
        line = "[" + bar + "] " + line + ", " + fixed(seconds / share - seconds, 0) + " s left";
    }
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    std::fflush(stderr);
}

} // namespace bouncesim
