// SPDX-License-Identifier: Apache-2.0
// Event streams for the tests, and what an engine's hooks saw of them as text.
#pragma once

#include "models/mapping_engine.hpp"

#include "bounce/kernels.h"
#include "bounce/replay.h"

#include <cstdint>
#include <string>
#include <vector>

struct stream {
    bounce_replay_config config = {};
    uint32_t cpus = 1;
    std::vector<bounce_device> devices;
    std::vector<bounce_event> events;

    // A pool of linux-6.12 and one device with a 64-bit mask.
    explicit stream(uint64_t nslabs = 32768, uint32_t nareas = 1, uint32_t cpu_count = 1);

    bounce_event &add(bounce_event_kind kind, uint64_t time_ns, uint16_t cpu, uint32_t handle,
                      uint64_t size = 0, bounce_dir dir = BOUNCE_TO_DEVICE);
};

// Legal but wild: many CPUs, equal times, reused handles, syncs, scatter lists, failures, restarts.
stream random_stream(uint32_t seed, std::size_t count, uint64_t nslabs, uint32_t nareas,
                     uint32_t cpus);

// Every hook's call as a line.
class recorder {
  public:
    recorder();
    const bounce_replay_hooks *hooks() const {
        return &hooks_;
    }
    std::string text;
    std::vector<uint64_t> map_times_ns;

  private:
    bounce_replay_hooks hooks_ = {};
};

struct outcome {
    std::string text;
    bounce_stats stats;
    bouncesim::models::timing_stats timing;
    std::vector<uint64_t> map_times_ns;
};

outcome run_replay(const stream &of);
outcome run_systemc(const stream &of, const bouncesim::models::costs &timing,
                    uint32_t max_pending = 65536, std::size_t batch = 1000);
