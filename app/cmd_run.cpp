// SPDX-License-Identifier: Apache-2.0
// bouncesim run: one trace, one configuration.
#include "commands.hpp"
#include "engine.hpp"
#include "errors.hpp"
#include "kernel_tree_backend.hpp"
#include "output.hpp"
#include "recorders.hpp"
#include "recording_report.hpp"
#include "report.hpp"
#include "session.hpp"
#include "summary.hpp"
#include "watchers.hpp"

#include <iostream>

namespace bouncesim {
namespace {

struct run_outputs {
    recorders::names rows;
    std::string json;
    std::string directory;
    watch_options watch;

    bool claims_stdout() const {
        return rows.mappings == "-" || rows.fulls == "-" || rows.timeline == "-" ||
               rows.exposure == "-" || rows.lifetimes == "-" || json == "-" ||
               watch.claims_stdout();
    }
};

run_outputs read_outputs(const po::variables_map &values, const std::string &engine) {
    run_outputs out;
    auto text = [&](const char *name) {
        return values.count(name) ? values[name].as<std::string>() : std::string();
    };
    out.json = text("json");
    out.rows = {text("mappings"), text("fulls"),     text("timeline"),
                text("exposure"), text("lifetimes"), false};
    out.directory = text("out");
    out.watch = read_watch_options(values, engine);
    int on_stdout = (out.json == "-") + (out.rows.mappings == "-") + (out.rows.fulls == "-") +
                    (out.rows.timeline == "-") + (out.rows.exposure == "-") +
                    (out.rows.lifetimes == "-") + (out.watch.events == "-") +
                    (out.watch.vcd == "-");
    if (on_stdout > 1)
        throw refused_error("only one output can go to standard output (-)");
    return out;
}

struct run_result {
    bounce_stats stats;
    bool contradicted = false;
    bool data_wrong = false;
    std::shared_ptr<bounce_evidence> evidence;
};

run_result run_once(const simulation_options &options, const engine_options &engine,
                    const run_outputs &wanted, std::shared_ptr<bounce_evidence> evidence) {
    trace_session session(options, std::move(evidence));
    std::optional<output_directory> directory;
    run_outputs out = wanted;
    out.rows.whole = out.watch.whole = session.may_be_contradicted() && session.rewindable();
    if (!out.directory.empty()) {
        directory.emplace(out.directory);
        auto fill = [&](std::string &name, const char *file) {
            if (name.empty())
                name = directory->file(file);
        };
        fill(out.json, "result.json");
        fill(out.rows.mappings, "mappings.csv");
        fill(out.rows.fulls, "fulls.csv");
        fill(out.rows.timeline, "timeline.csv");
        fill(out.rows.lifetimes, "lifetimes.csv");
        if (bounce_exposure_supports(&session.config().replay.pool))
            fill(out.rows.exposure, "exposure.csv");
    }
    std::optional<output_file> json_file;
    if (!out.json.empty())
        json_file.emplace(out.json);
    recorders rows(out.rows, session.config().replay);

    std::optional<watchers> watching;
    if (out.watch.any())
        watching.emplace(out.watch, session.config().replay.pool);

    engine_result result =
        run_engine(session, engine, rows, watching ? &watching.value() : nullptr);
    check_kernel_trees();
    check_named_devices(session.options().devices, session.devices());
    for (const std::string &name : engine.path.untrusted)
        if (name != "*")
            check_device_name("--untrusted", name, session.devices());
    run_result done{result.stats, session.contradicted() && session.rewindable(), result.data_wrong,
                    session.evidence()};
    if (done.contradicted)
        return done;

    rows.finish();
    if (json_file) {
        json::object object{{"schema", "bouncesim-run/1"}, {"version", BOUNCESIM_VERSION}};
        object["trace"] = trace_json(session);
        object["order"] = order_json(session);
        if (session.config().recorded.grew)
            object["growth"] = growth_json(session);
        object["config"] = config_json(session.config(), session.devices(), engine.name.c_str());
        for (auto &item : stats_json(result.stats))
            object[item.key()] = std::move(item.value());
        add_recording_json(session, object);
        if (rows.exposure())
            object["exposure"] = exposure_json(*rows.exposure(), session.devices());
        if (!result.timing.empty())
            object["timing"] = std::move(result.timing);
        for (auto &item : result.sections)
            object[item.key()] = std::move(item.value());
        json_file->write(pretty(object));
        json_file->commit();
    }
    rows.commit();
    if (watching)
        watching->commit();
    if (directory)
        directory->keep();
    if (!options.quiet && !out.claims_stdout()) {
        print_summary(std::cout, session, result.stats, rows.exposure());
        std::cout << result.summary << (watching ? watching->summary() : "");
        if (directory)
            std::cout << "Results are in " << wanted.directory << ".\n";
    }
    return done;
}

} // namespace

int cmd_run(const arguments &args) {
    const char *usage = "run TRACE... [OPTION...]";
    po::options_description own("Output", 96, 60), all;
    auto file = [] { return po::value<std::string>()->value_name("FILE"); };
    auto add = own.add_options();
    add("json", file(), "the result as one object (schema bouncesim-run/1)");
    add("mappings", file(), "one CSV row a map");
    add("timeline", file(), "pool state over time, CSV");
    add("fulls", file(), "one CSV row a full event, with its cause");
    add("exposure", file(), "one CSV row a device: stale and foreign bytes that it could reach");
    add("lifetimes", file(), "how long bounced mappings lived, as a histogram: CSV");
    add("out", po::value<std::string>()->value_name("DIR"), "all six, into a directory");
    add("fail-on-full", "exit status 3 when a map found the pool full");
    all.add(engine_option_table()).add(own).add(watch_option_table());
    all.add(simulation_option_table());
    po::variables_map values;
    if (!parse_options(args, usage, all, "trace", -1, values))
        return exit_done;
#ifdef BOUNCESIM_SYSTEMC
    if (values.count("print-config"))
        return print_platform(values);
#endif
    simulation_options options = read_simulation_options(values);
    engine_options engine = read_engine_options(values);
    apply_engine(engine, values, options);
    run_outputs outputs = read_outputs(values, engine.name);

    watch_interrupts();
    run_result result = run_once(options, engine, outputs, nullptr);
    if (result.contradicted) // the first events misled: once more, knowing all of them
        result = run_once(options, engine, outputs, result.evidence);
    bool full = values.count("fail-on-full") && result.stats.events_full;
    return full || result.data_wrong ? exit_regression : exit_done;
}

} // namespace bouncesim
