// SPDX-License-Identifier: Apache-2.0
// Platform files: TOML, in which every key has to be known.
#include "errors.hpp"
#include "platform.hpp"
#include "pool_options.hpp"
#include "text.hpp"

#include "bounce/swiotlb.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#ifdef BOUNCESIM_TOML
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>
#endif

namespace bouncesim {
#ifndef BOUNCESIM_TOML

platform read_platform_file(const std::string &path) {
    throw refused_error(path + ": this build reads no platform files; install libtomlplusplus-dev "
                               "and build again");
}

std::string platform_text(const platform &) {
    throw refused_error("this build writes no platform files; install libtomlplusplus-dev and "
                        "build again");
}

#else
namespace {

// One table of the file: its keys are asked for, and what nobody asked for is an error.
class section {
  public:
    section(const std::string &file, const std::string &name, const toml::table &table)
        : file_(file), name_(name), table_(table) {}

    const toml::node *find(const char *key) {
        seen_.insert(key);
        return table_.get(key);
    }
    [[noreturn]] void refuse(const toml::node &at, const std::string &what) const {
        throw refused_error(file_ + ":" + std::to_string(at.source().begin.line) + ": " + what);
    }
    std::string path(const char *key) const {
        return name_.empty() ? key : name_ + "." + key;
    }

    bool text(const char *key, std::string &value) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<std::string>();
        if (!found)
            refuse(*node, path(key) + ": a string was expected");
        value = *found;
        return true;
    }
    bool flag(const char *key, bool &value) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<bool>();
        if (!found)
            refuse(*node, path(key) + ": true or false was expected");
        value = *found;
        return true;
    }
    template <class T>
    bool number(const char *key, T &value, std::uint64_t least, std::uint64_t most) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<std::int64_t>();
        if (!found || *found < 0 || static_cast<std::uint64_t>(*found) < least ||
            static_cast<std::uint64_t>(*found) > most)
            refuse(*node, path(key) + ": a whole number from " + std::to_string(least) + " to " +
                              std::to_string(most) + " was expected");
        value = static_cast<T>(*found);
        return true;
    }
    bool real(const char *key, double &value, double most) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value<double>();
        if (!found || !(*found > 0) || *found > most)
            refuse(*node,
                   path(key) + ": a number above 0 and up to " + fixed(most, 0) + " was expected");
        value = *found;
        return true;
    }
    // 4294967296 or "4G".
    bool size(const char *key, std::uint64_t &value) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        if (auto bytes = node->value_exact<std::int64_t>(); bytes && *bytes > 0) {
            value = static_cast<std::uint64_t>(*bytes);
            return true;
        }
        auto text = node->value_exact<std::string>();
        try {
            if (text) {
                value = parse_size(*text, key);
                return true;
            }
        } catch (const refused_error &) { // said below
        }
        refuse(*node, path(key) + ": a size such as \"4G\" or a number of bytes was expected");
    }
    template <class T>
    bool choice(const char *key, T &value, const std::vector<std::pair<const char *, T>> &choices) {
        std::string given, names;
        if (!text(key, given))
            return false;
        for (const auto &[name, meaning] : choices) {
            if (given == name) {
                value = meaning;
                return true;
            }
            names += (names.empty() ? "" : ", ") + std::string(name);
        }
        refuse(*table_.get(key),
               path(key) + " = \"" + given + "\": one of " + names + " was expected");
    }
    void finish() const {
        for (const auto &[key, node] : table_) {
            if (seen_.count(std::string(key.str())))
                continue;
            std::string names;
            for (const std::string &each : seen_)
                names += (names.empty() ? "" : ", ") + each;
            throw refused_error(file_ + ":" + std::to_string(key.source().begin.line) +
                                ": no key '" + path(std::string(key.str()).c_str()) +
                                "'; there are " + names);
        }
    }

  private:
    std::string file_, name_;
    const toml::table &table_;
    std::set<std::string> seen_;
};

const std::vector<std::pair<const char *, bounce_guest>> guests = {
    {"none", BOUNCE_GUEST_NONE}, {"sev-snp", BOUNCE_GUEST_SEV_SNP}, {"tdx", BOUNCE_GUEST_TDX}};
const std::vector<std::pair<const char *, bounce_arch>> arches = {{"x86", BOUNCE_ARCH_X86},
                                                                  {"arm64", BOUNCE_ARCH_ARM64}};
const std::vector<std::pair<const char *, models::arrival_mode>> arrivals = {
    {"trace", models::arrival_mode::trace},
    {"open", models::arrival_mode::open},
    {"closed", models::arrival_mode::closed}};
const std::vector<std::pair<const char *, bool>> completions = {{"recorded", true},
                                                                {"model", false}};
const std::vector<std::pair<const char *, models::on_full>> fulls = {
    {"requeue", models::on_full::requeue},
    {"drop", models::on_full::drop},
    {"fail", models::on_full::fail}};

template <class T>
std::string name_of(const std::vector<std::pair<const char *, T>> &choices, T value) {
    for (const auto &[name, meaning] : choices)
        if (meaning == value)
            return name;
    return "";
}

// Calls `read` with the table of that name, if there is one.
template <class Read>
void subtable(section &file, const std::string &path, const char *name, const Read &read) {
    const toml::node *node = file.find(name);
    if (!node)
        return;
    if (!node->is_table())
        file.refuse(*node, std::string(name) + ": a table was expected, [" + name + "]");
    section part(path, name, *node->as_table());
    read(part);
    part.finish();
}

void read_machine(section &in, platform &p) {
    in.text("kernel", p.kernel);
    in.number("cpus", p.cpus, 1, BOUNCE_MAX_CPUS);
    if (in.size("memory", p.machine.memory))
        p.run.memory_bytes = p.machine.memory;
    if (in.size("memory_below_4g", p.run.low_memory_bytes) &&
        p.run.low_memory_bytes > (std::uint64_t{1} << 32))
        in.refuse(*in.find("memory_below_4g"), "memory_below_4g: at most 4G was expected");
    in.choice("coco", p.machine.guest, guests);
    in.choice("arch", p.machine.arch, arches);
    if (p.machine.guest != BOUNCE_GUEST_NONE && p.machine.arch == BOUNCE_ARCH_ARM64)
        in.refuse(*in.find("arch"), "arch: guests with encrypted memory are modelled on x86 only");
    in.number("scattered_percent", p.run.scattered_percent, 0, 100);
    in.number("seed", p.run.seed, 0, INT64_MAX);
}

void read_pool(section &in, platform &p) {
    std::uint64_t bytes = 0;
    p.has_pool = in.number("slots", p.boot.nslabs, 1, 1u << 24);
    if (in.size("size", bytes)) {
        if (p.has_pool)
            in.refuse(*in.find("size"), "pool.size: pool.slots says it already; one is enough");
        p.boot.nslabs = std::max<std::uint64_t>(1, bytes >> BOUNCE_SLOT_SHIFT);
        p.has_pool = true;
    }
    p.has_pool = in.number("areas", p.boot.nareas, 1, 1u << 16) || p.has_pool;
    bool force = false;
    if (in.flag("force", force)) {
        p.force = force;
        p.boot.force = force;
    }
    in.size("start", p.pool_start);
    if (p.pool_start % 4096)
        in.refuse(*in.find("start"), "pool.start: a multiple of 4096 was expected");
    in.size("largest_below_4g", p.machine.low_memory);
    in.number("held_slots", p.run.held_slots, 0, 1u << 20);
}

void read_run(section &in, platform &p) {
    p.arrivals_told = in.choice("arrivals", p.run.arrivals, arrivals);
    in.choice("completions", p.run.recorded_service, completions);
    in.number("depth", p.run.depth, 1, 65536);
    in.real("time_scale", p.run.time_scale, 1e6);
    std::uint64_t ms = 0;
    if (in.number("watchdog_ms", ms, 1, 1000000000))
        p.run.watchdog_ns = ms * 1000000;
}

// [[bytes, ps], ...]
void read_curve(section &in, const char *key, models::cost_curve &curve) {
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

void read_costs(section &in, platform &p) {
    for (std::size_t i = 0; const models::cost_info *info = models::cost_at(i); i++) {
        if (info->value)
            in.number(info->key, p.timing.*(info->value), 0, 1000000000000);
        else
            read_curve(in, info->key, p.timing.*(info->curve));
    }
}

void read_iommu(section &in, platform &p) {
    models::iommu_config &config = p.path.iommu.emplace();
    for (std::size_t i = 0; const models::iommu_parameter *row = models::iommu_parameter_at(i);
         i++) {
        if (row->value)
            in.number(row->key, config.*(row->value), row->smallest, row->largest);
        else
            read_curve(in, row->key, config.*(row->curve));
    }
}

void read_encryption(section &in, platform &p) {
    models::encryption_config &config = *p.path.encryption;
    for (std::size_t i = 0;
         const models::encryption_parameter *row = models::encryption_parameter_at(i); i++)
        in.number(row->key, config.*(row->value), 0, row->largest);
}

std::string curve_text(const models::cost_curve &curve) {
    std::ostringstream out;
    out << "[";
    for (std::uint32_t k = 0; k < curve.count; k++)
        out << (k ? ", [" : "[") << curve.points[k].bytes << ", " << curve.points[k].ps << "]";
    return out.str() + "]";
}

std::uint64_t most_of(const std::string &key) {
    if (key == "dma_bits")
        return 64;
    if (key == "queues")
        return 65536;
    if (key == "depth" || key == "channels" || key == "ring_entries" || key == "max_segments")
        return 1u << 20;
    if (key == "iommu")
        return 2;
    if (key == "first_tries")
        return 100;
    if (key == "min_align_mask" || key == "gap_mask")
        return 65535;
    if (key == "header_bytes" || key == "status_bytes" || key == "descriptor_bytes" ||
        key == "coherent_bytes")
        return 4096;
    if (key == "ring_bytes")
        return 65536;
    return key == "seg_boundary" ? INT64_MAX : 1000000000000u;
}

void read_device(section &in, platform &p) {
    std::string match = "*", model = "nvme";
    in.text("match", match);
    in.text("model", model);
    const models::device_model *found = models::find_device_model(model);
    if (!found) {
        std::string names;
        for (std::size_t i = 0; const models::device_model *m = models::device_model_at(i); i++)
            names += (names.empty() ? "" : ", ") + std::string(m->name);
        in.refuse(*in.find("model"),
                  in.path("model") + " = \"" + model + "\": one of " + names + " was expected");
    }
    platform::rule rule = {match, *found};
    in.choice("full", rule.model.full, fulls);
    for (std::size_t i = 0; const models::device_key *key = models::device_key_at(i); i++) {
        std::string name = key->name;
        bool may_be_0 = rule.model.*(key->value) == 0 || name.find("_ns") != std::string::npos ||
                        name.find("mask") != std::string::npos || name == "queues" ||
                        name.rfind("max_segment_", 0) == 0 || name.rfind("max_request_", 0) == 0;
        in.number(key->name, rule.model.*(key->value), may_be_0 ? 0 : 1, most_of(name));
        std::uint64_t value = rule.model.*(key->value);
        bool mask = std::string(key->unit) == "mask";
        if (mask && (value & (value + 1)))
            in.refuse(*in.find(key->name),
                      in.path(key->name) + ": 2^n - 1 was expected, for instance 4095");
        if (name == "dma_bits" && value < 20)
            in.refuse(*in.find(key->name), in.path(key->name) + ": 20 to 64 was expected");
    }
    if (rule.model.seg_boundary < 2047)
        in.refuse(*in.find("seg_boundary"), in.path("seg_boundary") + ": at least 2047, one slot");
    if (rule.model.ring_entries && !rule.model.ring_bytes)
        in.refuse(*in.find("ring_entries"), in.path("ring_entries") + ": ring_bytes is missing");
    p.devices.push_back(rule);
}

std::string quoted(const std::string &text) {
    std::ostringstream out;
    out << toml::value<std::string>(text);
    return out.str();
}

} // namespace

platform read_platform_file(const std::string &path) {
    platform p;
    p.file = path;
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        throw refused_error(path + ": cannot be read; a platform file was expected");
    toml::table root;
    try {
        root = toml::parse(stream, path);
    } catch (const toml::parse_error &e) {
        throw refused_error(path + ":" + std::to_string(e.source().begin.line) + ": " +
                            std::string(e.description()) + "; TOML was expected");
    }
    section file(path, "", root);
    subtable(file, path, "machine", [&](section &in) { read_machine(in, p); });
    subtable(file, path, "pool", [&](section &in) { read_pool(in, p); });
    subtable(file, path, "run", [&](section &in) { read_run(in, p); });
    subtable(file, path, "costs", [&](section &in) { read_costs(in, p); });
    subtable(file, path, "iommu", [&](section &in) { read_iommu(in, p); });
    p.path.guest = p.machine.guest;
    if (p.machine.guest != BOUNCE_GUEST_NONE)
        p.path.encryption = models::encryption_config::of(p.machine.guest);
    subtable(file, path, "encryption", [&](section &in) {
        if (!p.path.encryption)
            file.refuse(*root.get("encryption"),
                        "encryption: machine.coco is missing; sev-snp or tdx was expected");
        read_encryption(in, p);
    });
    if (const toml::node *node = file.find("device")) {
        const toml::array *all = node->as_array();
        if (!all || !all->is_array_of_tables())
            file.refuse(*node, "device: tables were expected, each under [[device]]");
        for (const toml::node &each : *all) {
            section part(path, "device", *each.as_table());
            read_device(part, p);
            part.finish();
        }
    }
    if (p.has_iommu() && !p.path.iommu)
        p.path.iommu.emplace();
    if (!p.has_iommu() && p.path.iommu)
        file.refuse(*root.get("iommu"), "iommu: no device is behind it; iommu = 1 or 2 in a "
                                        "[[device]] was expected");
    file.finish();
    if ((p.machine.guest != BOUNCE_GUEST_NONE || p.machine.arch == BOUNCE_ARCH_ARM64) &&
        !p.machine.memory)
        throw refused_error(path + ": machine.memory is missing; coco and arm64 size the pool by "
                                   "it");
    return p;
}

std::string platform_text(const platform &p) {
    std::ostringstream out;
    out << "# bouncesim platform, see docs/platforms.md\n[machine]\n";
    if (!p.kernel.empty())
        out << "kernel = " << quoted(p.kernel) << "\n";
    if (p.cpus)
        out << "cpus = " << p.cpus << "\n";
    if (p.machine.memory)
        out << "memory = " << p.machine.memory << "\n";
    if (p.run.low_memory_bytes)
        out << "memory_below_4g = " << p.run.low_memory_bytes << "\n";
    out << "coco = \"" << name_of(guests, p.machine.guest) << "\"\narch = \""
        << name_of(arches, p.machine.arch) << "\"\nscattered_percent = " << p.run.scattered_percent
        << "\nseed = " << p.run.seed << "\n\n[pool]\n";
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
        << name_of(arrivals, p.run.arrivals) << "\"\ncompletions = \""
        << name_of(completions, p.run.recorded_service) << "\"\ndepth = " << p.run.depth
        << "\ntime_scale = " << scale.str()
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
        out << "\n[[device]]\nmatch = " << quoted(rule.match) << "\nmodel = \"" << rule.model.name
            << "\"\nfull = \"" << name_of(fulls, rule.model.full) << "\"\n";
        for (std::size_t i = 0; const models::device_key *key = models::device_key_at(i); i++)
            out << key->name << " = " << rule.model.*(key->value) << "\n";
    }
    return out.str();
}

#endif
} // namespace bouncesim
