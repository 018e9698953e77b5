// SPDX-License-Identifier: Apache-2.0
// What was behind the failures of a recording, by device and by the size that the kernel logs.
#pragma once

#include "bounce/swiotlb.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace bouncesim {

class recorded_causes {
  public:
    struct counts {
        std::uint64_t failures = 0;
        std::uint64_t by_cause[BOUNCE_CAUSE_COUNT] = {};
    };

    // Replays the trace as `bouncesim run` would. Throws as that does.
    explicit recorded_causes(const std::string &trace);

    // Failures of maps of `size` bytes ("sz" of the log line) of the device that a log names ("nvme
    // 0000:00:04.0"); of all devices where none of that name failed so.
    counts find(const std::string &logged_device, std::uint64_t size) const;
    const counts &all() const {
        return all_;
    }

  private:
    std::map<std::pair<std::uint64_t, std::string>, counts> by_size_;
    counts all_;
};

// "4,393 exhausted, 313 area_limited"; the most frequent first.
std::string causes_text(const recorded_causes::counts &counts);

} // namespace bouncesim
