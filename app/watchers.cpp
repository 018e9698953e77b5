// SPDX-License-Identifier: Apache-2.0
#include "watchers.hpp"

#include "errors.hpp"
#ifdef BOUNCESIM_SYSTEMC
#include "trace_events.hpp"
#include "vcd.hpp"
#endif

#include <sstream>

namespace bouncesim {

po::options_description watch_option_table() {
    po::options_description table("Seeing it (systemc)", 96, 60);
    auto text = [](const char *name) { return po::value<std::string>()->value_name(name); };
    auto add = table.add_options();
    add("trace-out", text("FILE"),
        "CPUs, area locks, devices and the pool over time, in the JSON format of Perfetto and "
        "Chrome (.gz, .xz, .zst)");
    add("vcd", text("FILE"), "signals of the same as a VCD file, for gtkwave");
    add("vcd-signals", text("PATTERN[,PATTERN...]"),
        "which, for instance pool.*,area0.locked (default: all of them)");
    add("trace-from", text("TIME"), "both: from that simulated time on: 1.5s, 200ms, 30us, or ns");
    add("trace-to", text("TIME"), "both: up to that time");
    return table;
}

watch_options read_watch_options(const po::variables_map &values, const std::string &engine) {
    watch_options options;
    auto text = [&](const char *name) {
        return values.count(name) ? values[name].as<std::string>() : std::string();
    };
    for (const char *name : {"trace-out", "vcd", "vcd-signals", "trace-from", "trace-to"})
        if (engine != "systemc" && values.count(name))
            throw refused_error("--" + std::string(name) + " belongs to --engine systemc");
    options.events = text("trace-out");
    options.vcd = text("vcd");
    if (values.count("vcd-signals") && options.vcd.empty())
        throw refused_error("--vcd-signals belongs to --vcd");
    for (const char *name : {"trace-from", "trace-to"})
        if (values.count(name) && !options.any())
            throw refused_error("--" + std::string(name) + " belongs to --trace-out or --vcd");
    std::istringstream patterns(text("vcd-signals"));
    for (std::string item; std::getline(patterns, item, ',');)
        if (!item.empty())
            options.signals.push_back(item);
    if (values.count("vcd-signals") && options.signals.empty())
        throw refused_error("--vcd-signals: names with commas were expected");
    if (values.count("trace-from"))
        options.from_ns = parse_time(text("trace-from"), "trace-from");
    if (values.count("trace-to"))
        options.to_ns = parse_time(text("trace-to"), "trace-to");
    if (options.to_ns <= options.from_ns)
        throw refused_error("--trace-to " + text("trace-to") +
                            ": a time after --trace-from was expected");
    return options;
}

#ifdef BOUNCESIM_SYSTEMC

namespace {

class several final : public models::activity {
  public:
    explicit several(const std::vector<std::unique_ptr<watcher>> &files) : files_(files) {}

    void now(std::uint64_t time_ps) override {
        for (auto &each : files_)
            each->now(time_ps);
    }
    void phase(std::uint32_t cpu, models::cpu_phase what, std::uint64_t begin_ps,
               std::uint64_t end_ps) override {
        for (auto &each : files_)
            each->phase(cpu, what, begin_ps, end_ps);
    }
    void lock(const models::lock_report &report) override {
        for (auto &each : files_)
            each->lock(report);
    }
    void call(const models::call_report &report) override {
        for (auto &each : files_)
            each->call(report);
    }
    void transfer(const models::transfer_report &report) override {
        for (auto &each : files_)
            each->transfer(report);
    }
    void given(const models::work_report &report) override {
        for (auto &each : files_)
            each->given(report);
    }
    void done(std::uint32_t key, std::uint64_t time_ps) override {
        for (auto &each : files_)
            each->done(key, time_ps);
    }
    void waits(const models::work_report &report) override {
        for (auto &each : files_)
            each->waits(report);
    }
    void pool(std::uint64_t time_ps, const bounce_swiotlb &mem) override {
        for (auto &each : files_)
            each->pool(time_ps, mem);
    }
    void full(std::uint64_t time_ps, const bounce_event &event, const bounce_map_result &result,
              const bounce_pressure &pressure) override {
        for (auto &each : files_)
            each->full(time_ps, event, result, pressure);
    }
    void restart(std::uint64_t time_ps) override {
        for (auto &each : files_)
            each->restart(time_ps);
    }

  private:
    const std::vector<std::unique_ptr<watcher>> &files_;
};

} // namespace

watchers::watchers(const watch_options &options, const bounce_swiotlb_config &pool) {
    if (!options.events.empty())
        files_.push_back(std::make_unique<trace_events>(options, pool, devices_));
    if (!options.vcd.empty())
        files_.push_back(std::make_unique<vcd>(options, pool, devices_));
    if (files_.size() > 1)
        all_ = std::make_unique<several>(files_);
    head_ = all_ ? all_.get() : files_.empty() ? nullptr : files_.front().get();
}

void watchers::finish(std::uint64_t end_ps) {
    for (auto &each : files_)
        each->finish(end_ps);
}

void watchers::commit() {
    for (auto &each : files_)
        each->commit();
}

std::string watchers::summary() const {
    std::string text;
    for (auto &each : files_)
        text += each->summary();
    return text;
}

#endif

} // namespace bouncesim
