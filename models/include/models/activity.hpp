// SPDX-License-Identifier: Apache-2.0
// What happens when in an engine, for those who draw it: CPUs, area locks, devices, the pool. An
// engine that nobody watches asks one pointer and does nothing more.
//
// All times are simulated picoseconds from the trace's time 0. What is told may lie ahead of the
// engine, but never before the time that now() was last called with; the exception is `begin_ps` of
// a call, which is told when the call is over. What these functions throw comes out of run().
#pragma once

#include "bounce/event.h"
#include "bounce/swiotlb.h"

#include <cstdint>

namespace bouncesim::models {

enum class cpu_call : uint8_t { map, unmap, sync };
enum class cpu_phase : uint8_t {
    copy,
    path, // the IOMMU's and encryption's part of a call
    exit, // of a guest, for a doorbell or an interrupt; outside of calls
};

// A call of a driver, from its entry to its return; calls of one CPU do not overlap.
struct call_report {
    uint32_t cpu;
    cpu_call what;
    uint32_t device;
    uint64_t size;
    uint8_t dir; // enum bounce_dir
    bool failed; // a map that found no room
    uint64_t begin_ps, end_ps;
};

struct lock_report {
    uint32_t area; // those of grown pools count on from the default pool's, as many for each
    uint32_t cpu;
    bool waited;         // another CPU held it
    uint64_t arrival_ps; // when the CPU asked for it
    uint64_t begin_ps;   // when it got it
    uint64_t end_ps;     // when it left it; holders of one lock do not overlap
};

struct transfer_report {
    uint32_t device;
    bool read; // of memory
    uint64_t address;
    uint64_t bytes;
    uint64_t begin_ps, left_ps; // on the device's link; transfers of one device do not overlap
    uint64_t done_ps;           // when the last byte has arrived
};

// Something that a device has been given: a mapping in the mapping engine; a request or a receive
// buffer in the request engine. `key` is unique among those that are live.
struct work_report {
    uint32_t device;
    uint32_t key;
    uint64_t size;
    uint8_t dir;
    uint64_t time_ps;
};

class activity {
  public:
    activity() = default;
    activity(const activity &) = delete;
    activity &operator=(const activity &) = delete;
    virtual ~activity() = default;

    virtual void now(uint64_t time_ps) = 0;
    // Parts of a call, in order of time, told before the call itself; locks are such parts too.
    virtual void phase(uint32_t cpu, cpu_phase what, uint64_t begin_ps, uint64_t end_ps) = 0;
    virtual void lock(const lock_report &report) = 0;
    virtual void call(const call_report &report) = 0;

    virtual void transfer(const transfer_report &report) = 0;
    virtual void given(const work_report &report) = 0;
    // Done by the device. A key that is not live may be told and means nothing.
    virtual void done(uint32_t key, uint64_t time_ps) = 0;
    // A request that waits for room in the pool, until it is given.
    virtual void waits(const work_report &report) = 0;

    // After every event that may have changed the pool, in the order in which it was reached.
    virtual void pool(uint64_t time_ps, const bounce_swiotlb &mem) = 0;
    virtual void full(uint64_t time_ps, const bounce_event &event, const bounce_map_result &result,
                      const bounce_pressure &pressure) = 0;
    // Another boot: nothing is mapped or given any more.
    virtual void restart(uint64_t time_ps) = 0;
};

} // namespace bouncesim::models
