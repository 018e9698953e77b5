// SPDX-License-Identifier: Apache-2.0
// bouncesim's allocator against the real one: random operations through both in one process, and
// every answer compared. A difference is shrunk to a short stream and written down.
//
//   differential --kernel NAME --plugin FILE [--ops N] [--seed S] [--profile NAME]
//
// Exit status: 0 no difference, 1 a difference, 2 usage.
#include "../../app/kernel_tree_memory.hpp"
#include "load.h"
#include "op_streams.hpp"

#include "bounce/swiotlb.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

namespace {

using kernel_test::operation;
using kernel_test::stream;

constexpr std::size_t stream_length = 20000;

[[noreturn]] void give_up(const std::string &why) {
    std::fprintf(stderr, "bouncesim: %s\n", why.c_str());
    std::exit(2);
}

struct subject {
    const bounce_kernel *kernel = nullptr;
    std::string plugin;
    bool grows = false;
};

// What one operation did, as either side tells it.
struct answer {
    const char *outcome = "ok";
    std::uint64_t tlb_addr = 0, probes = 0, locks = 0, slots = 0, alloc_size = 0;
    std::uint64_t used = 0, hiwater = 0, nslabs = 0, transient = 0, queued = 0;
    std::uint64_t orig = 0, bytes = 0;
};

// Name of the first field that differs, or NULL.
const char *difference(const answer &a, const answer &b) {
    if (std::strcmp(a.outcome, b.outcome) != 0)
        return "outcome";
    const struct {
        const char *name;
        std::uint64_t answer::*field;
    } fields[] = {{"tlb_addr", &answer::tlb_addr},
                  {"probes", &answer::probes},
                  {"locks", &answer::locks},
                  {"slots", &answer::slots},
                  {"alloc_size", &answer::alloc_size},
                  {"used", &answer::used},
                  {"hiwater", &answer::hiwater},
                  {"nslabs", &answer::nslabs},
                  {"transient", &answer::transient},
                  {"queued", &answer::queued},
                  {"orig", &answer::orig},
                  {"bytes", &answer::bytes}};
    for (const auto &f : fields)
        if (a.*(f.field) != b.*(f.field))
            return f.name;
    return nullptr;
}

std::string text_of(const answer &a) {
    char text[400];
    std::snprintf(text, sizeof(text),
                  "%s tlb_addr %" PRIx64 " probes %" PRIu64 " locks %" PRIu64 " slots %" PRIu64
                  " alloc_size %" PRIu64 " used %" PRIu64 " hiwater %" PRIu64 " nslabs %" PRIu64
                  " transient %" PRIu64 " queued %" PRIu64 " sync %" PRIx64 "+%" PRIu64,
                  a.outcome, a.tlb_addr, a.probes, a.locks, a.slots, a.alloc_size, a.used,
                  a.hiwater, a.nslabs, a.transient, a.queued, a.orig, a.bytes);
    return text;
}

bounce_swiotlb_config pool_config(const subject &who, const stream &s) {
    bounce_boot boot = {s.slots, s.areas, true, false};
    bounce_swiotlb_config config = {};
    config.kernel = who.kernel;
    config.cpus = s.cpus;
    config.start = s.start;
    config.lost_orders = s.lost_orders;
    config.reuse_pages = s.reuse_pages;
    config.encrypted = s.encrypted;
    config.memory = std::uint64_t{1} << 30;
    bounce_boot_round(&boot, s.cpus, &config.nslabs, &config.nareas);
    return config;
}

class core_side {
  public:
    core_side(const subject &who, const stream &s) : mem_(nullptr, bounce_swiotlb_destroy) {
        bounce_swiotlb_config config = pool_config(who, s);
        bounce_swiotlb *made = nullptr;
        bounce_error error = {};
        if (bounce_swiotlb_create(&config, &made, &error))
            give_up(std::string("core: ") + error.text);
        mem_.reset(made);
        for (const kernel_test::device &d : s.devices) {
            bounce_device device = {};
            device.dma_mask = d.dma_mask;
            device.seg_boundary = d.seg_boundary;
            device.min_align_mask = d.min_align_mask;
            devices_.push_back(device);
        }
    }

    // `tlb_addr` is where the mapping that U and S mean lies.
    answer apply(const operation &op, std::uint64_t tlb_addr) {
        answer a;
        bounce_map_request request = {op.kind == 'W' ? nullptr : &devices_[op.device], op.orig,
                                      op.size, op.align_mask, op.cpu};
        bounce_map_result result = {};
        switch (op.kind) {
        case 'M':
        case 'A':
            if (op.kind == 'A')
                bounce_swiotlb_alloc(mem_.get(), &request, &result);
            else
                bounce_swiotlb_map(mem_.get(), &request, &result);
            a.outcome = result.outcome == BOUNCE_MAP_OK       ? "ok"
                        : result.outcome == BOUNCE_MAP_LOCKUP ? "lockup"
                                                              : "full";
            a.tlb_addr = result.tlb_addr;
            a.probes = result.probes;
            a.locks = result.locks;
            a.slots = result.slots;
            a.alloc_size = result.alloc_size;
            break;
        case 'U':
            a.slots = bounce_swiotlb_unmap(mem_.get(), request.device, tlb_addr);
            break;
        case 'S': {
            bounce_copy copy =
                bounce_swiotlb_sync(mem_.get(), request.device, tlb_addr + op.offset, op.size);
            a.bytes = copy.bytes;
            a.orig = copy.bytes ? copy.orig_addr : 0;
            break;
        }
        default:
            bounce_swiotlb_run_worker(mem_.get());
        }
        const bounce_swiotlb_counts &c = *bounce_swiotlb_get_counts(mem_.get());
        a.used = c.used;
        a.hiwater = c.used_hiwater;
        a.nslabs = c.nslabs;
        a.transient = c.transient_nslabs;
        a.queued = bounce_swiotlb_worker_queued(mem_.get());
        return a;
    }

  private:
    std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)> mem_;
    std::vector<bounce_device> devices_;
};

class kernel_side {
  public:
    kernel_side(const subject &who, const stream &s) : memory_(pool_config(who, s)) {
        char why[512];
        if (!bounce_kt_load(who.plugin.c_str(), &library_, why, sizeof(why)))
            give_up(why);
        bounce_kt_config config = {};
        config.slots = s.slots;
        config.areas = s.areas;
        config.cpus = s.cpus;
        config.pool_start = s.start;
        config.force = true;
        config.dynamic = who.grows;
        config.natural_alloc = true;
        config.memory = memory_.callbacks();
        if (bounce_kt_status status = kernel().create(&config, &kt_))
            give_up("the plug-in makes no pool, status " + std::to_string(status));
        for (const kernel_test::device &d : s.devices) {
            bounce_kt_device_config device = {d.dma_mask, d.seg_boundary, d.min_align_mask};
            std::uint32_t number;
            if (kernel().add_device(kt_, &device, &number))
                give_up("the plug-in refuses a device");
        }
    }
    kernel_side(const kernel_side &) = delete;
    kernel_side &operator=(const kernel_side &) = delete;
    ~kernel_side() {
        kernel().destroy(kt_);
        bounce_kt_unload(&library_);
    }

    answer apply(const operation &op, std::uint64_t tlb_addr) {
        answer a;
        bounce_kt_map_result result = {};
        bounce_kt_status status = BOUNCE_KT_OK;
        std::uint64_t used = counters().used;
        switch (op.kind) {
        case 'M':
        case 'A':
            status = op.kind == 'A'
                         ? kernel().alloc(kt_, op.device, op.cpu, op.size, &result)
                         : kernel().map(kt_, op.device, op.cpu, op.orig, op.size, op.align_mask,
                                        static_cast<bounce_kt_dir>(op.dir), 0, &result);
            a.tlb_addr = result.tlb_addr;
            a.probes = result.probes;
            a.locks = result.locks;
            a.alloc_size = result.alloc_size;
            break;
        case 'U':
            status = op.alloc ? kernel().free(kt_, op.device, tlb_addr, op.size)
                              : kernel().unmap(kt_, op.device, tlb_addr, op.size,
                                               BOUNCE_KT_TO_DEVICE, 0, nullptr);
            break;
        case 'S': {
            bounce_kt_copy copy = {};
            status = kernel().sync(kt_, op.device, tlb_addr + op.offset, op.size,
                                   BOUNCE_KT_BIDIRECTIONAL, op.for_cpu, &copy);
            a.bytes = copy.bytes;
            a.orig = copy.bytes ? copy.orig : 0;
            break;
        }
        default: {
            bool ran = false;
            memory_.run_worker();
            status = kernel().run_worker(kt_, &ran);
        }
        }
        bounce_kt_counters c = counters();
        a.outcome = status == BOUNCE_KT_OK                                     ? "ok"
                    : status == BOUNCE_KT_FULL || status == BOUNCE_KT_OVERSIZE ? "full"
                    : status == BOUNCE_KT_LOCKUP                               ? "lockup"
                    : status == BOUNCE_KT_BUG                                  ? "BUG_ON"
                                                                               : "refused";
        a.slots = c.used > used ? c.used - used : used - c.used;
        if (status == BOUNCE_KT_LOCKUP)
            a.alloc_size = 0;
        a.used = c.used;
        a.hiwater = c.used_hiwater;
        a.nslabs = c.nslabs;
        a.transient = c.transient_nslabs;
        a.queued = c.worker_queued || memory_.worker_queued();
        return a;
    }

  private:
    const bounce_kt_plugin &kernel() const {
        return *library_.plugin;
    }
    bounce_kt_counters counters() const {
        bounce_kt_counters c = {};
        kernel().counters(kt_, &c);
        return c;
    }

    bouncesim::kernel_tree_memory memory_;
    bounce_kt_library library_ = {};
    bounce_kt *kt_ = nullptr;
};

struct found_difference {
    std::size_t at = 0;
    const char *field = nullptr; // NULL: none
    answer core, kernel;
};

// What happened so far, so that a run that never meets a case does not go unnoticed.
struct tally {
    std::uint64_t operations = 0, full = 0, lockups = 0, syncs = 0, transient = 0, grown = 0;
};

found_difference play(const subject &who, const stream &s, tally *count) {
    core_side core(who, s);
    kernel_side kernel(who, s);
    std::vector<std::uint64_t> where(s.ids); // 0: not mapped
    std::uint64_t nslabs = 0, transient = 0;
    found_difference found;
    for (std::size_t i = 0; i < s.operations.size(); i++) {
        const operation &op = s.operations[i];
        bool is_map = op.kind == 'M' || op.kind == 'A';
        if (!is_map && op.kind != 'W' && !where[op.id])
            continue;
        std::uint64_t tlb = is_map || op.kind == 'W' ? 0 : where[op.id];
        answer a = core.apply(op, tlb), b = kernel.apply(op, tlb);
        if (std::strcmp(b.outcome, "lockup") == 0)
            a.alloc_size = 0; // the plug-in left the search before it could say
        if ((found.field = difference(a, b))) {
            found.at = i;
            found.core = a;
            found.kernel = b;
            return found;
        }
        if (is_map || op.kind == 'U')
            where[op.id] = is_map ? b.tlb_addr : 0;
        if (!count)
            continue;
        count->operations++;
        count->full += std::strcmp(b.outcome, "full") == 0;
        count->lockups += std::strcmp(b.outcome, "lockup") == 0;
        count->syncs += op.kind == 'S' && b.bytes;
        count->transient += b.transient > transient;
        count->grown += nslabs && b.nslabs > nslabs;
        nslabs = b.nslabs;
        transient = b.transient;
    }
    return found;
}

// Leaves out whatever the difference does not need: halves first, then ever smaller parts.
stream shrink(const subject &who, stream s, std::size_t at) {
    s.operations.resize(at + 1);
    for (std::size_t part = s.operations.size() / 2; part > 0; part /= 2) {
        for (std::size_t from = 0; from + part <= s.operations.size();) {
            stream less = s;
            auto begin = less.operations.begin() + static_cast<std::ptrdiff_t>(from);
            less.operations.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
            if (play(who, less, nullptr).field)
                s = less;
            else
                from += part;
        }
    }
    s.operations.resize(play(who, s, nullptr).at + 1);
    return s;
}

void report(const subject &who, const std::string &profile, std::uint64_t seed, const stream &s,
            const found_difference &found) {
    std::printf("%s, profile %s, seed %" PRIu64 ", operation %zu: %s differs\n", who.kernel->name,
                profile.c_str(), seed, found.at, found.field);
    std::printf("  core   %s\n  kernel %s\n", text_of(found.core).c_str(),
                text_of(found.kernel).c_str());
    stream less = shrink(who, s, found.at);
    std::string name = std::string("differential-") + who.kernel->name + "-" + profile + "-" +
                       std::to_string(seed) + ".ops";
    std::ofstream out(name);
    out << kernel_test::as_text(less);
    found_difference again = play(who, less, nullptr);
    std::printf("  shrunk to %zu operations in %s (lost orders %u, reuse %d, encrypted %d)\n"
                "  core   %s\n  kernel %s\n",
                less.operations.size(), name.c_str(), s.lost_orders, s.reuse_pages, s.encrypted,
                text_of(again.core).c_str(), text_of(again.kernel).c_str());
}

std::uint64_t number(const char *text) {
    char *end = nullptr;
    std::uint64_t value = std::strtoull(text, &end, 10);
    if (!*text || *end)
        give_up(std::string(text) + ": a number was expected");
    return value;
}

} // namespace

int main(int argc, char **argv) {
    subject who;
    std::string only;
    std::uint64_t wanted = 300000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string option = argv[i], value = argv[i + 1];
        if (option == "--kernel")
            who.kernel = bounce_kernel_find(value.c_str());
        else if (option == "--plugin")
            who.plugin = value;
        else if (option == "--profile")
            only = value;
        else if (option == "--ops")
            wanted = number(argv[i + 1]);
        else if (option == "--seed")
            seed = number(argv[i + 1]);
        else
            give_up("no option " + option);
    }
    if (!who.kernel || who.plugin.empty() || argc % 2 == 0)
        give_up("usage: differential --kernel NAME --plugin FILE [--ops N] [--seed S] "
                "[--profile NAME]");
    who.grows = std::string(who.kernel->name).find("dynamic") != std::string::npos;
    tally count;
    std::uint64_t rounds = 0, differences = 0;
    for (; count.operations < wanted && differences < 3; rounds++, seed++) {
        // Every second stream draws everything; the others take the golden kinds in turn.
        std::string profile =
            rounds % 2 ? "random"
                       : kernel_test::profiles[rounds / 2 % kernel_test::profiles.size()];
        if (!only.empty())
            profile = only;
        stream s = kernel_test::make_stream(
            profile, seed, std::min<std::uint64_t>(stream_length, wanted - count.operations),
            who.grows);
        found_difference found = play(who, s, &count);
        if (!found.field)
            continue;
        differences++;
        report(who, profile, seed, s, found);
    }
    std::printf("%s: %" PRIu64 " operations in %" PRIu64 " streams, %" PRIu64
                " differences; full %" PRIu64 ", lockups %" PRIu64 ", syncs that copy %" PRIu64
                ", transient pools %" PRIu64 ", grown pools %" PRIu64 "\n",
                who.kernel->name, count.operations, rounds, differences, count.full, count.lockups,
                count.syncs, count.transient, count.grown);
    return differences ? 1 : 0;
}
