// SPDX-License-Identifier: Apache-2.0
#include "platform.hpp"

#include "errors.hpp"
#include "kernel_tree.hpp"

namespace bouncesim {
namespace {

bool starts(const std::string &text, const char *with) {
    return text.rfind(with, 0) == 0;
}

const char *inferred_model(const std::string &device, const std::string &format) {
    // Converted captures name theirs net, too.
    static const struct {
        const char *prefix, *model;
    } names[] = {
        {"usb", "xhci-storage"}, {"net", "virtio-net"},  {"eth", "virtio-net"},
        {"en", "virtio-net"},    {"wl", "virtio-net"},   {"252:", "virtio-blk"},
        {"253:", "virtio-blk"},  {"254:", "virtio-blk"}, {"vd", "virtio-blk"},
        {"8:", "ahci"},          {"sd", "ahci"},
    };
    if (format == "usbmon")
        return "xhci-storage";
    if (format == "pcap")
        return "virtio-net";
    for (const auto &each : names)
        if (starts(device, each.prefix))
            return each.model;
    return "nvme";
}

std::uint32_t number(const po::variables_map &values, const char *name, std::uint32_t most) {
    std::uint32_t value = values[name].as<std::uint32_t>();
    if (value > most)
        throw refused_error("--" + std::string(name) + " " + std::to_string(value) + ": at most " +
                            std::to_string(most) + " was expected");
    return value;
}

// open, trace, closed or closed:DEPTH
void read_arrivals(const std::string &text, models::request_config &run) {
    if (text == "open") {
        run.arrivals = models::arrival_mode::open;
    } else if (text == "trace") {
        run.arrivals = models::arrival_mode::trace;
    } else if (starts(text, "closed")) {
        run.arrivals = models::arrival_mode::closed;
        if (text.size() > 6) {
            std::size_t used = 0;
            unsigned long depth = 0;
            try {
                depth = text[6] == ':' ? std::stoul(text.substr(7), &used) : 0;
            } catch (const std::exception &) {
                depth = 0;
            }
            if (!depth || depth > 65536 || used != text.size() - 7)
                throw refused_error("--arrivals " + text +
                                    ": closed:DEPTH with a depth from 1 to 65536 was expected");
            run.depth = static_cast<std::uint32_t>(depth);
        }
    } else {
        throw refused_error("--arrivals " + text +
                            ": trace, open, closed or closed:DEPTH was expected");
    }
}

} // namespace

bool platform::has_fitted(const std::string &model) const {
    for (const models::device_model &each : fitted)
        if (each.name == model)
            return true;
    return false;
}

bool platform::has_iommu() const {
    for (const rule &each : devices)
        if (each.model.iommu)
            return true;
    return false;
}

const models::device_model &platform::model_of(const std::string &device,
                                               const std::string &format) const {
    for (const rule &each : devices)
        if (each.match == device || each.match == "*")
            return each.model;
    const char *name = usual_model.empty() ? inferred_model(device, format) : usual_model.c_str();
    for (const models::device_model &model : fitted)
        if (std::string(model.name) == name)
            return model;
    return *models::find_device_model(name);
}

void check_platform(const platform &p) {
    if (std::string wrong = p.path.iommu ? p.path.iommu->check() : ""; !wrong.empty())
        throw refused_error(p.file + ": iommu." + wrong);
    if (!p.kernel.empty())
        find_kernel(p.kernel, (p.file + ": machine.kernel").c_str());
}

po::options_description platform_option_table() {
    po::options_description table("Platform (--engine systemc, traces of requests)", 96, 60);
    auto add = table.add_options();
    auto text = [](const char *name) { return po::value<std::string>()->value_name(name); };
    auto count = [](const char *name) { return po::value<std::uint32_t>()->value_name(name); };
    add("platform", text("FILE.toml"),
        "the machine: see docs/platforms.md and workloads/platforms");
    add("print-config", "print the whole configuration as a platform file, and do nothing");
    add("device-model", text("NAME"),
        "of devices that the platform does not name (`bouncesim list devices`)");
    add("arrivals", text("trace|open|closed[:DEPTH]"),
        "requests come after as many completions as in the trace, at its times, or at a fixed "
        "depth for each device");
    add("completions", text("recorded|model"),
        "devices take as long as they did when recorded, or as their models say");
    add("fit", text("TRACE"),
        "devices take as long as those of another trace did, by size; implies --completions model");
    add("fit-draws", "with --fit: drawn from the times there, in place of a line through them: for "
                     "the lifetimes "
                     "of single buffers");
    add("time-scale", po::value<double>()->value_name("X"), "multiplies recorded times");
    add("scattered", count("PERCENT"),
        "buffers of 128 KiB that are not one piece of memory (default 20)");
    add("seed", po::value<std::uint64_t>()->value_name("N"),
        "of where buffers lie, and of --fit-draws (default 1)");
    add("watchdog", count("MS"),
        "simulated time without progress after which the run is given up (default 10000)");
    return table;
}

platform read_platform(const po::variables_map &values) {
    platform p;
    if (values.count("platform"))
        check_platform(p = read_platform_file(values["platform"].as<std::string>()));
    for (const char *name :
         {"arrivals", "completions", "fit", "time-scale", "scattered", "seed", "watchdog"})
        if (values.count(name))
            p.request_option = name;
    if (values.count("device-model")) {
        p.usual_model = values["device-model"].as<std::string>();
        if (!models::find_device_model(p.usual_model))
            throw refused_error("--device-model " + p.usual_model +
                                ": not known; `bouncesim list devices` shows them");
    }
    if (values.count("arrivals")) {
        read_arrivals(values["arrivals"].as<std::string>(), p.run);
        p.arrivals_told = true;
    }
    if (values.count("completions")) {
        std::string how = values["completions"].as<std::string>();
        if (how != "recorded" && how != "model")
            throw refused_error("--completions " + how + ": recorded or model was expected");
        p.run.recorded_service = how == "recorded";
    }
    if (values.count("fit-draws") && !values.count("fit"))
        throw refused_error("--fit-draws: --fit TRACE was expected, whose times are drawn from");
    if (values.count("fit")) {
        if (values.count("completions") && p.run.recorded_service)
            throw refused_error("--fit with --completions recorded: one of them decides how long "
                                "devices take");
        p.run.recorded_service = false;
    }
    if (!p.arrivals_told && !p.run.recorded_service) // counts of completions tell nothing then
        p.run.arrivals = models::arrival_mode::open;
    if (values.count("time-scale")) {
        p.run.time_scale = values["time-scale"].as<double>();
        if (!(p.run.time_scale > 0) || p.run.time_scale > 1e6)
            throw refused_error("--time-scale: a number above 0 and up to 1000000 was expected");
    }
    if (values.count("scattered"))
        p.run.scattered_percent = number(values, "scattered", 100);
    if (values.count("seed"))
        p.run.seed = values["seed"].as<std::uint64_t>();
    if (values.count("watchdog") && !number(values, "watchdog", 1000000000))
        throw refused_error("--watchdog 0: at least 1 was expected");
    if (values.count("watchdog"))
        p.run.watchdog_ns = std::uint64_t{number(values, "watchdog", 1000000000)} * 1000000;
    return p;
}

void apply_platform(const platform &p, const po::variables_map &values,
                    simulation_options &options) {
    bool machine_told = options.machine.memory || options.machine.low_memory;
    if (!p.kernel.empty() && values["kernel"].defaulted()) {
        options.kernel = find_kernel(p.kernel, (p.file + ": machine.kernel").c_str());
        options.kernel_told = true;
    }
    if (p.cpus && !options.cpus)
        options.cpus = p.cpus;
    if (!machine_told && p.machine.memory &&
        (p.machine.guest != BOUNCE_GUEST_NONE || p.machine.arch != BOUNCE_ARCH_X86))
        options.machine = p.machine;
    else if (!machine_told && p.machine.low_memory)
        options.machine.low_memory = p.machine.low_memory;
    if (p.has_pool && !options.boot)
        options.boot = p.boot;
    if (!options.force)
        options.force = p.force;
    options.usually_held = p.run.held_slots;
    if (p.pool_start && !options.start)
        options.start = p.pool_start;
}

} // namespace bouncesim
