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
    if (values.count("trace")) {
        simulation_options options = read_simulation_options(values);
        apply_engine(engine, values, options);
        trace_session session(options);
        const bounce_replay_config &used = session.config().replay;
        p.kernel = values["kernel"].as<std::string>();
        if (p.kernel.rfind("tree:", 0) != 0)
            p.kernel = used.pool.kernel->name;
        p.cpus = used.pool.cpus;
        p.machine = options.machine;
        p.boot = {used.pool.nslabs, used.pool.nareas, used.force, false};
        p.force = used.force;
        p.pool_start = used.pool.start;
        for (const bounce_device &device : session.devices())
            if (session.config().requests)
                p.devices.push_back({device.name, p.model_of(device.name, session.format().name)});
    }
    for (const models::device_model &model : p.fitted)
        if (!values.count("trace") || p.usual_model == model.name)
            p.devices.push_back({"*", model});
    if (!p.usual_model.empty())
        p.devices.push_back({"*", *models::find_device_model(p.usual_model)});
    std::cout << platform_text(p);
    return exit_done;
}

} // namespace bouncesim
