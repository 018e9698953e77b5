// SPDX-License-Identifier: Apache-2.0
// What all simulating commands share: parsing, --help, and the options of a simulation.
#pragma once

#include "commands.hpp"
#include "pool_options.hpp"

#include "bounce/boot.h"
#include "bounce/kernels.h"
#include "bounce/trace.h"

#include <boost/program_options.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

// One --device NAME:key=value[,key=value]: what the trace does not tell of a device.
struct device_setting {
    std::string name; // "*": every device
    std::optional<std::uint64_t> dma_mask;
    std::optional<std::uint64_t> seg_boundary;
    std::optional<std::uint32_t> min_align_mask;
};

constexpr std::uint32_t most_held_slots = 1u << 20;

struct simulation_options {
    std::vector<std::string> traces;
    const bounce_kernel *kernel = nullptr;
    bool kernel_told = false;                // --kernel was given
    std::string counters;                    // --counters
    std::optional<bounce_boot> boot;         // as given with --swiotlb
    std::uint32_t cpus = 0;                  // 0: from the trace
    std::uint64_t start = 0;                 // 0: from the trace
    bounce_machine machine = {};             // as far as --memory, --coco, --arch, --low-memory say
    std::uint64_t worker_delay_ns = 100000;  // --worker-delay
    std::uint32_t lost_orders = 0;           // --fragmentation
    std::string growth_option;               // one of these two that was given; or empty
    std::optional<std::uint64_t> service_ns; // --service-time
    std::optional<std::uint32_t> held_slots; // --held-slots
    std::uint32_t usually_held = 0;          // of a platform, without the option
    pool_options pool;
    std::vector<device_setting> devices;
    bounce_trace_options trace = {};
    void (*note)(void *context, const bounce_note *note) = nullptr; // see bounce_trace_on_note()
    void *note_context = nullptr;
    bool recorded_order = false; // --order recorded
    std::optional<bool> force;   // of a platform: all buffers bounce, or only those out of reach
    bool raw_requests = false;   // an engine takes requests as they are,
    bool all_by_iommu = false;   // its devices are behind an IOMMU, which decides what bounces,
    bool some_by_iommu = false;  // or some are
    // Sets what a platform knows of a device; empty: nothing.
    std::function<void(bounce_device &device, const char *format)> shape;
    bool as_read = false; // convert: events as the reader gives them, nothing made of them
    bool quiet = false;
};

namespace po = boost::program_options;

// Parses `args` against `visible` (plus the hidden positional list `positional`, at most
// `max_positional`, -1 for any number). Prints --help and returns false when that was asked for.
// Throws refused_error with one line for everything that is wrong.
bool parse_options(const arguments &args, const char *usage, const po::options_description &visible,
                   const char *positional, int max_positional, po::variables_map &values);

// The options of simulation_options, to be added to a command's own.
po::options_description simulation_option_table();
simulation_options read_simulation_options(const po::variables_map &values);

// The first option given that says how pools grow; or empty.
std::string growth_option(const po::variables_map &values);
// That option with a kernel (or kernels) whose pool does not: refused_error, unless it is empty.
void refuse_growth_option(const std::string &name, const std::string &kernel);

// Those of them that say how a trace is read, for commands that replay nothing: devices, format,
// service time, what is left out; --quiet and --help.
po::options_description trace_option_table();
simulation_options read_trace_options(po::variables_map &values);

// "4G", "512M", "65536": bytes. Throws refused_error naming the option.
std::uint64_t parse_size(const std::string &text, const char *option);
// "1.5s", "200ms", "30us", "1000ns" or "1000": nanoseconds. Throws refused_error naming the option.
std::uint64_t parse_time(const std::string &text, const char *option);

// "1", "4,8", "512..32768" (powers of two between), sizes with K, M, G taken as slots when
// `as_slots`. Throws refused_error naming the option.
std::vector<std::uint64_t> parse_list(const std::string &text, const char *option, bool as_slots,
                                      std::uint64_t most);

// After a run: a device that --device names must have been in the trace. Throws refused_error.
void check_named_devices(const std::vector<device_setting> &settings,
                         const std::vector<bounce_device> &seen);

} // namespace bouncesim
