// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include "errors.hpp"
#include "progress.hpp"

#include <memory>
#include <new>

namespace bouncesim {

po::options_description engine_option_table() {
    po::options_description table("Engine", 96, 60);
    auto add = table.add_options();
    add("engine", po::value<std::string>()->default_value("replay"), "replay or systemc");
    return table;
}

engine_options read_engine_options(const po::variables_map &values) {
    engine_options options;
    options.name = values["engine"].as<std::string>();
    if (options.name != "replay")
        throw refused_error("--engine " + options.name + ": replay was expected");
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
    engine_result result;
    bounce_replay_stats(made, &result.stats);
    return result;
}

} // namespace

engine_result run_engine(trace_session &session, const engine_options &options, recorders &rows) {
    (void)options;
    return run_replay(session, rows);
}

} // namespace bouncesim
