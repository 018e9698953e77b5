// SPDX-License-Identifier: Apache-2.0
// The experiment behind row R23: a device that reads 64 bytes at random places of a window, through
// an IOMMU with the default parameters (Neugebauer et al., SIGCOMM 2018).
#pragma once

#include "iommu.hpp"
#include "modules.hpp"

#include <cstdint>
#include <memory>
#include <queue>
#include <random>
#include <vector>

struct reach {
    double gbit_per_s; // as many reads outstanding as the link without IOMMU needs
    double latency_ns; // one read at a time
    double hit_rate;
};

// The device: 27.6 Gb/s and 612 ns where the IOTLB holds everything, so 33 reads at a time.
inline reach measure_reach(uint64_t window, uint64_t page_bytes = 4096,
                           const bouncesim::models::iommu_config &config = {},
                           unsigned counted = 200000) {
    using namespace bouncesim::models;
    constexpr uint64_t read_bytes = 64, link_ps = 18551, latency_ps = 612000, outstanding = 33;
    constexpr unsigned warm = 20000;
    module_test context;
    iommu unit("iommu", config);
    bus_initiator device("device");
    bus_target memory("memory");
    device.bus.bind(unit.devices);
    unit.memory.bind(memory.socket);
    const uint64_t base = UINT64_C(1) << 30;
    // Pages of 4 KiB that lie where no larger one fits, or such that do.
    unit.map(0, base, base + (page_bytes == 4096 ? 4096 : 0), window, BOUNCE_BIDIRECTIONAL);

    std::mt19937_64 random(1);
    auto read = [&](uint64_t at_ps) {
        device.time_ps = at_ps;
        device.transfer(base + random() % (window / read_bytes) * read_bytes, read_bytes,
                        BOUNCE_TO_DEVICE);
        return device.time_ps + latency_ps;
    };
    std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> done;
    uint64_t link_free = 0, begin = 0, end = 0;
    iommu_stats before = {};
    for (unsigned n = 0; n < warm + counted; n++) {
        uint64_t at = link_free;
        if (done.size() == outstanding) {
            at = std::max(at, done.top());
            done.pop();
        }
        if (n == warm) {
            begin = at;
            before = unit.stats();
        }
        link_free = at + link_ps;
        done.push(read(at));
        end = link_free;
    }
    reach seen = {};
    seen.gbit_per_s = counted * read_bytes * 8.0 / (static_cast<double>(end - begin) / 1000);
    seen.hit_rate = static_cast<double>(unit.stats().iotlb_hits - before.iotlb_hits) / counted;
    uint64_t at = end + 1000000000, total = 0;
    for (unsigned n = 0; n < counted; n++) {
        uint64_t over = read(at);
        total += over - at;
        at = over;
    }
    seen.latency_ns = static_cast<double>(total) / counted / 1000;
    return seen;
}
