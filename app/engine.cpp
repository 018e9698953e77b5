// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include "errors.hpp"
#ifdef BOUNCESIM_SYSTEMC
#include "fit.hpp"
#endif
#include "progress.hpp"
#include "text.hpp"

#include <charconv>
#include <cmath>
#include <memory>
#include <new>
#include <set>
#include <sstream>

#ifdef BOUNCESIM_SYSTEMC
#include "models/costs.hpp"
#include "models/mapping_engine.hpp"
#include "models/request_engine.hpp"
#endif

namespace bouncesim {
namespace json = boost::json;

po::options_description engine_option_table() {
    po::options_description table("Engine", 96, 60);
    auto add = table.add_options();
    add("engine", po::value<std::string>()->default_value("replay"),
        "replay (C, order and pool only) or systemc (adds simulated time)");
    add("costs", po::value<std::string>()->default_value("default"),
        "systemc: default (`bouncesim list costs`), or zero");
    add("cost", po::value<std::vector<std::string>>()->value_name("KEY=PS"),
        "systemc: one cost, in picoseconds");
    add_path_options(table);
#ifdef BOUNCESIM_SYSTEMC
    table.add(platform_option_table());
#endif
    return table;
}

#ifdef BOUNCESIM_SYSTEMC
namespace {

models::costs read_costs(const engine_options &options) {
    models::costs costs = options.zero_costs ? models::costs::zero() : options.machine.timing;
    for (const std::string &text : options.costs) {
        std::size_t at = text.find('=');
        const models::cost_info *info = models::find_cost(text.substr(0, at));
        if (!info || !info->value)
            throw refused_error("--cost " + text +
                                ": KEY=NUMBER was expected, keys as `bouncesim "
                                "list costs` shows them");
        std::uint64_t value = 0;
        const char *end = text.data() + text.size();
        auto parsed = std::from_chars(text.data() + std::min(at + 1, text.size()), end, value);
        if (at == std::string::npos || parsed.ec != std::errc() || parsed.ptr != end ||
            value > 1000000000000u)
            throw refused_error("--cost " + text + ": a number of " + info->unit +
                                " up to 1000000000000 was expected");
        costs.*(info->value) = value;
    }
    return costs;
}

} // namespace
#endif

engine_options read_engine_options(const po::variables_map &values) {
    engine_options options;
    options.name = values["engine"].as<std::string>();
    std::string costs = values["costs"].as<std::string>();
    if (options.name != "replay" && options.name != "systemc")
        throw refused_error("--engine " + options.name + ": replay or systemc was expected");
    if (costs != "default" && costs != "zero")
        throw refused_error("--costs " + costs + ": default or zero was expected");
    options.zero_costs = costs == "zero";
    if (values.count("cost"))
        options.costs = values["cost"].as<std::vector<std::string>>();
    options.path = read_path_options(values);
    if (options.name == "replay" && options.path.any())
        throw refused_error("--check-data and --iommu belong to --engine systemc");
    if (options.name == "replay" && (options.zero_costs || !options.costs.empty()))
        throw refused_error("--costs and --cost belong to --engine systemc");
#ifdef BOUNCESIM_SYSTEMC
    const po::options_description own = platform_option_table();
    for (const auto &each : own.options())
        if (options.name == "replay" && values.count(each->long_name()))
            throw refused_error("--" + each->long_name() + " belongs to --engine systemc");
    options.machine = read_platform(values);
    options.machine.timing = read_costs(options);
#endif
#ifndef BOUNCESIM_SYSTEMC
    if (options.name == "systemc")
        throw refused_error("--engine systemc: this build has no SystemC; install libsystemc-dev "
                            "and build again");
#endif
    return options;
}

namespace {

engine_result run_replay(trace_session &session, recorders &rows) {
    bounce_replay *made = nullptr;
    bounce_error error = {};
    bounce_replay_hooks hooks = rows.hooks();
    if (bounce_replay_create(&session.config().replay, &hooks, &made, &error))
        throw refused_error(error.text);
    std::unique_ptr<bounce_replay, void (*)(bounce_replay *)> replay(made, bounce_replay_destroy);
    progress_line progress(session);
    for (trace_session::batch batch = session.next(); batch.count; batch = session.next()) {
        rows.set_devices(session.devices());
        if (bounce_replay_run(made, session.devices().data(), batch.events, batch.count))
            throw std::bad_alloc();
        progress.update();
    }
    if (bounce_replay_finish(made, session.devices().data()))
        throw std::bad_alloc();
    check_throttled_devices(session.config().replay, session.devices());
    engine_result result;
    bounce_replay_stats(made, &result.stats);
    return result;
}

#ifdef BOUNCESIM_SYSTEMC

std::string timing_summary(const models::timing_stats &t, const bounce_stats &stats) {
    auto ns = [](double value) {
        return time_text(static_cast<std::uint64_t>(std::llround(value)));
    };
    if (!stats.events_maps)
        return "";
    return "Simulated time: a map took " + ns(t.map_p50_ns) + " in the middle, " +
           ns(t.map_p99_ns) + " at the 99th percentile, " + ns(t.map_max_ns) +
           " at most; copying " + ns(t.copy_ns) + " and waiting for locks " + ns(t.lock_wait_ns) +
           " of " + ns(t.cpu_busy_ns) + " CPU time.\n";
}

json::object requests_json(const models::request_stats &stats) {
    json::object out;
#define BOUNCESIM_ROW(type, name, unit, meaning) out[#name] = stats.name;
    BOUNCESIM_REQUEST_STATS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
    return out;
}

json::object timing_json(const models::timing_stats &timing) {
    json::object out;
#define BOUNCESIM_ROW(type, name, unit, meaning) out[#name] = timing.name;
    BOUNCESIM_TIMING_STATS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
    return out;
}

std::string requests_summary(const models::request_stats &r) {
    auto ns = [](double value) {
        return time_text(static_cast<std::uint64_t>(std::llround(value)));
    };
    std::string text =
        with_commas(r.completed) + " of " + with_commas(r.arrived) + " requests done";
    if (r.completed)
        text += ", in " + ns(r.latency_p50_ns) + " in the middle and " + ns(r.latency_max_ns) +
                " at most";
    auto add = [&](std::uint64_t count, const char *what) {
        if (count)
            text += ", " + with_commas(count) + " " + what;
    };
    add(r.split, "split for their devices");
    if (r.assumed_service < r.completed) // else the trace has no completions, and that is said
        add(r.assumed_service, "without an end in the trace (times of the models)");
    add(r.held, "waited for room");
    add(r.failed, "failed for lack of room");
    add(r.dropped, r.dropped == 1 ? "packet dropped" : "packets dropped");
    return text + ".\n";
}

// What stands between devices and memory, by options and platform.
models::path_config path_of(const trace_session &session, const engine_options &options) {
    const platform &machine = options.machine;
    models::path_config path =
        make_path(options.path, machine.path, session.options().machine.guest, options.zero_costs);
    if (options.path.iommu.empty() && path.iommu)
        path.use = [&machine,
                    format = std::string(session.format().name)](const bounce_device &device) {
            std::uint64_t use = machine.model_of(device.name, format).iommu;
            return use == 2   ? models::iommu_use::untrusted
                   : use == 1 ? models::iommu_use::trusted
                              : models::iommu_use::direct;
        };
    return path;
}

// A run that does not get on: what was watched until then is what its user wants to see.
[[noreturn]] void keep_watched(watchers *watching, std::uint64_t end_ps,
                               const models::engine_stalled &stalled) {
    std::string text = stalled.what();
    if (watching) {
        watching->finish(end_ps);
        watching->commit();
        std::istringstream lines(watching->summary());
        for (std::string line; std::getline(lines, line);)
            text += "\n  up to then: " + line;
    }
    throw models::engine_stalled(text);
}

// Plays the trace; what every engine tells of it.
engine_result play(models::engine &engine, trace_session &session, recorders &rows,
                   watchers *watching) {
    progress_line progress(session);
    auto end_ps = [&] { return static_cast<std::uint64_t>(engine.timing().simulated_ns * 1000); };
    try {
        engine.run(
            [&]() -> models::event_batch {
                trace_session::batch batch = session.next();
                rows.set_devices(session.devices());
                if (watching)
                    watching->set_devices(session.devices());
                progress.update();
                return {batch.events, batch.count, session.devices().data(),
                        session.devices().size()};
            },
            interrupted);
    } catch (const models::engine_stalled &stalled) {
        keep_watched(watching, end_ps(), stalled);
    }
    models::timing_stats timing = engine.timing();
    if (watching)
        watching->finish(end_ps());
    engine_result result;
    result.stats = engine.stats();
    result.timing = timing_json(timing);
    result.summary = timing_summary(timing, result.stats);
    return result;
}

void add_path(engine_result &result, const models::path_config &path,
              const models::path_stats &stats, const trace_session &session) {
    add_path_json(result.sections, path, stats, session.devices());
    result.summary += path_summary(path, stats, session.devices());
    result.data_wrong = !stats.check.clean();
}

// Errors in a configuration are the user's.
template <class Engine, class Config>
std::unique_ptr<Engine> make_engine(const Config &config, const bounce_replay_hooks &hooks) {
    try {
        return std::make_unique<Engine>(config, &hooks);
    } catch (const models::engine_config_error &e) {
        throw refused_error(e.what());
    }
}

// Traces of requests: they are made into mappings by the models of their devices.
engine_result run_requests(trace_session &session, const engine_options &options, recorders &rows,
                           watchers *watching) {
    bounce_replay_hooks hooks = rows.hooks();
    models::request_config config = options.machine.run;
    config.replay = session.config().replay;
    config.timing = options.machine.timing;
    config.path = path_of(session, options);
    config.watch = watching ? watching->activity() : nullptr;
    config.cpus = config.replay.pool.cpus;
    config.held_slots = session.config().others_slots;
    if (config.arrivals == models::arrival_mode::trace && session.config().assumed_service)
        config.arrivals = models::arrival_mode::open;
    if (config.held_slots > config.replay.pool.nslabs && !config.replay.pool.device_nslabs &&
        !bounce_kernel_grows(config.replay.pool.kernel))
        throw refused_error("others hold " + with_commas(config.held_slots) +
                            " slots of a pool of " + with_commas(config.replay.pool.nslabs) +
                            "; a larger pool or fewer --held-slots were expected");
    config.tells_requeues = bounce_trace_recorded(session.trace())->tells_requeues;
    config.service_ns = session.options().service_ns.value_or(UINT64_MAX);
    config.model = [&](std::uint32_t number) {
        const bounce_device &device = session.devices()[number];
        models::device_model model = options.machine.model_of(device.name, session.format().name);
        model.seg_boundary = device.seg_boundary; // --device may say another
        model.min_align_mask = device.min_align_mask;
        if (!options.path.iommu.empty()) // as if the platform said so: larger mappings may be had
            model.iommu = static_cast<std::uint64_t>(config.path.use(device));
        return model;
    };
    auto engine = make_engine<models::request_engine>(config, hooks);
    engine_result result = play(*engine, session, rows, watching);
    json::object part = requests_json(engine->requests());
    json::array devices;
    std::set<std::string> not_fitted;
    for (const bounce_device &device : session.devices()) {
        std::string model = options.machine.model_of(device.name, session.format().name).name;
        json::object row{{"name", device.name}, {"model", model}};
        if (!options.machine.fitted.empty()) {
            row["fitted"] = options.machine.has_fitted(model);
            if (!options.machine.has_fitted(model))
                not_fitted.insert(model);
        }
        devices.emplace_back(std::move(row));
    }
    part["devices"] = std::move(devices);
    part["held_slots"] = config.held_slots;
    result.sections["platform"] = std::move(part);
    result.summary = requests_summary(engine->requests()) + result.summary;
    for (const std::string &model : not_fitted)
        result.summary += "--fit: no " + model +
                          " completed a request in its trace; those here take as long as the "
                          "model says.\n";
    add_path(result, config.path, engine->path(), session);
    return result;
}

engine_result run_systemc(trace_session &session, const engine_options &options, recorders &rows,
                          watchers *watching) {
    if (session.config().replay.throttle)
        throw refused_error("--throttle belongs to --engine replay");
    if (session.config().requests)
        return run_requests(session, options, rows, watching);
    const platform &machine = options.machine;
    if (!machine.request_option.empty())
        throw refused_error("--" + machine.request_option +
                            ": belongs to traces of requests, and this one has mappings; --only "
                            "block takes the requests of a trace that has both");
    bounce_replay_hooks hooks = rows.hooks();
    models::engine_config config;
    config.replay = session.config().replay;
    config.timing = machine.timing;
    config.cpus = session.config().replay.pool.cpus;
    config.path = path_of(session, options);
    config.watch = watching ? watching->activity() : nullptr;
    auto engine = make_engine<models::mapping_engine>(config, hooks);
    engine_result result = play(*engine, session, rows, watching);
    add_path(result, config.path, engine->path(), session);
    if (!machine.file.empty())
        result.summary +=
            "The trace has mappings: of the platform's devices only DMA limits count, "
            "and [requests] does not; --only block plays the requests of a trace "
            "that has both.\n";
    if (!session.timed())
        result.summary += "The trace has no times: 1 us an operation is assumed, so simulated "
                          "times mean little.\n";
    return result;
}

#endif

} // namespace

void apply_engine(engine_options &engine, const po::variables_map &values,
                  simulation_options &options) {
#ifdef BOUNCESIM_SYSTEMC
    if (engine.name != "systemc")
        return;
    platform &machine = engine.machine;
    if (values.count("fit"))
        fit_platform(machine, options, values["fit"].as<std::string>(), values.count("fit-draws"));
    apply_platform(machine, values, options);
    options.raw_requests = true;
    options.all_by_iommu = !engine.path.iommu.empty();
    options.some_by_iommu = machine.has_iommu();
    options.shape = [&machine](bounce_device &device, const char *format) {
        machine.model_of(device.name, format).shape(device);
    };
#else
    (void)engine;
    (void)values;
    (void)options;
#endif
}

engine_result run_engine(trace_session &session, const engine_options &options, recorders &rows,
                         watchers *watching) {
#ifdef BOUNCESIM_SYSTEMC
    if (options.name == "systemc")
        return run_systemc(session, options, rows, watching);
#endif
    (void)options;
    (void)watching;
    return run_replay(session, rows);
}

} // namespace bouncesim
