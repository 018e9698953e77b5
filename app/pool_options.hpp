// SPDX-License-Identifier: Apache-2.0
// Pools that no kernel has: other slot and slot-set sizes, a pool for each device, throttling.
#pragma once

#include "bounce/replay.h"

#include <boost/json.hpp>
#include <boost/program_options.hpp>

#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

struct throttle_marks {
    std::uint32_t high = 0, low = 0;  // percent
    std::vector<std::string> devices; // that may wait; none: all
};

// As given with --slot-size, --segment-slots, --per-device, --throttle; 0 where they were not.
struct pool_options {
    std::uint32_t slot_size = 0;
    std::uint32_t segment_slots = 0;
    std::uint64_t device_slots = 0; // of 2 KiB
    std::optional<throttle_marks> throttle;

    // Whether anything differs from what a kernel does.
    bool any() const {
        return slot_size || segment_slots || device_slots || throttle;
    }
};

void add_pool_options(boost::program_options::options_description &table);

// Throws refused_error.
pool_options read_pool_options(const boost::program_options::variables_map &values);

// Makes the pool asked for of one in slots of 2 KiB and sets of 128: it keeps its memory, the areas
// become fewer where they would not have a whole slot set each, or where its kernel has only one.
void apply_pool_options(const pool_options &options, bounce_swiotlb_config &pool);

// The marks in the form of the library; valid as long as this and the options.
class throttle_config {
  public:
    explicit throttle_config(const pool_options &options);
    throttle_config(const throttle_config &) = delete;
    throttle_config &operator=(const throttle_config &) = delete;

    const bounce_throttle_config *get() const {
        return asked_ ? &config_ : nullptr;
    }

  private:
    bool asked_;
    std::vector<const char *> names_;
    bounce_throttle_config config_ = {};
};

// After a run: a device that --throttle names must have been in the trace. Throws refused_error.
void check_throttled_devices(const bounce_replay_config &used,
                             const std::vector<bounce_device> &seen);

// Throws refused_error, with the names there are, when no device of the trace has that name.
void check_device_name(const char *option, const std::string &name,
                       const std::vector<bounce_device> &seen);

// Keys for the "config" object: slot_size and segment_slots always, the rest when asked for.
void add_pool_json(boost::json::object &config, const bounce_replay_config &used);

// ", slots of 4 KiB in sets of 512": what differs, for people; empty when nothing does.
std::string pool_text(const bounce_replay_config &used);

} // namespace bouncesim
