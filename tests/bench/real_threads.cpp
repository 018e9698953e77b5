// SPDX-License-Identifier: Apache-2.0
// The CPU model against real threads: the kernel's own swiotlb.c with spinning locks, atomic
// counters and real copies (build-plugin --threads), run by one and by two threads, beside the
// timed engine with costs that were measured with one thread alone.
//
//   real_threads [--seconds S] [--runs N] [--costs FILE.toml] [PLUGIN]
//
// Each thread has a CPU and maps, which copies, and unmaps, over and over, a buffer of one size. A
// run takes S seconds (0.05) and is made N times (7), one thread and two in turn; the median
// counts. On a shared machine: chrt -f 50 real_threads. The costs come from the runs of one thread;
// what two CPUs add is a cache line's way and a lock's between them, measured apart
// (calibrate.hpp), never the runs of two threads. Exit status 77: there are no two CPUs that run
// side by side.
#include "../../app/calibrate.hpp"
#include "load.h"
#include "models/mapping_engine.hpp"

#include "bounce/kernels.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <pthread.h>
#include <random>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using bouncesim::models::cost_curve;
using bouncesim::models::costs;

constexpr uint32_t slots = 32768; // the kernel's default: 64 MiB
constexpr std::size_t pool_bytes = std::size_t{slots} << BOUNCE_SLOT_SHIFT;
constexpr std::array<uint64_t, 4> sizes = {64, 1500, 4096, 65536};

[[noreturn]] void give_up(const std::string &why) {
    std::fprintf(stderr, "bouncesim: %s\n", why.c_str());
    std::exit(1);
}

// Not this program's fault: a test is passed over.
[[noreturn]] void no_pair(const char *why) {
    std::fprintf(stderr, "bouncesim: %s\n", why);
    std::exit(77);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

double now_ns() {
    return std::chrono::duration<double, std::nano>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::vector<int> usable_cpus() {
    std::vector<int> cpus;
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof(set), &set))
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set))
                cpus.push_back(i);
    return cpus;
}

void stay_on(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

// Real memory whose addresses the plug-in takes for physical ones.
struct memory {
    explicit memory(std::size_t size) : bytes(size) {
        void *got = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (got == MAP_FAILED)
            give_up("no memory");
        start = static_cast<char *>(got);
        std::memset(start, 1, bytes);
    }
    memory(const memory &) = delete;
    memory &operator=(const memory &) = delete;
    ~memory() {
        munmap(start, bytes);
    }
    uint64_t address() const {
        return reinterpret_cast<uint64_t>(start);
    }
    std::size_t bytes;
    char *start;
};

class kernel_pool {
  public:
    kernel_pool(const std::string &plugin, const memory &pool, uint32_t areas) {
        char why[512];
        if (!bounce_kt_load(plugin.c_str(), &library_, why, sizeof(why)))
            give_up(why);
        bounce_kt_config config = {};
        config.slots = slots;
        config.areas = areas;
        config.cpus = 2;
        config.pool_start = pool.address();
        config.force = true;
        bounce_kt_device_config device = {UINT64_MAX, UINT32_MAX, 0};
        uint32_t number;
        if (library_.plugin->create(&config, &kt_) ||
            library_.plugin->add_device(kt_, &device, &number))
            give_up("the plug-in makes no pool");
    }
    kernel_pool(const kernel_pool &) = delete;
    kernel_pool &operator=(const kernel_pool &) = delete;
    ~kernel_pool() {
        library_.plugin->destroy(kt_);
        bounce_kt_unload(&library_);
    }

    uint64_t map(uint32_t cpu, uint64_t from, uint64_t size) {
        bounce_kt_map_result result;
        if (library_.plugin->map(kt_, 0, cpu, from, size, 0, BOUNCE_KT_TO_DEVICE, 0, &result))
            give_up("a map failed");
        return result.tlb_addr;
    }
    void unmap(uint64_t addr, uint64_t size) {
        library_.plugin->unmap(kt_, 0, addr, size, BOUNCE_KT_TO_DEVICE, 0, nullptr);
    }
    uint64_t alloc(uint64_t size) {
        bounce_kt_map_result result;
        if (library_.plugin->alloc(kt_, 0, 0, size, &result))
            give_up("an allocation failed");
        return result.tlb_addr;
    }
    void free(uint64_t addr, uint64_t size) {
        library_.plugin->free(kt_, 0, addr, size);
    }

  private:
    bounce_kt_library library_ = {};
    bounce_kt *kt_ = nullptr;
};

struct setting {
    std::string plugin;
    double seconds = 0.05;
    unsigned runs = 7;
    std::vector<int> cpus = usable_cpus();
};

// ---- what threads do ----

// Maps and unmaps a microsecond, all threads together.
double real_rate(const setting &with, const memory &pool, uint32_t areas, unsigned threads,
                 uint64_t size) {
    kernel_pool kernel(with.plugin, pool, areas);
    std::vector<std::unique_ptr<memory>> buffers;
    for (unsigned i = 0; i < threads; i++)
        buffers.push_back(std::make_unique<memory>(65536 + 4096));
    std::atomic<unsigned> ready{0};
    std::vector<double> rates(threads);
    auto work = [&](unsigned number) {
        stay_on(with.cpus[number]);
        uint64_t from = buffers[number]->address(), done = 0;
        auto batch = [&] {
            for (int i = 0; i < 64; i++)
                kernel.unmap(kernel.map(number, from, size), size);
        };
        ready++;
        while (ready < threads)
            std::this_thread::yield(); // the other may have to begin on this CPU
        double begin = now_ns(), end = begin + with.seconds * 1e9, now;
        batch();
        begin = now_ns(); // the first time through is not counted
        do {
            batch();
            done += 64;
        } while ((now = now_ns()) < end);
        rates[number] = static_cast<double>(done) / (now - begin) * 1000;
    };
    std::vector<std::thread> others;
    for (unsigned i = 0; i < threads; i++)
        others.emplace_back(work, i);
    for (std::thread &t : others)
        t.join();
    double sum = 0;
    for (double rate : rates)
        sum += rate;
    return sum;
}

// ---- what one thread costs ----

// The allocator alone: coherent memory, which nothing is copied to. 16 at a time.
void alloc_ns(const setting &with, kernel_pool &kernel, uint64_t size, double &alloc,
              double &free) {
    std::array<uint64_t, 16> live;
    std::vector<double> allocs, frees;
    for (unsigned run = 0; run < 300 * with.runs; run++) {
        double t0 = now_ns();
        for (uint64_t &addr : live)
            addr = kernel.alloc(size);
        double t1 = now_ns();
        for (uint64_t addr : live)
            kernel.free(addr, size);
        double t2 = now_ns();
        allocs.push_back((t1 - t0) / live.size());
        frees.push_back((t2 - t1) / live.size());
    }
    alloc = median(allocs);
    free = median(frees);
}

uint64_t ps(double ns) {
    return ns > 0 ? static_cast<uint64_t>(ns * 1000) : 0;
}

// The costs that one thread finds, but for copies.
costs measure_costs(const setting &with, const memory &pool) {
    costs c = costs::zero();
    c.lock_ps = ps(bouncesim::measure_lock_ns());
    c.counters_ps = ps(bouncesim::measure_counters_ns());
    c.cache_bytes = 1; // copies go through the whole pool: none is hot
    double alloc2, free2, alloc128, free128;
    {
        kernel_pool kernel(with.plugin, pool, 1);
        alloc_ns(with, kernel, 4096, alloc2, free2);
        alloc_ns(with, kernel, 262144, alloc128, free128);
    }
    c.slot_ps = ps((alloc128 + free128 - alloc2 - free2) / 252);
    c.probe_ps = 1800; // a map looks at one candidate, rarely at two: models/costs.hpp
    uint64_t shared = c.lock_ps + c.counters_ps + 2 * c.slot_ps;
    c.map_ps = ps(alloc2) - std::min(ps(alloc2), shared + c.probe_ps);
    c.unmap_ps = ps(free2) - std::min(ps(free2), shared);
    return c;
}

// What is left of a map and its unmap is the copy, with what it does to the rest.
uint64_t copy_ps(const costs &c, uint64_t size, double whole_ns) {
    uint64_t known = 2 * (c.lock_ps + c.counters_ps + (size + 2047) / 2048 * c.slot_ps) +
                     c.probe_ps + c.map_ps + c.unmap_ps;
    return ps(whole_ns) - std::min(ps(whole_ns), known);
}

void write_costs(std::FILE *out, const costs &c) {
    std::fprintf(out, "# Measured by real_threads; one thread, but for lock_handoff_ps and "
                      "line_ps: a cache line between two CPUs.\n[costs]\n");
    for (std::size_t i = 0; const auto *row = bouncesim::models::cost_at(i); i++) {
        if (row->value) {
            std::fprintf(out, "%s = %" PRIu64 "\n", row->key, c.*row->value);
            continue;
        }
        cost_curve curve = c.*row->curve;
        std::fprintf(out, "%s = [", row->key);
        // A platform file wants curves that do not fall; real copies may, where memcpy changes its
        // way.
        for (uint32_t p = 1; p < curve.count; p++)
            curve.points[p].ps = std::max(curve.points[p].ps, curve.points[p - 1].ps);
        for (uint32_t p = 0; p < curve.count; p++)
            std::fprintf(out, "%s[%" PRIu64 ", %" PRIu64 "]", p ? ", " : "", curve.points[p].bytes,
                         curve.points[p].ps);
        std::fprintf(out, "]\n");
    }
}

// ---- the same in the timed engine ----

// No two copies of a real machine take the same time; here they vary by 10 % to either side, or the
// CPUs would settle into a step in which they never meet.
double simulated_rate(const costs &timing, uint64_t copy, uint32_t areas, unsigned threads,
                      uint64_t size) {
    using namespace bouncesim::models;
    constexpr uint32_t loops = 20000;
    std::mt19937 random(1);
    std::vector<bounce_event> events;
    for (uint32_t i = 0; i < loops; i++)
        for (uint16_t cpu = 0; cpu < threads; cpu++) {
            bounce_event event = {};
            event.kind = BOUNCE_EVENT_MAP;
            event.id = event.handle = i * threads + cpu;
            event.orig_addr = uint64_t{1} << 32 | uint64_t{cpu} << 20;
            event.size = size - random() % (size / 5 + 1);
            event.list = BOUNCE_NO_LIST;
            event.cpu = cpu;
            event.device = cpu;
            event.dir = BOUNCE_TO_DEVICE;
            events.push_back(event);
            event.kind = BOUNCE_EVENT_UNMAP;
            events.push_back(event);
        }
    std::vector<bounce_device> devices(threads);
    for (bounce_device &device : devices)
        bounce_device_init(&device, "thread");
    engine_config config;
    config.replay.pool.kernel = bounce_kernel_find("linux-6.12");
    config.replay.pool.nslabs = slots;
    config.replay.pool.nareas = areas;
    config.replay.pool.cpus = 2;
    config.replay.pool.start = 0x40000000;
    config.replay.force = true;
    config.timing = timing;
    config.timing.copy_cold.count = 1; // of this size alone: memcpy's way depends on it
    config.timing.copy_cold.points[0] = {size - size / 10, copy};
    config.cpus = threads;
    mapping_engine engine(config);
    std::size_t position = 0;
    engine.run([&] {
        event_batch batch = {events.data() + position,
                             std::min<std::size_t>(4096, events.size() - position), devices.data(),
                             devices.size()};
        position += batch.count;
        return batch;
    });
    return loops * threads / engine.timing().simulated_ns * 1000;
}

std::string build_plugin() {
    std::string path;
    std::FILE *child = popen("'" BUILD_PLUGIN "' --threads '" KERNEL_TREE "'", "r");
    if (!child)
        give_up("build-plugin cannot be run");
    for (int c; (c = std::fgetc(child)) != EOF && c != '\n';)
        path += static_cast<char>(c);
    if (pclose(child) || path.empty())
        give_up("no plug-in; install linux-source-6.12, or name one made with "
                "build-plugin --threads");
    return path;
}

struct row {
    std::array<std::vector<double>, 2> rates; // of one thread and of two
    std::vector<double> handoff_ns, line_ns;
};

// One thread, two, and a line between them in turn: where a virtual machine's CPUs lie changes.
row measure_row(const setting &with, const memory &pool, uint32_t areas, uint64_t size) {
    row measured;
    for (unsigned run = 0; run < with.runs; run++) {
        if (auto ns = bouncesim::measure_handoff_ns())
            measured.handoff_ns.push_back(*ns);
        if (auto ns = bouncesim::measure_line_ns())
            measured.line_ns.push_back(*ns);
        for (unsigned threads = 1; threads <= 2; threads++)
            measured.rates[threads - 1].push_back(real_rate(with, pool, areas, threads, size));
    }
    if (measured.handoff_ns.empty() || measured.line_ns.empty())
        no_pair("the two CPUs do not run side by side");
    return measured;
}

void print_row(const costs &timing, uint32_t areas, unsigned threads, uint64_t size,
               const std::vector<double> &seen, double simulated) {
    std::printf("%-5u %-7u %7" PRIu64 " | %9.3f %8.3f-%8.3f | %9.3f %+6.1f%% | %7.0f %5.0f\n",
                areas, threads, size, median(seen), *std::min_element(seen.begin(), seen.end()),
                *std::max_element(seen.begin(), seen.end()), simulated,
                (simulated / median(seen) - 1) * 100,
                static_cast<double>(timing.lock_handoff_ps) / 1000,
                static_cast<double>(timing.line_ps) / 1000);
    std::fflush(stdout);
}

// Returns the costs with the copies of one area in them.
costs compare(const setting &with, const memory &pool, costs timing) {
    costs all = timing;
    double worst = 0;
    std::printf("%-5s %-7s %7s | %9s %17s | %9s %7s | %7s %5s\n", "areas", "threads", "bytes",
                "measured", "spread", "simulated", "error", "handoff", "line");
    for (uint32_t areas = 1; areas <= 2; areas++)
        for (uint64_t size : sizes) {
            row measured = measure_row(with, pool, areas, size);
            // A holder that is stopped makes it longer, never shorter.
            std::sort(measured.handoff_ns.begin(), measured.handoff_ns.end());
            timing.lock_handoff_ps = all.lock_handoff_ps =
                ps(measured.handoff_ns[measured.handoff_ns.size() / 4]);
            timing.line_ps = all.line_ps = ps(median(measured.line_ns));
            timing.slot_line_ps = all.slot_line_ps = timing.line_ps;
            uint64_t copy = copy_ps(timing, size, 1000 / median(measured.rates[0]));
            if (areas == 1)
                all.copy_cold.points[all.copy_cold.count++] = {size, copy};
            for (unsigned threads = 1; threads <= 2; threads++) {
                double simulated = simulated_rate(timing, copy, areas, threads, size);
                print_row(timing, areas, threads, size, measured.rates[threads - 1], simulated);
                if (threads == 2)
                    worst =
                        std::max(worst, std::abs(simulated / median(measured.rates[1]) - 1) * 100);
            }
        }
    std::printf("maps, each with its copy and its unmap, a microsecond, all threads together; "
                "handoff, line: ns\nworst of two threads: %.1f %%\n",
                worst);
    return all;
}

} // namespace

extern "C" int sc_main(int argc, char *argv[]) {
    setting with;
    std::string costs_file;
    for (int i = 1; i < argc; i++) {
        std::string word = argv[i];
        if (word == "--seconds" && i + 1 < argc)
            with.seconds = std::strtod(argv[++i], nullptr);
        else if (word == "--runs" && i + 1 < argc)
            with.runs = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        else if (word == "--costs" && i + 1 < argc)
            costs_file = argv[++i];
        else if (word[0] != '-')
            with.plugin = word;
        else
            with.runs = 0;
    }
    if (!with.runs || !(with.seconds > 0)) {
        std::fprintf(stderr, "usage: real_threads [--seconds S] [--runs N] [--costs FILE.toml] "
                             "[PLUGIN]\n");
        return 2;
    }
    if (with.cpus.size() < 2)
        no_pair("two CPUs are needed");
    if (with.plugin.empty())
        with.plugin = build_plugin();
    memory pool(pool_bytes);
    costs timing = compare(with, pool, measure_costs(with, pool));
    std::FILE *out = costs_file.empty() ? nullptr : std::fopen(costs_file.c_str(), "w");
    if (!costs_file.empty() && !out)
        give_up(costs_file + ": cannot be written");
    if (out) {
        write_costs(out, timing);
        std::fclose(out);
    }
    return 0;
}
