// SPDX-License-Identifier: Apache-2.0
// Streams of requests for the tests, and what the request platform makes of them.
#pragma once

#include "models/request_engine.hpp"

#include "bounce/kernels.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct request_stream {
    bouncesim::models::request_config config;
    bouncesim::models::device_model model; // of every device
    std::vector<bounce_device> devices;
    std::vector<bounce_event> events;

    // A pool of linux-6.12, everything bounces, costs of zero.
    explicit request_stream(const char *model_name = "generic", uint64_t nslabs = 32768,
                            uint32_t nareas = 1, uint32_t cpus = 1);

    bounce_event &issue(uint64_t time_ns, uint32_t handle, uint64_t size, uint16_t cpu = 0,
                        bounce_dir dir = BOUNCE_TO_DEVICE);
    bounce_event &complete(uint64_t time_ns, uint32_t handle, uint16_t cpu = 0);
};

struct mapping_row {
    uint64_t time_ns, id, tlb_addr, size, orig_addr;
    uint32_t slots;
    uint16_t cpu;
    uint8_t dir;
    bounce_outcome outcome;

    bool operator==(const mapping_row &other) const;
};

struct request_outcome {
    std::vector<mapping_row> maps;
    bounce_stats stats;
    bouncesim::models::timing_stats timing;
    bouncesim::models::request_stats requests;
    bouncesim::models::path_stats path;
};

request_outcome run_requests(const request_stream &of);
