// SPDX-License-Identifier: Apache-2.0
// bouncesim info: what is in a trace, without a replay.
#include "commands.hpp"
#include "errors.hpp"
#include "info.hpp"
#include "output.hpp"
#include "progress.hpp"

#include <iostream>
#include <new>

namespace bouncesim {
namespace {

trace_info read_info(const simulation_options &options, std::shared_ptr<bounce_evidence> evidence) {
    trace_info info;
    info.session = std::make_unique<trace_session>(options, std::move(evidence));
    trace_session &session = *info.session;
    const resolved_config &config = session.config();
    const bounce_recorded_config &recorded = session.recorded();
    const bounce_profile_config wanted = {config.replay.force, config.replay.allocator_calls,
                                          recorded.bounces && !recorded.guessed_force,
                                          config.assumed_service, config.service_ns};
    bounce_profile *made = nullptr;
    if (bounce_profile_create(&wanted, &made, nullptr))
        throw std::bad_alloc();
    info.profile.reset(made);
    progress_line progress(session);
    for (;;) {
        trace_session::batch batch = session.next_recorded();
        if (!batch.count)
            break;
        if (bounce_profile_add(made, session.devices().data(), batch.events, batch.count))
            throw std::bad_alloc();
        progress.update();
    }
    if (bounce_profile_finish(made, session.counts().span_ns))
        throw std::bad_alloc();
    return info;
}

} // namespace

int cmd_info(const arguments &args) {
    const char *usage = "info TRACE... [OPTION...]";
    po::options_description own("Output", 96, 60), all;
    auto file = [] { return po::value<std::string>()->value_name("FILE"); };
    own.add_options()("json", file(), "all of it as one object (schema bouncesim-info/1)")(
        "histograms", file(),
        "sizes, lifetimes and arrivals as TOML, from which `gen` makes "
        "traces of this kind");
    all.add(own).add(trace_option_table());
    po::variables_map values;
    if (!parse_options(args, usage, all, "trace", -1, values))
        return exit_done;
    simulation_options options = read_trace_options(values);
    auto name = [&](const char *option) {
        return values.count(option) ? values[option].as<std::string>() : std::string();
    };
    std::string json_name = name("json"), histogram_name = name("histograms");
    if (json_name == "-" && histogram_name == "-")
        throw refused_error("only one output can go to standard output (-)");

    watch_interrupts();
    std::optional<output_file> json_file, histograms;
    if (!json_name.empty())
        json_file.emplace(json_name);
    if (!histogram_name.empty())
        histograms.emplace(histogram_name);
    trace_info info = read_info(options, nullptr);
    if (info.session->contradicted() && info.session->rewindable()) {
        auto evidence = info.session->evidence();
        info = read_info(options, std::move(evidence));
    }
    check_named_devices(options.devices, info.session->devices());
    if (json_file) {
        json_file->write(pretty(info_json(info)));
        json_file->commit();
    }
    if (histograms) {
        histograms->write(histogram_file(info));
        histograms->commit();
    }
    if (!options.quiet && json_name != "-" && histogram_name != "-")
        print_info(std::cout, info);
    return exit_done;
}

} // namespace bouncesim
