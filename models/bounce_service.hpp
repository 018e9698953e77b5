// SPDX-License-Identifier: Apache-2.0
// The DMA layer and swiotlb: owns the pool, applies events to it through the C core, and says how
// long they take.
#pragma once

#include "area_locks.hpp"
#include "copy_cache.hpp"
#include "dma_extension.hpp"
#include "dma_path.hpp"
#include "models/activity.hpp"
#include "models/costs.hpp"
#include "models/timing_stats.hpp"

#include "bounce/replay.h"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace bouncesim::models {

class bounce_service : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<bounce_service> calls;
    tlm_utils::simple_initiator_socket<bounce_service> memory;

    // engine_config_error for a pool that the core refuses. `hooks` and `watch` may be null.
    bounce_service(const sc_core::sc_module_name &name, const costs &timing,
                   const bounce_replay_config &pool, const bounce_replay_hooks *hooks,
                   activity *watch = nullptr);

    // What stands between devices and memory, if anything does: to be set before the first call.
    void set_path(dma_path *path) {
        path_ = path;
    }

    // The table that events index from now on.
    void set_devices(const bounce_device *devices, std::size_t count) {
        devices_ = path_ ? path_->set_devices(devices, count) : devices;
    }

    // As the trace has it.
    std::string device_name(std::size_t device) const {
        return devices_ ? devices_[device].name : std::to_string(device);
    }

    // A mapping that was there before anything began; takes no time.
    void hold(const operation &op) {
        bounce_event event = op.event;
        event.time_ns = 0;
        core(op, event);
    }

    const bounce_replay *replay() const {
        return replay_.get();
    }
    // What it measured of copies and locks.
    void report(timing_stats &t) const;

  private:
    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void map(dma_extension &ext, uint64_t &time_ps);
    void unmap(dma_extension &ext, uint64_t &time_ps);
    void sync(dma_extension &ext, uint64_t &time_ps);
    void copy_back(const dma_extension &ext, uint64_t &time_ps);
    void copy(uint32_t cpu, uint64_t tlb_addr, uint64_t bytes, uint64_t &time_ps);
    uint64_t hold_lock(const operation &op, bounce_lock which, uint64_t arrival_ps,
                       uint64_t work_ps, unsigned slot_lines);
    void on_path(const operation &op, uint64_t begin_ps, uint64_t end_ps);
    void run(const operation &op, uint64_t &time_ps);
    void core(const operation &op, const bounce_event &event);
    const bounce_mapping *mapping(uint32_t handle) const;
    bounce_lock lock_of(uint64_t tlb_addr) const;

    static void on_mapped(void *context, const bounce_event *event,
                          const bounce_map_result *result);
    static void on_full(void *context, const bounce_event *event, const bounce_map_result *result,
                        const bounce_pressure *pressure);
    static void on_changed(void *context, const bounce_event *event, const bounce_swiotlb *mem);
    static void on_taken(void *context, const bounce_event *event, const bounce_map_result *result,
                         const bounce_swiotlb *mem);
    static void on_freed(void *context, const bounce_mapping *mapping);
    static void on_copied(void *context, const bounce_mapping *mapping, const bounce_copy *copy,
                          uint64_t tlb_addr, bool to_device);
    // Calls the user's hook with the handles that the trace uses; keeps what it throws.
    template <class Hook> void forward(const bounce_event *event, const Hook &hook);
    template <class Body> void keep_thrown(const Body &body);

    const costs &timing_;
    bounce_replay_hooks hooks_ = {};
    activity *watch_;
    std::unique_ptr<bounce_replay, void (*)(bounce_replay *)> replay_;
    std::unique_ptr<area_locks> locks_;
    std::unique_ptr<copy_cache> cache_;
    const bool grows_;
    uint64_t pool_start_;
    uint64_t area_bytes_;
    dma_transaction to_memory_;

    dma_path *path_ = nullptr;
    const bounce_device *devices_ = nullptr;
    const operation *current_ = nullptr; // what the core is at
    uint64_t reached_ps_ = 0;            // when it reached the pool
    bool pooled_ = false;
    bounce_map_result result_ = {};
    std::exception_ptr thrown_;
    double copy_ps_ = 0;
    uint64_t copies_[2] = {}; // cold, hot
};

} // namespace bouncesim::models
