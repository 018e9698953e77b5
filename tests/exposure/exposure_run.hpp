// SPDX-License-Identifier: Apache-2.0
// A replay whose hooks feed an exposure count, for the tests of it.
#pragma once

#include "bounce/exposure.h"
#include "bounce/replay.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace exposure_tests {

constexpr std::uint64_t pool_start = 0x10000000;

class exposure_run {
  public:
    explicit exposure_run(std::uint64_t nslabs, const char *kernel = "linux-6.12")
        : exposure_(bounce_exposure_create(), bounce_exposure_destroy) {
        bounce_replay_config config = {};
        bounce_replay_hooks hooks = {};
        bounce_error error = {};
        config.pool.kernel = bounce_kernel_find(kernel);
        config.pool.nslabs = nslabs;
        config.pool.nareas = 1;
        config.pool.cpus = 1;
        config.pool.start = pool_start;
        config.pool.reuse_pages = true;
        config.force = true;
        config.worker_delay_ns = UINT64_MAX / 2; // only when asked to
        hooks.context = this;
        hooks.taken = [](void *self, const bounce_event *event, const bounce_map_result *result,
                         const bounce_swiotlb *mem) {
            auto *run = static_cast<exposure_run *>(self);
            if (run->on_taken)
                run->on_taken(*event, *result, mem);
            bounce_exposure_taken(run->exposure_.get(), event, result, mem);
            run->last_addr = result->tlb_addr;
        };
        hooks.freed = [](void *self, const bounce_mapping *mapping) {
            auto *run = static_cast<exposure_run *>(self);
            if (run->on_freed)
                run->on_freed(mapping->dma_addr);
            bounce_exposure_freed(run->exposure_.get(), mapping->dma_addr);
        };
        hooks.changed = [](void *self, const bounce_event *event, const bounce_swiotlb *) {
            auto *run = static_cast<exposure_run *>(self);
            if (event->kind == BOUNCE_EVENT_RESTART)
                bounce_exposure_restart(run->exposure_.get());
        };
        EXPECT_EQ(bounce_replay_create(&config, &hooks, &replay_, &error), BOUNCE_OK) << error.text;
        add_device(0);
    }
    ~exposure_run() {
        bounce_replay_destroy(replay_);
    }
    exposure_run(const exposure_run &) = delete;
    exposure_run &operator=(const exposure_run &) = delete;

    std::uint16_t add_device(std::uint32_t min_align_mask) {
        bounce_device device;
        bounce_device_init(&device, "dev");
        device.min_align_mask = min_align_mask;
        devices.push_back(device);
        return static_cast<std::uint16_t>(devices.size() - 1);
    }

    void run(const bounce_event &event) {
        ASSERT_EQ(bounce_replay_run(replay_, devices.data(), &event, 1), BOUNCE_OK);
        ASSERT_EQ(bounce_exposure_status(exposure_.get()), BOUNCE_OK);
    }

    static bounce_event event(bounce_event_kind kind, std::uint32_t handle) {
        bounce_event e = {};
        e.kind = static_cast<std::uint8_t>(kind);
        e.handle = handle;
        e.list = BOUNCE_NO_LIST;
        return e;
    }
    void map(std::uint32_t handle, std::uint64_t size, std::uint32_t alloc_align_mask = 0,
             std::uint16_t device = 0, std::uint64_t orig = 0x100000000) {
        bounce_event e = event(BOUNCE_EVENT_MAP, handle);
        e.orig_addr = orig;
        e.size = size;
        e.alloc_align_mask = alloc_align_mask;
        e.device = device;
        e.dir = BOUNCE_FROM_DEVICE;
        run(e);
    }
    void unmap(std::uint32_t handle) {
        run(event(BOUNCE_EVENT_UNMAP, handle));
    }

    // Every byte of a pool of one slot set written once and left; the cursor is back at 0.
    void soil() {
        map(1000, 128 * 2048);
        unmap(1000);
        soiled_ = total();
    }

    bounce_exposure_row total() const {
        return bounce_exposure_total(exposure_.get());
    }
    bounce_exposure_row device(std::size_t index) const {
        return bounce_exposure_device(exposure_.get(), index);
    }
    std::size_t memory() const {
        return bounce_exposure_memory(exposure_.get());
    }
    // Since soil().
    bounce_exposure_row since() const {
        bounce_exposure_row now = total();
        now.mappings -= soiled_.mappings;
        now.mapped_bytes -= soiled_.mapped_bytes;
        now.direct_reachable_bytes -= soiled_.direct_reachable_bytes;
        now.untrusted_reachable_bytes -= soiled_.untrusted_reachable_bytes;
        return now;
    }

    std::vector<bounce_device> devices;
    std::uint64_t last_addr = 0;
    std::function<void(const bounce_event &, const bounce_map_result &, const bounce_swiotlb *)>
        on_taken; // before the exposure count sees it
    std::function<void(std::uint64_t)> on_freed;

  private:
    bounce_replay *replay_ = nullptr;
    std::unique_ptr<bounce_exposure, void (*)(bounce_exposure *)> exposure_;
    bounce_exposure_row soiled_ = {};
};

} // namespace exposure_tests
