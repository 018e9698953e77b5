// SPDX-License-Identifier: Apache-2.0
// How much faster the core is than the kernel's own code, and whether its cost depends on the size
// of the pool. One run prints all of it.
//
//   kernel_ratio [--ops N] [--runs N] [--only ratio|size] [--profile NAME]... [PLUGIN]
//
// PLUGIN is a 6.12 plug-in made with build-plugin --plain (the kernel's file at -O2 as it is, locks
// and atomics plain operations); without it one is built from the linux-source package. Both sides
// get the same operations, made beforehand, through equally thin loops; kernel and core take turns,
// and of all runs the median of the CPU time counts.
#include "load.h"
#include "op_streams.hpp"

#include "bounce/swiotlb.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <time.h>
#include <vector>

namespace {

using kernel_test::stream;

// An operation in half a cache line: reading them is not what is measured.
struct step {
    std::uint64_t orig;
    std::uint32_t id, size, cpu;
    std::uint32_t align_or_offset; // M: alloc_align_mask; S: offset
    char kind;
    std::uint8_t dir, device;
    bool alloc, for_cpu;
};
static_assert(sizeof(step) == 32);

std::vector<step> steps_of(const stream &s) {
    std::vector<step> steps;
    for (const kernel_test::operation &op : s.operations)
        steps.push_back({op.orig, op.id, static_cast<std::uint32_t>(op.size), op.cpu,
                         op.kind == 'S' ? static_cast<std::uint32_t>(op.offset) : op.align_mask,
                         op.kind, op.dir, static_cast<std::uint8_t>(op.device), op.alloc,
                         op.for_cpu});
    return steps;
}

[[noreturn]] void give_up(const std::string &why) {
    std::fprintf(stderr, "bouncesim: %s\n", why.c_str());
    std::exit(1);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Of this thread: other work on the machine does not count.
double cpu_ns() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Nanoseconds an operation of `run` over the operations from `from` on.
template <typename Run> double time_of(const std::vector<step> &steps, std::size_t from, Run &run) {
    double begin = cpu_ns();
    for (std::size_t i = from; i < steps.size(); i++)
        run(steps[i]);
    return (cpu_ns() - begin) / static_cast<double>(steps.size() - from);
}

class core_loop {
  public:
    explicit core_loop(const stream &s) : where_(s.ids) {
        bounce_boot boot = {s.slots, s.areas, true, false};
        bounce_swiotlb_config config = {};
        bounce_error error = {};
        config.kernel = bounce_kernel_find("linux-6.12");
        config.cpus = s.cpus;
        config.start = s.start;
        bounce_boot_round(&boot, s.cpus, &config.nslabs, &config.nareas);
        if (bounce_swiotlb_create(&config, &mem_, &error))
            give_up(error.text);
        for (const kernel_test::device &d : s.devices) {
            bounce_device device = {};
            device.dma_mask = d.dma_mask;
            device.seg_boundary = d.seg_boundary;
            device.min_align_mask = d.min_align_mask;
            devices_.push_back(device);
        }
    }
    core_loop(const core_loop &) = delete;
    core_loop &operator=(const core_loop &) = delete;
    ~core_loop() {
        bounce_swiotlb_destroy(mem_);
    }

    void operator()(const step &op) {
        switch (op.kind) {
        case 'M':
        case 'A': {
            bounce_map_request request = {&devices_[op.device], op.orig, op.size,
                                          op.align_or_offset, op.cpu};
            bounce_map_result result;
            if (op.kind == 'A')
                bounce_swiotlb_alloc(mem_, &request, &result);
            else
                bounce_swiotlb_map(mem_, &request, &result);
            where_[op.id] = result.tlb_addr;
            break;
        }
        case 'U':
            if (where_[op.id])
                bounce_swiotlb_unmap(mem_, &devices_[op.device], where_[op.id]);
            break;
        case 'S':
            if (where_[op.id] && (op.dir == BOUNCE_BIDIRECTIONAL ||
                                  op.dir == (op.for_cpu ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE)))
                copied += bounce_swiotlb_sync(mem_, &devices_[op.device],
                                              where_[op.id] + op.align_or_offset, op.size)
                              .bytes;
            break;
        default:
            bounce_swiotlb_run_worker(mem_);
        }
    }
    const std::vector<std::uint64_t> &where() const {
        return where_;
    }
    std::uint64_t copied = 0;

  private:
    bounce_swiotlb *mem_ = nullptr;
    std::vector<bounce_device> devices_;
    std::vector<std::uint64_t> where_; // by id; 0: failed
};

class kernel_loop {
  public:
    kernel_loop(const char *path, const stream &s) : where_(s.ids) {
        char why[512];
        if (!bounce_kt_load(path, &library_, why, sizeof(why)))
            give_up(why);
        kernel_ = library_.plugin;
        bounce_kt_config config = {};
        config.slots = s.slots;
        config.areas = s.areas;
        config.cpus = s.cpus;
        config.pool_start = s.start;
        config.force = true;
        if (kernel_->create(&config, &kt_))
            give_up("the plug-in makes no pool");
        for (const kernel_test::device &d : s.devices) {
            bounce_kt_device_config device = {d.dma_mask, d.seg_boundary, d.min_align_mask};
            std::uint32_t number;
            if (kernel_->add_device(kt_, &device, &number))
                give_up("the plug-in refuses a device");
        }
    }
    kernel_loop(const kernel_loop &) = delete;
    kernel_loop &operator=(const kernel_loop &) = delete;
    ~kernel_loop() {
        kernel_->destroy(kt_);
        bounce_kt_unload(&library_);
    }

    void operator()(const step &op) {
        auto dir = static_cast<bounce_kt_dir>(op.dir);
        switch (op.kind) {
        case 'M':
        case 'A': {
            bounce_kt_map_result result;
            if (op.kind == 'A')
                kernel_->alloc(kt_, op.device, op.cpu, op.size, &result);
            else
                kernel_->map(kt_, op.device, op.cpu, op.orig, op.size, op.align_or_offset, dir, 0,
                             &result);
            where_[op.id] = result.tlb_addr;
            break;
        }
        case 'U':
            if (where_[op.id] && op.alloc)
                kernel_->free(kt_, op.device, where_[op.id], op.size);
            else if (where_[op.id])
                kernel_->unmap(kt_, op.device, where_[op.id], op.size, dir, 0, nullptr);
            break;
        case 'S':
            if (where_[op.id])
                kernel_->sync(kt_, op.device, where_[op.id] + op.align_or_offset, op.size, dir,
                              op.for_cpu, nullptr);
            break;
        default: {
            bool ran;
            kernel_->run_worker(kt_, &ran);
        }
        }
    }
    const std::vector<std::uint64_t> &where() const {
        return where_;
    }

  private:
    bounce_kt_library library_ = {};
    const bounce_kt_plugin *kernel_ = nullptr;
    bounce_kt *kt_ = nullptr;
    std::vector<std::uint64_t> where_;
};

// What both of them do around the calls: reading an operation, keeping its address.
class bare_loop {
  public:
    bare_loop(const stream &s, const std::vector<std::uint64_t> &answers)
        : where_(s.ids), answers_(answers) {}

    void operator()(const step &op) {
        bounce_map_request request = {nullptr, op.orig, op.size, op.align_or_offset, op.cpu};
        bounce_map_result result;
        switch (op.kind) {
        case 'M':
        case 'A':
            in_place_of_a_call(&request, &result);
            where_[op.id] = answers_[op.id];
            break;
        case 'U':
        case 'S':
            if (where_[op.id])
                in_place_of_a_call(&where_[op.id], nullptr);
            break;
        default:
            break;
        }
    }

  private:
    // The compiler must take it for something that reads and writes both.
    static void in_place_of_a_call(const void *in, void *out) {
        asm volatile("" : : "r"(in), "r"(out) : "memory");
    }

    std::vector<std::uint64_t> where_;
    const std::vector<std::uint64_t> &answers_;
};

void print_ratios(const char *plugin, const std::vector<std::string> &profiles, std::size_t ops,
                  unsigned runs) {
    double all = 0, least = 1e9, with_loop = 0, least_with_loop = 1e9;
    std::printf("kernel's own code and core, ns an operation, %zu operations, median of %u runs\n"
                "loop: what the benchmark itself takes, in both; ratio: without it, and with it\n"
                "%-12s %10s %10s %8s %8s %10s\n",
                ops, runs, "profile", "kernel", "core", "loop", "ratio", "with loop");
    for (const std::string &profile : profiles) {
        stream s = kernel_test::make_stream(profile, 1, ops);
        std::vector<step> steps = steps_of(s);
        std::vector<double> kernel_ns, core_ns, loop_ns;
        for (unsigned run = 0; run < runs; run++) {
            kernel_loop kernel(plugin, s);
            core_loop core(s);
            kernel_ns.push_back(time_of(steps, 0, kernel));
            core_ns.push_back(time_of(steps, 0, core));
            if (kernel.where() != core.where())
                give_up(profile + ": kernel and core differ");
            bare_loop bare(s, core.where());
            loop_ns.push_back(time_of(steps, 0, bare));
        }
        double k = median(kernel_ns), c = median(core_ns), loop = median(loop_ns);
        double ratio = (k - loop) / (c - loop);
        all += std::log(ratio);
        least = std::min(least, ratio);
        with_loop += std::log(k / c);
        least_with_loop = std::min(least_with_loop, k / c);
        std::printf("%-12s %10.1f %10.1f %8.1f %8.2f %10.2f\n", profile.c_str(), k, c, loop, ratio,
                    k / c);
    }
    auto n = static_cast<double>(profiles.size());
    std::printf("geometric mean %.2f, least %.2f; with the loop %.2f and %.2f\n", std::exp(all / n),
                least, std::exp(with_loop / n), least_with_loop);
}

void print_sizes(std::size_t ops, unsigned runs) {
    std::printf("\ncore, ns an operation at the same fill (share of the slots), median of %u runs\n"
                "%-10s %14s %14s %14s %14s\n",
                runs, "pool", "1 area, 0.50", "1 area, 0.80", "4 areas, 0.50", "4 areas, 0.80");
    const struct {
        std::uint32_t areas;
        double fill;
    } columns[] = {{1, 0.5}, {1, 0.8}, {4, 0.5}, {4, 0.8}};
    std::vector<double> first, last;
    for (std::uint64_t slots = 512; slots <= 524288; slots *= 2) {
        std::printf("%6" PRIu64 " MiB", slots / 512);
        last.clear();
        for (const auto &column : columns) {
            stream s = kernel_test::make_filled(slots, column.areas, column.fill, 1, ops);
            std::vector<double> ns;
            std::vector<step> steps = steps_of(s);
            std::size_t from = steps.size() - ops; // the filling is not timed
            for (unsigned run = 0; run < runs; run++) {
                core_loop core(s);
                for (std::size_t i = 0; i < from; i++)
                    core(steps[i]);
                ns.push_back(time_of(steps, from, core));
            }
            last.push_back(median(ns));
            std::printf(" %14.1f", last.back());
            std::fflush(stdout);
        }
        std::printf("\n");
        if (first.empty())
            first = last;
    }
    std::printf("%-10s", "growth");
    for (std::size_t i = 0; i < first.size(); i++)
        std::printf(" %13.2fx", last[i] / first[i]);
    std::printf("\n");
}

std::string build_plugin() {
    std::string path;
    std::FILE *child = popen("'" BUILD_PLUGIN "' --plain '" KERNEL_TREE "'", "r");
    if (!child)
        give_up("build-plugin cannot be run");
    for (int c; (c = std::fgetc(child)) != EOF && c != '\n';)
        path += static_cast<char>(c);
    if (pclose(child) || path.empty())
        give_up(
            "no plug-in; install linux-source-6.12, or name one made with build-plugin --plain");
    return path;
}

} // namespace

int main(int argc, char **argv) {
    std::size_t ops = 200000;
    unsigned runs = 15;
    std::string plugin, only;
    std::vector<std::string> profiles;
    for (int i = 1; i < argc; i++) {
        std::string word = argv[i];
        if (word == "--ops" && i + 1 < argc)
            ops = std::strtoull(argv[++i], nullptr, 10);
        else if (word == "--runs" && i + 1 < argc)
            runs = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        else if (word == "--only" && i + 1 < argc)
            only = argv[++i];
        else if (word == "--profile" && i + 1 < argc)
            profiles.push_back(argv[++i]);
        else
            plugin = word;
    }
    if (!ops || !runs)
        give_up("usage: kernel_ratio [--ops N] [--runs N] [--only ratio|size] [--profile NAME]... "
                "[PLUGIN]");
    if (only != "size") {
        if (plugin.empty())
            plugin = build_plugin();
        print_ratios(plugin.c_str(), profiles.empty() ? kernel_test::profiles : profiles, ops,
                     runs);
    }
    if (only != "ratio")
        print_sizes(ops, runs);
    return 0;
}
