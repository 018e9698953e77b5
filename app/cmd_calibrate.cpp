// SPDX-License-Identifier: Apache-2.0
// bouncesim calibrate: measures this machine and writes the [costs] of a platform file.
#include "calibrate.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "options.hpp"
#include "output.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace bouncesim {
namespace {

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("model name", 0) == 0)
            return line.substr(line.find(':') + 2);
    return "an unnamed processor";
}

std::uint64_t picoseconds(double ns) {
    return static_cast<std::uint64_t>(std::llround(ns * 1000));
}

// A platform file wants curves that do not fall; noise can make a larger copy the faster one.
std::string curve(const std::vector<copy_times> &copies, double copy_times::*ns) {
    std::ostringstream out;
    std::uint64_t least = 0;
    for (const copy_times &c : copies) {
        least = std::max(least, picoseconds(c.*ns));
        out << (out.tellp() ? ", [" : "[") << c.bytes << ", " << least << ']';
    }
    return '[' + out.str() + ']';
}

std::string costs_section() {
    // As many points as a curve of costs holds at the most, smallest first.
    std::vector<copy_times> copies =
        measure_copies({512, 2048, 4096, 16384, 65536, 131072, 262144}, interrupted);
    if (interrupted())
        throw run_error("interrupted; nothing was written");
    std::ostringstream out;
    out << "# Measured by bouncesim calibrate on " << processor()
        << ".\n# Medians of host time; on a shared machine run it twice and compare.\n[costs]\n"
        << "copy_hot = " << curve(copies, &copy_times::hot_ns) << "\n"
        << "copy_cold = " << curve(copies, &copy_times::walk_ns)
        << " # walking a 64 MiB pool in order\n# copies between anywhere and anywhere: "
        << curve(copies, &copy_times::cold_ns) << "\n";
    if (long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0)
        out << "cache_bytes = " << bytes << "\n";
    out << "lock_ps = " << picoseconds(measure_lock_ns())
        << "\ncounters_ps = " << picoseconds(measure_counters_ns()) << "\n";
    std::optional<double> handoff = measure_handoff_ns(), line = measure_line_ns();
    if (handoff && line)
        out << "lock_handoff_ps = " << picoseconds(*handoff) << "\nline_ps = " << picoseconds(*line)
            << "\nslot_line_ps = " << picoseconds(*line) << "\n";
    else
        out << "# lock_handoff_ps, line_ps: two CPUs are needed to measure them\n";
    return out.str();
}

} // namespace

int cmd_calibrate(const arguments &args) {
    po::options_description own("Options");
    own.add_options()("output,o", po::value<std::string>()->default_value("-")->value_name("FILE"),
                      "where to write; - is standard output")("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "calibrate [-o FILE.toml]", own, "nothing", 0, values))
        return exit_done;
    watch_interrupts();
    // The file is opened first: what cannot be written is not worth measuring.
    output_file out(values["output"].as<std::string>());
    out.write(costs_section());
    out.commit();
    return exit_done;
}

} // namespace bouncesim
