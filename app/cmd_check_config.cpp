// SPDX-License-Identifier: Apache-2.0
// bouncesim check-config: reads platform files, simulates nothing; and what --print-config prints.
#include "engine.hpp"
#include "errors.hpp"
#include "platform.hpp"
#include "session.hpp"

#include <iostream>

namespace bouncesim {
namespace {

// Rules behind one that takes their devices.
void print_unreached(const platform &p) {
    for (std::size_t i = 0; i < p.devices.size(); i++)
        for (std::size_t k = 0; k < i; k++)
            if (p.devices[k].match == "*" || p.devices[k].match == p.devices[i].match) {
                std::cout << p.file << ": note: [[device]] " << i + 1 << ", \""
                          << p.devices[i].match << "\", is never reached: [[device]] " << k + 1
                          << ", \"" << p.devices[k].match << "\", decides before it\n";
                break;
            }
}

// What options say of the machine goes before what the file says.
void take_options(platform &p, const po::variables_map &values, const simulation_options &options) {
    if (!values["kernel"].defaulted())
        p.kernel = values["kernel"].as<std::string>();
    std::uint64_t memory = p.machine.memory, low_memory = p.machine.low_memory;
    p.machine = options.machine;
    p.machine.memory = p.machine.memory ? p.machine.memory : memory;
    p.machine.low_memory = p.machine.low_memory ? p.machine.low_memory : low_memory;
    p.cpus = options.cpus ? options.cpus : p.cpus;
    p.boot = options.boot.value_or(p.boot);
    if (options.boot && options.boot->force) // without it the trace decides
        p.force = true;
    else
        p.force = options.force;
    p.pool_start = options.start ? options.start : p.pool_start;
    p.run.held_slots = options.held_slots.value_or(p.run.held_slots);
}

// What follows from a trace: the pool as it would be, and the devices that it names. They go first,
// as rules for any other device come behind them.
void take_trace(platform &p, const engine_options &engine, trace_session &session) {
    const bounce_replay_config &used = session.config().replay;
    if (p.kernel.rfind("tree:", 0) != 0)
        p.kernel = used.pool.kernel->name;
    p.cpus = used.pool.cpus;
    p.boot = {used.pool.nslabs, used.pool.nareas, used.force, false};
    p.force = used.force;
    p.pool_start = used.pool.start;
    if (session.config().requests)
        p.run.held_slots = session.config().others_slots;
    if (!session.config().requests && !engine.path.iommu.empty())
        throw refused_error("--print-config with --iommu: a platform has devices of requests; "
                            "this trace has mappings");
    models::path_config path = make_path(engine.path, p.path, p.machine.guest, engine.zero_costs);
    if (path.use)
        p.path.iommu = path.iommu;
    p.path.encryption = path.encryption;
    p.path.guest = p.machine.guest;
    while (session.next_recorded().count)
        continue; // devices may come late
    std::vector<platform::rule> named;
    for (const bounce_device &device : session.devices()) {
        if (!session.config().requests)
            break;
        named.push_back({device.name, p.model_of(device.name, session.format().name)});
        if (path.use)
            named.back().model.iommu = static_cast<std::uint64_t>(path.use(device));
    }
    p.devices.insert(p.devices.begin(), named.begin(), named.end());
}

} // namespace

int cmd_check_config(const arguments &args) {
    po::options_description own("Options");
    own.add_options()("quiet,q", "print nothing when all is well")("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "check-config FILE.toml... [--quiet]", own, "file", -1, values))
        return exit_done;
    if (!values.count("file"))
        throw refused_error("no platform file given; `bouncesim check-config FILE.toml`");
    for (const std::string &path : values["file"].as<std::vector<std::string>>()) {
        platform read = read_platform_file(path);
        check_platform(read);
        if (values.count("quiet"))
            continue;
        std::cout << path << ": good, " << read.devices.size() << " device"
                  << (read.devices.size() == 1 ? "" : "s") << '\n';
        print_unreached(read);
    }
    return exit_done;
}

// With a trace also what follows from it.
int print_platform(const po::variables_map &values) {
    engine_options engine = read_engine_options(values);
    platform &p = engine.machine;
    if (engine.name != "systemc")
        throw refused_error("--print-config belongs to --engine systemc");
    if (values.count("fit-draws"))
        throw refused_error("--print-config with --fit-draws: a platform file has lines, not the "
                            "times to draw from; --fit alone was expected");
    bool traced = values.count("trace") > 0;
    po::variables_map told = values;
    if (!traced) // every other option can be read without one
        told.insert({"trace", po::variable_value(std::vector<std::string>{"-"}, false)});
    if (!traced && !engine.path.iommu.empty())
        throw refused_error("--print-config with --iommu: which devices are behind it follows from "
                            "a trace, and none was given");
    simulation_options options = read_simulation_options(told);
    apply_engine(engine, told, options);
    take_options(p, values, options);
    if (traced) {
        trace_session session(options);
        take_trace(p, engine, session);
    }
    for (const models::device_model &model : p.fitted)
        if (!traced || p.usual_model == model.name)
            p.devices.push_back({"*", model});
    if (!p.usual_model.empty())
        p.devices.push_back({"*", *models::find_device_model(p.usual_model)});
    std::cout << platform_text(p);
    return exit_done;
}

} // namespace bouncesim
