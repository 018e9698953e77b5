// SPDX-License-Identifier: Apache-2.0
// Requests a second of the request platform: eight NVMe disks, 32 CPUs, 160,000 requests a second
// of 4 to 128 KiB (11 pages on average), in the settings that a platform file can ask for. Each
// with a short and a long trace: what a request costs must not grow with it.
#include "models/path_config.hpp"
#include "models/request_engine.hpp"

#include "bounce/kernels.h"

#include <benchmark/benchmark.h>

#include <iterator>
#include <string>
#include <vector>

using namespace bouncesim::models;

namespace {

constexpr uint32_t cpus = 32, disks = 8, handles = 1024;

// Every request takes as long, so that they end in the order in which they began.
class request_events {
  public:
    explicit request_events(uint64_t requests) : requests_(requests), events_(4096) {
        for (bounce_device &device : devices_) {
            bounce_device_init(&device, "nvme");
            find_device_model("nvme")->shape(device);
        }
    }

    event_batch next() {
        std::size_t count = 0;
        while (count < events_.size() && ended_ < requests_) {
            bounce_event &event = events_[count++];
            event = {};
            event.list = BOUNCE_NO_LIST;
            if (begun_ < requests_ && begun_ * gap_ns < ended_ * gap_ns + service_ns)
                issue(event);
            else
                complete(event);
        }
        return {events_.data(), count, devices_, disks};
    }

  private:
    static constexpr uint64_t gap_ns = 6250, service_ns = 90000;

    void issue(bounce_event &event) {
        static const uint64_t kib[] = {4, 4, 4, 4, 16, 16, 64, 64, 128, 128};
        uint64_t dice = (begun_ + 1) * UINT64_C(0x9e3779b97f4a7c15);
        dice = (dice ^ dice >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
        event.kind = BOUNCE_EVENT_ISSUE;
        event.time_ns = begun_ * gap_ns;
        event.size = kib[(dice >> 40) % std::size(kib)] << 10;
        event.offset = dice >> 20 & ~UINT64_C(4095);
        event.dir = dice >> 60 & 1 ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
        place(event, begun_++);
    }
    void complete(bounce_event &event) {
        event.kind = BOUNCE_EVENT_COMPLETE;
        event.time_ns = ended_ * gap_ns + service_ns;
        place(event, ended_++);
    }
    static void place(bounce_event &event, uint64_t number) {
        event.handle = static_cast<uint32_t>(number % handles);
        event.cpu = static_cast<uint16_t>(number * 7 % cpus);
        event.device = static_cast<uint16_t>(number * 5 % disks);
    }

    uint64_t requests_;
    uint64_t begun_ = 0, ended_ = 0;
    bounce_device devices_[disks];
    std::vector<bounce_event> events_;
};

request_config make_config() {
    request_config config;
    config.replay.pool.kernel = bounce_kernel_find("linux-6.12");
    config.replay.pool.nslabs = 65536;
    config.replay.pool.nareas = config.replay.pool.cpus = config.cpus = cpus;
    config.replay.pool.start = 0x40000000;
    config.replay.force = true;
    config.memory_bytes = UINT64_C(128) << 30;
    config.model = [](uint32_t) { return *find_device_model("nvme"); };
    return config;
}

request_config behind_iommu(bool lazy, iommu_use use) {
    request_config config = make_config();
    config.path.iommu.emplace();
    config.path.iommu->lazy = lazy;
    config.path.use = [use](const bounce_device &) { return use; };
    return config;
}

request_config in_guest(bounce_guest guest) {
    request_config config = make_config();
    config.path.encryption = encryption_config::of(guest);
    return config;
}

void run(benchmark::State &state, const request_config &config) {
    auto requests = static_cast<uint64_t>(state.range(0));
    for (auto _ : state) {
        request_events events(requests);
        request_engine engine(config);
        engine.run([&] { return events.next(); });
        if (engine.requests().completed != requests)
            state.SkipWithError("requests are missing");
    }
    state.counters["requests"] = benchmark::Counter(static_cast<double>(requests),
                                                    benchmark::Counter::kIsIterationInvariantRate);
}

void add(const std::string &name, const request_config &config) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [config](benchmark::State &state) { run(state, config); })
        ->Arg(100000)
        ->Arg(1000000)
        ->Unit(benchmark::kMillisecond);
}

} // namespace

extern "C" int sc_main(int argc, char *argv[]) {
    add("plain", make_config());
    add("IOMMU strict", behind_iommu(false, iommu_use::trusted));
    add("IOMMU lazy", behind_iommu(true, iommu_use::trusted));
    add("IOMMU strict, untrusted", behind_iommu(false, iommu_use::untrusted));
    add("SEV-SNP", in_guest(BOUNCE_GUEST_SEV_SNP));
    add("TDX", in_guest(BOUNCE_GUEST_TDX));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
