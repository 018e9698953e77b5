// SPDX-License-Identifier: Apache-2.0
// The two sides of the differential test: the same operation asked of the core and of a kernel, and
// the answers in one form.
#pragma once

#include "../../app/kernel_tree_memory.hpp"
#include "load.h"
#include "op_streams.hpp"

#include "bounce/swiotlb.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace kernel_test {

[[noreturn]] inline void give_up(const std::string &why) {
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
inline const char *difference(const answer &a, const answer &b) {
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

inline std::string text_of(const answer &a) {
    char text[400];
    std::snprintf(text, sizeof(text),
                  "%s tlb_addr %" PRIx64 " probes %" PRIu64 " locks %" PRIu64 " slots %" PRIu64
                  " alloc_size %" PRIu64 " used %" PRIu64 " hiwater %" PRIu64 " nslabs %" PRIu64
                  " transient %" PRIu64 " queued %" PRIu64 " sync %" PRIx64 "+%" PRIu64,
                  a.outcome, a.tlb_addr, a.probes, a.locks, a.slots, a.alloc_size, a.used,
                  a.hiwater, a.nslabs, a.transient, a.queued, a.orig, a.bytes);
    return text;
}

inline bounce_swiotlb_config pool_config(const subject &who, const stream &s) {
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
        for (const device &d : s.devices) {
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
        for (const device &d : s.devices) {
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

} // namespace kernel_test
