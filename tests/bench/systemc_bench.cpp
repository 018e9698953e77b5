// SPDX-License-Identifier: Apache-2.0
// Maps a second of `--engine systemc`, everything from event arrays to statistics included.
#include "models/mapping_engine.hpp"

#include "bounce/kernels.h"

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

using namespace bouncesim::models;

namespace {

constexpr uint32_t maps = 200000;

// `depth` mappings live at a time, unmapped in random order on the CPU that mapped them; a device a
// CPU.
std::vector<bounce_event> make_events(uint32_t cpus, uint32_t depth, uint64_t gap_ns) {
    static const uint64_t sizes[] = {1500, 4096, 4096, 4096, 16384, 65536};
    std::mt19937 random(1);
    std::vector<bounce_event> events;
    std::vector<bounce_event> live;
    uint64_t time_ns = 0;
    for (uint32_t i = 0; i < maps; i++) {
        bounce_event event = {};
        event.time_ns = time_ns += random() % gap_ns;
        event.id = i;
        event.orig_addr = 0x100000000 + (uint64_t{random() % 1000000} << 12);
        event.size = sizes[random() % 6];
        event.handle = live.size() < depth ? i : 0;
        event.list = BOUNCE_NO_LIST;
        event.cpu = static_cast<uint16_t>(random() % cpus);
        event.device = event.cpu;
        event.dir = random() % 2 ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
        if (live.size() == depth) {
            bounce_event &victim = live[random() % depth];
            victim.kind = BOUNCE_EVENT_UNMAP;
            victim.time_ns = time_ns;
            event.handle = victim.handle;
            event.time_ns = time_ns += random() % gap_ns;
            events.push_back(victim);
            victim = event;
        } else {
            live.push_back(event);
        }
        events.push_back(event);
    }
    return events;
}

void run(benchmark::State &state, const costs &timing, uint32_t cpus, uint64_t gap_ns) {
    std::vector<bounce_event> events = make_events(cpus, 64, gap_ns);
    std::vector<bounce_device> devices(cpus);
    for (bounce_device &device : devices)
        bounce_device_init(&device, "bench");
    engine_config config;
    config.replay.pool.kernel = bounce_kernel_find("linux-6.12");
    config.replay.pool.nslabs = 32768;
    config.replay.pool.nareas = cpus;
    config.replay.pool.cpus = cpus;
    config.replay.pool.start = 0x40000000;
    config.replay.force = true;
    config.timing = timing;
    config.cpus = cpus;
    for (auto _ : state) {
        mapping_engine engine(config);
        std::size_t position = 0;
        engine.run([&] {
            event_batch batch = {events.data() + position,
                                 std::min<std::size_t>(4096, events.size() - position),
                                 devices.data()};
            position += batch.count;
            return batch;
        });
        benchmark::DoNotOptimize(engine.timing());
        if (engine.stats().events_maps != maps)
            state.SkipWithError("maps are missing");
    }
    state.counters["maps"] = benchmark::Counter(static_cast<double>(maps),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void replay_engine(benchmark::State &state) {
    std::vector<bounce_event> events = make_events(4, 64, 5000);
    std::vector<bounce_device> devices(4);
    for (bounce_device &device : devices)
        bounce_device_init(&device, "bench");
    bounce_replay_config config = {};
    config.pool.kernel = bounce_kernel_find("linux-6.12");
    config.pool.nslabs = 32768;
    config.pool.nareas = 4;
    config.pool.cpus = 4;
    config.pool.start = 0x40000000;
    config.force = true;
    for (auto _ : state) {
        bounce_replay *replay;
        if (bounce_replay_create(&config, nullptr, &replay, nullptr))
            return state.SkipWithError("no pool");
        bounce_replay_run(replay, devices.data(), events.data(), events.size());
        bounce_replay_destroy(replay);
    }
    state.counters["maps"] = benchmark::Counter(static_cast<double>(maps),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

} // namespace

extern "C" int sc_main(int argc, char *argv[]) {
    benchmark::RegisterBenchmark("replay engine", replay_engine);
    benchmark::RegisterBenchmark("zero costs, 4 CPUs",
                                 [](benchmark::State &s) { run(s, costs::zero(), 4, 5000); });
    benchmark::RegisterBenchmark("default costs, 1 CPU, light",
                                 [](benchmark::State &s) { run(s, {}, 1, 50000); });
    benchmark::RegisterBenchmark("default costs, 4 CPUs, light",
                                 [](benchmark::State &s) { run(s, {}, 4, 20000); });
    benchmark::RegisterBenchmark("default costs, 16 CPUs, heavy",
                                 [](benchmark::State &s) { run(s, {}, 16, 500); });
    benchmark::RegisterBenchmark("default costs, 4 CPUs, overload",
                                 [](benchmark::State &s) { run(s, {}, 4, 100); });
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
