// SPDX-License-Identifier: Apache-2.0
// What scripts/record-trace.sh writes beside the trace: the machine and the kernel's own counters.
// docs/recording.md describes the files.
#pragma once

#include "bounce/boot.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bouncesim {

// Names as in the kernel's debugfs; empty where the recording does not tell.
struct pool_counters {
    std::optional<std::uint64_t> nslabs;
    std::optional<std::uint64_t> used;
    std::optional<std::uint64_t> used_hiwater;
    std::optional<std::uint64_t> transient_nslabs;
};

struct recorded_device {
    std::string name;
    std::string driver;
    std::uint64_t dma_mask = 0; // 0: not known
};

struct recording {
    std::uint32_t layout = 0; // of the archive; 0: counters alone
    std::string kernel;       // as `uname -r` says
    std::string boot_line;
    std::uint32_t cpus = 0; // possible ones; 0: not known
    std::uint64_t memory = 0;
    std::optional<bool> dynamic; // CONFIG_SWIOTLB_DYNAMIC
    std::vector<std::string> events;
    std::vector<recorded_device> devices;
    pool_counters begin, end;
    std::uint32_t nareas = 0;           // as the kernel logged it
    std::uint64_t start = 0;            // of the pool, as the kernel logged it,
    std::uint64_t start_size = 0;       // and its bytes
    std::uint64_t overwritten = 0;      // events that a ring had no room for, at the beginning
    std::uint64_t dropped = 0;          // and anywhere
    std::uint64_t complete_from_ns = 0; // every CPU's events from then on are there

    std::uint64_t lines_cut = 0; // by the conversion, of the trace as it was recorded
    // The files as they were taken, by name: what a native file carries.
    std::vector<std::pair<std::string, std::string>> texts;

    // Takes one of the archive's files, by name; false when it is none of them. Lines that it does
    // not know are left alone: a newer script may write more. Throws refused_error.
    bool add(const std::string &name, const std::string &text);

    bool lost() const {
        return overwritten || dropped;
    }
    bool has_counters() const {
        return begin.used || begin.nslabs || end.used_hiwater || end.used || begin.used_hiwater;
    }
    // Only kernels that grow have that counter.
    bool transient() const {
        return begin.transient_nslabs.has_value() || end.transient_nslabs.has_value();
    }
    // From 6.12 on, mappings were recorded; before, requests alone.
    bool has_dma_events() const;

    // The kernel cannot grow its pool.
    bool never_grew() const {
        return dynamic ? !*dynamic : begin.nslabs && !transient();
    }

    // The first pool: from the boot line where the pool may have grown, else from the counters.
    // All 0 when nothing tells.
    bounce_boot pool() const;

    // What the boot line says behind swiotlb=; empty when it says nothing.
    std::string swiotlb_option() const;

    // Of a device that the recorded machine had.
    std::optional<std::uint64_t> dma_mask(const std::string &device) const;

    // Replaces the counters, and what the kernel logged, as far as `other` tells.
    void take_counters(const recording &other);

    // Which of `bouncesim list kernels` it ran; NULL when the release is not told or not modelled.
    const char *kernel_name() const;

    static constexpr const char *counters_file = "counters.txt";
    static constexpr const char *converted_file = "converted.txt"; // of native files alone
    static constexpr std::array<const char *, 5> files = {
        "layout.txt", "machine.txt", counters_file, "devices.txt", "dmesg.txt"};
    static constexpr std::size_t largest_file = 4u << 20;

  private:
    void keep_text(const std::string &name, const std::string &text);
};

// A file of counters alone: lines "STAT begin|end NAME VALUE", "NAME VALUE" or "PATH/NAME:VALUE"
// (the first of a name is taken at the begin, the second at the end); ring statistics and lines of
// the kernel log are taken too. Throws refused_error when no counter is in it.
recording read_counters(const std::string &path);

} // namespace bouncesim
