// SPDX-License-Identifier: Apache-2.0
// Platform files: written, with every key that the machine has.
#include "platform.hpp"
#include "platform_names.hpp"
#include "toml_table.hpp"

#include <algorithm>
#include <sstream>

namespace bouncesim {
namespace {

template <class T> std::string name_of(const platform_names::names<T> &choices, T value) {
    for (const auto &[name, meaning] : choices)
        if (meaning == value)
            return name;
    return "";
}

std::string curve_text(const models::cost_curve &curve) {
    std::ostringstream out;
    out << "[";
    for (std::uint32_t k = 0; k < curve.count; k++)
        out << (k ? ", [" : "[") << curve.points[k].bytes << ", " << curve.points[k].ps << "]";
    return out.str() + "]";
}

} // namespace

std::string platform_text(const platform &p) {
    std::ostringstream out;
    out << "# bouncesim platform, see docs/platforms.md\n[machine]\n";
    if (!p.kernel.empty())
        out << "kernel = " << toml_quoted(p.kernel) << "\n";
    if (p.cpus)
        out << "cpus = " << p.cpus << "\n";
    if (p.machine.memory)
        out << "memory = " << p.machine.memory << "\n";
    if (p.run.low_memory_bytes)
        out << "memory_below_4g = " << p.run.low_memory_bytes << "\n";
    out << "coco = \"" << name_of(platform_names::guests, p.machine.guest) << "\"\narch = \""
        << name_of(platform_names::arches, p.machine.arch)
        << "\"\nscattered_percent = " << p.run.scattered_percent << "\nseed = " << p.run.seed
        << "\n\n[pool]\n";
    if (p.boot.nslabs)
        out << "slots = " << p.boot.nslabs << "\n";
    if (p.boot.nareas)
        out << "areas = " << p.boot.nareas << "\n";
    if (p.force)
        out << "force = " << (*p.force ? "true" : "false") << "\n";
    if (p.pool_start)
        out << "start = " << p.pool_start << "\n";
    if (p.machine.low_memory)
        out << "largest_below_4g = " << p.machine.low_memory << "\n";
    std::ostringstream scale;
    scale << toml::value<double>(p.run.time_scale);
    out << "held_slots = " << p.run.held_slots << "\n\n[run]\narrivals = \""
        << name_of(platform_names::arrivals, p.run.arrivals) << "\"\ncompletions = \""
        << name_of(platform_names::completions, p.run.recorded_service)
        << "\"\ndepth = " << p.run.depth << "\ntime_scale = " << scale.str()
        << "\nwatchdog_ms = " << std::max<std::uint64_t>(1, p.run.watchdog_ns / 1000000)
        << "\n\n[costs]\n";
    for (std::size_t i = 0; const models::cost_info *info = models::cost_at(i); i++) {
        out << info->key << " = ";
        if (info->value) {
            out << p.timing.*(info->value) << "\n";
            continue;
        }
        out << curve_text(p.timing.*(info->curve)) << "\n";
    }
    if (p.path.iommu) {
        out << "\n[iommu]\n";
        for (std::size_t k = 0; const models::iommu_parameter *row = models::iommu_parameter_at(k);
             k++) {
            out << row->key << " = ";
            if (row->value)
                out << (*p.path.iommu).*(row->value) << "\n";
            else
                out << curve_text((*p.path.iommu).*(row->curve)) << "\n";
        }
    }
    if (p.machine.guest != BOUNCE_GUEST_NONE) {
        models::encryption_config config = p.path.encryption && p.path.guest == p.machine.guest
                                               ? *p.path.encryption
                                               : models::encryption_config::of(p.machine.guest);
        out << "\n[encryption]\n";
        for (std::size_t k = 0;
             const models::encryption_parameter *row = models::encryption_parameter_at(k); k++)
            out << row->key << " = " << config.*(row->value) << "\n";
    }
    for (const platform::rule &rule : p.devices) {
        out << "\n[[device]]\nmatch = " << toml_quoted(rule.match) << "\nmodel = \""
            << rule.model.name << "\"\nfull = \"" << name_of(platform_names::fulls, rule.model.full)
            << "\"\n";
        for (std::size_t i = 0; const models::device_key *key = models::device_key_at(i); i++)
            out << key->name << " = " << rule.model.*(key->value) << "\n";
    }
    return out.str();
}

} // namespace bouncesim
