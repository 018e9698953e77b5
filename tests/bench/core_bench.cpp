// SPDX-License-Identifier: Apache-2.0
// What the allocator core and the ftrace reader cost. Everything that is not under test (parsing,
// unpacking, pool creation) is done beforehand; memory is touched before the clock starts.
//
//   core_bench --benchmark_filter=Golden     one row a profile: items/s, ns an operation
#include "streams.hpp"

#include "bounce/swiotlb.h"
#include "bounce/trace.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using mem_ptr = std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)>;

mem_ptr make_pool(std::uint64_t slots, std::uint32_t areas, std::uint32_t cpus,
                  std::uint64_t start) {
    bounce_boot boot = {slots, areas, true, false};
    bounce_swiotlb_config config = {};
    bounce_swiotlb *made = nullptr;
    bounce_error error = {};
    config.kernel = bounce_kernel_find("linux-6.12");
    config.cpus = cpus;
    config.start = start;
    bounce_boot_round(&boot, cpus, &config.nslabs, &config.nareas);
    if (bounce_swiotlb_create(&config, &made, &error))
        throw std::runtime_error(error.text);
    return {made, bounce_swiotlb_destroy};
}

// One call of the allocator: a map, an allocation, or the unmap of what `slot` holds.
struct call {
    enum { map, alloc, unmap } kind;
    std::uint32_t slot;
    bounce_map_request request;
};

struct prepared {
    golden::stream stream;
    std::vector<bounce_device> devices;
    std::vector<call> calls;
};

prepared prepare(const std::string &profile) {
    prepared p;
    p.stream = golden::read_stream(golden::path_of(profile + ".ops.xz"));
    std::vector<std::uint32_t> dev_of(p.stream.ids);
    for (const golden::device &d : p.stream.devices) {
        bounce_device device;
        bounce_device_init(&device, "bench");
        device.min_align_mask = static_cast<std::uint32_t>(d.min_align_mask);
        device.seg_boundary = d.seg_boundary;
        device.dma_mask = d.dma_mask;
        p.devices.push_back(device);
    }
    for (const golden::operation &op : p.stream.operations) {
        call c = {call::map, static_cast<std::uint32_t>(op.id), {}};
        if (op.kind == 'M' || op.kind == 'A') {
            c.kind = op.kind == 'M' ? call::map : call::alloc;
            c.request = {&p.devices[op.dev], op.orig, op.size, op.align, op.cpu};
            dev_of[op.id] = op.dev;
        } else if (op.kind == 'U') {
            c.kind = call::unmap;
            c.request.device = &p.devices[dev_of[op.id]];
        } else {
            continue;
        }
        p.calls.push_back(c);
    }
    return p;
}

void play(bounce_swiotlb *mem, const std::vector<call> &calls,
          std::vector<std::uint64_t> &addresses) {
    bounce_map_result result;
    for (const call &c : calls) {
        std::uint64_t &address = addresses[c.slot];
        switch (c.kind) {
        case call::map:
            bounce_swiotlb_map(mem, &c.request, &result);
            address = result.tlb_addr;
            break;
        case call::alloc:
            bounce_swiotlb_alloc(mem, &c.request, &result);
            address = result.tlb_addr;
            break;
        case call::unmap:
            if (address)
                bounce_swiotlb_unmap(mem, c.request.device, address);
            break;
        }
    }
}

// An operation is one map, allocation or unmap of the stream.
void golden_profile(benchmark::State &state, const std::string &profile) {
    prepared p = prepare(profile);
    mem_ptr mem = make_pool(p.stream.slots, p.stream.areas, p.stream.cpus, p.stream.start);
    std::vector<std::uint64_t> addresses(p.stream.ids);
    play(mem.get(), p.calls, addresses);
    for (auto _ : state) {
        bounce_swiotlb_restart(mem.get());
        play(mem.get(), p.calls, addresses);
        benchmark::ClobberMemory();
    }
    std::int64_t items = state.iterations() * static_cast<std::int64_t>(p.calls.size());
    state.SetItemsProcessed(items);
    state.counters["time_per_item"] = benchmark::Counter(
        static_cast<double>(items), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// A pool kept at the same fill whatever its size: one random buffer out, one in. The buffers are of
// the sizes that disks and network cards map.
void pool_size(benchmark::State &state) {
    std::uint64_t bytes = static_cast<std::uint64_t>(state.range(0)) << 20;
    std::uint64_t slots = bytes >> BOUNCE_SLOT_SHIFT;
    std::uint64_t percent = static_cast<std::uint64_t>(state.range(1));
    static const std::uint64_t sizes[] = {2048, 4096, 4096, 1514, 8192, 16384, 512, 65536};
    constexpr std::uint32_t cpus = 4;
    mem_ptr mem = make_pool(slots, 0, cpus, 1ull << 32);
    const bounce_swiotlb_counts *counts = bounce_swiotlb_get_counts(mem.get());
    bounce_device device;
    bounce_device_init(&device, "bench");
    std::mt19937 generator(7);
    auto random = [&] { return static_cast<std::uint32_t>(generator()); };
    std::vector<std::uint64_t> live;
    std::uint64_t failed = 0;

    auto map = [&](std::uint64_t size, std::uint32_t cpu) {
        bounce_map_request request = {&device, 0x123456000, size, 0, cpu};
        bounce_map_result result;
        bounce_swiotlb_map(mem.get(), &request, &result);
        if (result.outcome == BOUNCE_MAP_OK)
            live.push_back(result.tlb_addr);
        else
            failed++;
    };
    auto unmap = [&](std::uint32_t choice) {
        std::size_t at = choice % live.size();
        bounce_swiotlb_unmap(mem.get(), &device, live[at]);
        live[at] = live.back();
        live.pop_back();
    };
    while (counts->used * 100 < slots * percent)
        map(sizes[random() % 8], random() % cpus);
    for (std::size_t i = 0; i < 4 * live.size(); i++) { // until the holes are random
        unmap(random());
        map(sizes[random() % 8], random() % cpus);
    }
    std::vector<std::uint32_t> dice(1 << 16);
    for (std::uint32_t &d : dice)
        d = random();
    std::size_t next = 0;
    failed = 0;
    for (auto _ : state) {
        std::uint32_t d = dice[next++ & 0xffff];
        while (counts->used * 100 >= slots * percent && !live.empty())
            unmap(d);
        map(sizes[d >> 8 & 7], d & (cpus - 1));
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["failed"] =
        benchmark::Counter(static_cast<double>(failed), benchmark::Counter::kAvgIterations);
}

struct text_source {
    const std::string *text;
    std::size_t at;

    static bounce_status read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                              bounce_error *) {
        auto *source = static_cast<text_source *>(context);
        *got = std::min(capacity, source->text->size() - source->at);
        std::memcpy(buffer, source->text->data() + source->at, *got);
        source->at += *got;
        return BOUNCE_OK;
    }
};

// From text in memory to mapping events; an item is a record.
void ftrace_reader(benchmark::State &state, const std::string &path) {
    std::string text = golden::read_xz(path);
    std::vector<bounce_event> events(4096);
    std::uint64_t records = 0;
    for (auto _ : state) {
        text_source source = {&text, 0};
        bounce_input input = {&source, text_source::read};
        bounce_trace_options options = {};
        bounce_trace *trace = nullptr;
        bounce_error error = {};
        std::size_t got = 0;
        if (bounce_trace_open(&input, &options, &trace, &error)) {
            state.SkipWithError(error.text);
            return;
        }
        while (bounce_trace_next(trace, events.data(), events.size(), &got, &error) == BOUNCE_OK)
            benchmark::DoNotOptimize(events.data());
        records += bounce_trace_get_counts(trace)->records;
        bounce_trace_close(trace);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
    state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

} // namespace

int main(int argc, char **argv) {
    for (const std::string &profile : golden::profiles)
        benchmark::RegisterBenchmark(("Golden/" + profile).c_str(), golden_profile, profile)
            ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("PoolSize", pool_size)
        ->ArgNames({"MiB", "fill"})
        ->ArgsProduct({{1, 4, 16, 64, 256, 1024}, {50, 90}});
    benchmark::RegisterBenchmark("FtraceReader/vblk1024", ftrace_reader,
                                 std::string(PROJECT_DIR) + "/workloads/vblk1024.ftrace.xz")
        ->Unit(benchmark::kMillisecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
