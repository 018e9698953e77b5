// SPDX-License-Identifier: Apache-2.0
// Measures what the cost table of models/ (costs.hpp) charges for the allocator's own work, by
// running the kernel's swiotlb.c, built into a plug-in (build-plugin --plain), in user space. Its
// locks and atomics are plain operations there, so those are measured apart.
//
//   swiotlb_costs PLUGIN
#include "../../app/calibrate.hpp"
#include "load.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

namespace {

constexpr uint32_t slots = 32768;
constexpr uint64_t orig = 0x100000000;

// Nanoseconds of one of `count` operations: the median of 31 runs, so that a shared machine's
// hiccups do not count.
double run_ns(unsigned count, const std::function<void()> &run) {
    std::vector<double> times;
    for (int i = 0; i < 31; i++) {
        auto begin = std::chrono::steady_clock::now();
        run();
        std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        times.push_back(took.count() / count);
    }
    std::sort(times.begin(), times.end());
    return times[15];
}

class kernel_pool {
  public:
    explicit kernel_pool(const char *path) {
        char why[512];
        if (!bounce_kt_load(path, &library_, why, sizeof(why))) {
            std::fprintf(stderr, "bouncesim: %s\n", why);
            std::exit(1);
        }
        bounce_kt_config config = {};
        config.slots = slots;
        config.areas = config.cpus = 1;
        config.pool_start = 0x40000000;
        config.force = true;
        bounce_kt_device_config device = {UINT64_MAX, UINT32_MAX, 0};
        uint32_t number;
        if (library_.plugin->create(&config, &kt_) ||
            library_.plugin->add_device(kt_, &device, &number)) {
            std::fprintf(stderr, "bouncesim: the plug-in made no pool\n");
            std::exit(1);
        }
    }
    kernel_pool(const kernel_pool &) = delete;
    kernel_pool &operator=(const kernel_pool &) = delete;
    ~kernel_pool() {
        library_.plugin->destroy(kt_);
        bounce_kt_unload(&library_);
    }

    uint64_t map(uint64_t size) {
        bounce_kt_map_result result;
        library_.plugin->map(kt_, 0, 0, orig, size, 0, BOUNCE_KT_TO_DEVICE, 0, &result);
        return result.tlb_addr;
    }
    void unmap(uint64_t addr, uint64_t size) {
        library_.plugin->unmap(kt_, 0, addr, size, BOUNCE_KT_TO_DEVICE, 0, nullptr);
    }

  private:
    bounce_kt_library library_;
    bounce_kt *kt_ = nullptr;
};

// One map or one unmap of `size` bytes, 64 at a time in a pool that is otherwise empty. The last
// mapped goes first, so that an unmap finds no free slots before its own to merge with.
void map_and_unmap_ns(const char *plugin, uint64_t size, double &map, double &unmap) {
    constexpr unsigned batch = 64;
    kernel_pool pool(plugin);
    std::vector<uint64_t> live(batch);
    std::vector<double> maps, unmaps;
    for (int i = 0; i < 3001; i++) {
        auto t0 = std::chrono::steady_clock::now();
        for (uint64_t &addr : live)
            addr = pool.map(size);
        auto t1 = std::chrono::steady_clock::now();
        for (auto addr = live.rbegin(); addr != live.rend(); ++addr)
            pool.unmap(*addr, size);
        auto t2 = std::chrono::steady_clock::now();
        maps.push_back(std::chrono::duration<double, std::nano>(t1 - t0).count() / batch);
        unmaps.push_back(std::chrono::duration<double, std::nano>(t2 - t1).count() / batch);
    }
    std::nth_element(maps.begin(), maps.begin() + 1500, maps.end());
    std::nth_element(unmaps.begin(), unmaps.begin() + 1500, unmaps.end());
    map = maps[1500];
    unmap = unmaps[1500];
}

// A failed search of two slots in a pool of which every other slot is taken.
double probe_ns(const char *plugin) {
    kernel_pool pool(plugin);
    std::vector<uint64_t> live;
    for (uint32_t i = 0; i < slots; i++)
        live.push_back(pool.map(2048));
    for (uint32_t i = 0; i < slots; i += 2)
        pool.unmap(live[i], 2048);
    return run_ns(slots * 20, [&] {
        for (int i = 0; i < 20; i++)
            pool.map(4095); // below a page: every slot is a candidate
    });
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: swiotlb_costs PLUGIN\n");
        return 2;
    }
    double map1, unmap1, map128, unmap128;
    map_and_unmap_ns(argv[1], 2048, map1, unmap1);
    map_and_unmap_ns(argv[1], 262144, map128, unmap128);
    std::printf("map of 1 slot      %8.2f ns\n", map1);
    std::printf("unmap of 1 slot    %8.2f ns\n", unmap1);
    std::printf("map, each slot     %8.2f ns\n", (map128 - map1) / 127);
    std::printf("unmap, each slot   %8.2f ns\n", (unmap128 - unmap1) / 127);
    std::printf("probe              %8.2f ns\n", probe_ns(argv[1]));
    std::printf("lock and unlock    %8.2f ns\n", bouncesim::measure_lock_ns());
    std::printf("shared counters    %8.2f ns\n", bouncesim::measure_counters_ns());
    if (auto handoff = bouncesim::measure_handoff_ns())
        std::printf("lock handoff       %8.2f ns\n", *handoff);
    if (auto line = bouncesim::measure_line_ns())
        std::printf("cache line         %8.2f ns\n", *line);
}
