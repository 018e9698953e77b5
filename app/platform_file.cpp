// SPDX-License-Identifier: Apache-2.0
// Platform files: TOML, in which every key has to be known.
#include "platform.hpp"
#include "platform_names.hpp"
#include "toml_table.hpp"

#include "bounce/swiotlb.h"

#include <algorithm>

namespace bouncesim {
namespace {

void read_machine(toml_table &in, platform &p) {
    if (in.text("kernel", p.kernel) && p.kernel.rfind("tree:", 0) != 0 &&
        !bounce_kernel_find(p.kernel.c_str()))
        in.refuse("kernel",
                  "= \"" + p.kernel + "\": not known; `bouncesim list kernels` shows them");
    in.number("cpus", p.cpus, 1, BOUNCE_MAX_CPUS);
    if (in.size("memory", p.machine.memory))
        p.run.memory_bytes = p.machine.memory;
    if (in.size("memory_below_4g", p.run.low_memory_bytes) &&
        p.run.low_memory_bytes > (std::uint64_t{1} << 32))
        in.refuse("memory_below_4g", "at most 4G was expected");
    in.choice("coco", p.machine.guest, platform_names::guests);
    in.choice("arch", p.machine.arch, platform_names::arches);
    if (p.machine.guest != BOUNCE_GUEST_NONE && p.machine.arch == BOUNCE_ARCH_ARM64)
        in.refuse("arch", "guests with encrypted memory are modelled on x86 only");
    in.number("scattered_percent", p.run.scattered_percent, 0, 100);
    in.number("seed", p.run.seed, 0, INT64_MAX);
}

void read_pool(toml_table &in, platform &p) {
    std::uint64_t bytes = 0;
    p.has_pool = in.number("slots", p.boot.nslabs, 1, BOUNCE_MAX_NSLABS);
    if (in.size("size", bytes)) {
        if (p.has_pool)
            in.refuse("size", "pool.slots says it already; one is enough");
        if (bytes >> BOUNCE_SLOT_SHIFT > BOUNCE_MAX_NSLABS)
            in.refuse("size", "at most 16G was expected");
        p.boot.nslabs = std::max<std::uint64_t>(1, bytes >> BOUNCE_SLOT_SHIFT);
        p.has_pool = true;
    }
    p.has_pool = in.number("areas", p.boot.nareas, 1, BOUNCE_MAX_CPUS) || p.has_pool;
    bool force = false;
    if (in.flag("force", force)) {
        p.force = force;
        p.boot.force = force;
    }
    in.size("start", p.pool_start);
    if (p.pool_start % 4096)
        in.refuse("start", "a multiple of 4096 was expected");
    in.size("largest_below_4g", p.machine.low_memory);
    in.number("held_slots", p.run.held_slots, 0, most_held_slots);
}

void read_run(toml_table &in, platform &p) {
    p.arrivals_told = in.choice("arrivals", p.run.arrivals, platform_names::arrivals);
    in.choice("completions", p.run.recorded_service, platform_names::completions);
    in.number("depth", p.run.depth, 1, 65536);
    in.real("time_scale", p.run.time_scale, 1e6);
    std::uint64_t ms = 0;
    if (in.number("watchdog_ms", ms, 1, 1000000000))
        p.run.watchdog_ns = ms * 1000000;
}

// [[bytes, ps], ...]
void read_curve(toml_table &in, const char *key, models::cost_curve &curve) {
    const toml::node *node = in.find(key);
    if (!node)
        return;
    const toml::array *points = node->as_array();
    bool good = points && points->size() <= models::cost_curve::max_points;
    curve = {};
    for (std::size_t k = 0; good && k < points->size(); k++) {
        const toml::array *pair = (*points)[k].as_array();
        auto bytes =
            pair && pair->size() == 2 ? (*pair)[0].value_exact<std::int64_t>() : std::nullopt;
        auto ps = bytes ? (*pair)[1].value_exact<std::int64_t>() : std::nullopt;
        std::uint64_t before = k ? curve.points[k - 1].bytes : 0;
        std::uint64_t least = k ? curve.points[k - 1].ps : 0;
        good = ps && *bytes > 0 && static_cast<std::uint64_t>(*bytes) > before &&
               static_cast<std::uint64_t>(*bytes) <= models::cost_curve::limit && *ps >= 0 &&
               static_cast<std::uint64_t>(*ps) >= least && *ps <= 1000000000000;
        if (good)
            curve.points[curve.count++] = {static_cast<std::uint64_t>(*bytes),
                                           static_cast<std::uint64_t>(*ps)};
    }
    if (!good)
        in.refuse(*node, in.path(key) + ": up to 8 pairs [bytes, ps] were expected, both rising");
}

void read_costs(toml_table &in, platform &p) {
    for (std::size_t i = 0; const models::cost_info *info = models::cost_at(i); i++) {
        if (info->value)
            in.number(info->key, p.timing.*(info->value), 0, 1000000000000);
        else
            read_curve(in, info->key, p.timing.*(info->curve));
    }
}

void read_iommu(toml_table &in, platform &p) {
    models::iommu_config &config = p.path.iommu.emplace();
    for (std::size_t i = 0; const models::iommu_parameter *row = models::iommu_parameter_at(i);
         i++) {
        if (row->value)
            in.number(row->key, config.*(row->value), row->smallest, row->largest);
        else
            read_curve(in, row->key, config.*(row->curve));
    }
}

void read_encryption(toml_table &in, platform &p) {
    models::encryption_config &config = *p.path.encryption;
    for (std::size_t i = 0;
         const models::encryption_parameter *row = models::encryption_parameter_at(i); i++)
        in.number(row->key, config.*(row->value), 0, row->largest);
}

void read_device(toml_table &in, platform &p) {
    std::string match = "*", model = "nvme";
    in.text("match", match);
    in.text("model", model);
    const models::device_model *found = models::find_device_model(model);
    if (!found) {
        std::string names;
        for (std::size_t i = 0; const models::device_model *m = models::device_model_at(i); i++)
            names += (names.empty() ? "" : ", ") + std::string(m->name);
        in.refuse("model", "= \"" + model + "\": one of " + names + " was expected");
    }
    platform::rule rule = {match, *found};
    in.choice("full", rule.model.full, platform_names::fulls);
    for (std::size_t i = 0; const models::device_key *key = models::device_key_at(i); i++) {
        in.number(key->name, rule.model.*(key->value), key->smallest, key->largest);
        std::uint64_t value = rule.model.*(key->value);
        if (std::string_view(key->unit) == "mask" && (value & (value + 1)))
            in.refuse(key->name, "2^n - 1 was expected, for instance 4095");
    }
    if (rule.model.ring_entries && !rule.model.ring_bytes)
        in.refuse("ring_entries", "ring_bytes is missing");
    p.devices.push_back(rule);
}

} // namespace

platform read_platform_file(const std::string &path) {
    platform p;
    p.file = path;
    toml::table root = parse_toml(path);
    toml_table file(path, "", root);
    file.inside("machine", [&](toml_table &in) { read_machine(in, p); });
    file.inside("pool", [&](toml_table &in) { read_pool(in, p); });
    file.inside("run", [&](toml_table &in) { read_run(in, p); });
    file.inside("costs", [&](toml_table &in) { read_costs(in, p); });
    file.inside("iommu", [&](toml_table &in) { read_iommu(in, p); });
    p.path.guest = p.machine.guest;
    if (p.machine.guest != BOUNCE_GUEST_NONE)
        p.path.encryption = models::encryption_config::of(p.machine.guest);
    file.inside("encryption", [&](toml_table &in) {
        if (!p.path.encryption)
            file.refuse("encryption", "machine.coco is missing; sev-snp or tdx was expected");
        read_encryption(in, p);
    });
    file.for_each("device", [&](toml_table &in) { read_device(in, p); });
    if (p.has_iommu() && !p.path.iommu)
        p.path.iommu.emplace();
    if (!p.has_iommu() && p.path.iommu)
        file.refuse("iommu", "no device is behind it; iommu = 1 or 2 in a "
                             "[[device]] was expected");
    file.finish();
    if ((p.machine.guest != BOUNCE_GUEST_NONE || p.machine.arch == BOUNCE_ARCH_ARM64) &&
        !p.machine.memory)
        throw refused_error(path + ": machine.memory is missing; coco and arm64 size the pool by "
                                   "it");
    return p;
}

} // namespace bouncesim
