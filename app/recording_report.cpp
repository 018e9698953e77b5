// SPDX-License-Identifier: Apache-2.0
#include "recording_report.hpp"

#include "text.hpp"

namespace bouncesim {
namespace {

namespace json = boost::json;

// "719 recorded, 719 replayed", with the difference where there is one.
std::string beside(std::uint64_t recorded, std::uint64_t replayed,
                   const std::string &how = " replayed") {
    std::string text = with_commas(recorded) + " recorded, " + with_commas(replayed) + how;
    if (recorded == replayed || !recorded)
        return text;
    double part = (static_cast<double>(replayed) - static_cast<double>(recorded)) * 100.0 /
                  static_cast<double>(recorded);
    return text + " (" + (part > 0 ? "+" : "") + fixed(part, 1) + " %)";
}

// The kernel's mark takes in what other devices mapped.
std::string requests_mark_text(const trace_session &session, const recording &told,
                               const bounce_stats &stats) {
    if (!told.end.used_hiwater || told.end.used_hiwater == told.begin.used_hiwater ||
        told.overwritten)
        return "";
    std::uint64_t recorded = *told.end.used_hiwater;
    if (session.config().replay.pool.nslabs != told.pool().nslabs)
        return "high-water " + with_commas(recorded) + " recorded, with another pool";
    const std::string how = " made of the requests";
    std::string text = "high-water " + beside(recorded, stats.swiotlb_used_hiwater, how);
    if (told.end.used.value_or(0) > stats.swiotlb_used)
        text += "; at the end " + beside(*told.end.used, stats.swiotlb_used, how) +
                ": what devices without requests hold, --held-slots gives";
    return text;
}

} // namespace

std::string counters_text(const trace_session &session, const bounce_stats &stats) {
    const recording *told = session.told();
    if (!told || !told->has_counters())
        return "";
    if (session.config().requests)
        return requests_mark_text(session, *told, stats);
    bool same_pool = session.config().as_recorded;
    std::string text;
    auto add = [&](const std::string &more) { text += (text.empty() ? "" : "; ") + more; };
    if (told->end.used_hiwater) {
        // The kernel's mark is that since boot: one that stood still says "at most".
        bool raised = told->end.used_hiwater != told->begin.used_hiwater ||
                      told->begin.used_hiwater.value_or(0) == 0;
        std::string mark = raised ? "high-water " : "high-water before the recording ";
        if (same_pool && told->overwritten)
            add("high-water " + with_commas(*told->end.used_hiwater) + " recorded, " +
                with_commas(stats.swiotlb_used_hiwater) + " replayed of what was kept");
        else if (same_pool)
            add(mark + beside(*told->end.used_hiwater, stats.swiotlb_used_hiwater));
        else
            add(mark + with_commas(*told->end.used_hiwater) + " recorded");
    }
    if (told->begin.used.value_or(0))
        add("in use at the start " + with_commas(*told->begin.used) + " recorded, " +
            with_commas(session.config().held_slots) + " found");
    if (told->end.used)
        add("at the end " + (same_pool ? beside(*told->end.used, stats.swiotlb_used)
                                       : with_commas(*told->end.used) + " recorded"));
    return text;
}

std::string recorder_losses_text(const trace_session &session) {
    const recording *told = session.told();
    std::string text;
    if (!told || !told->lost())
        return text;
    if (told->overwritten) {
        text = with_commas(told->overwritten) + " events overwritten before the first one kept";
        if (session.lines_cut())
            text += ", " + with_commas(session.lines_cut()) +
                    " lines left out from before every CPU's were there";
    }
    if (told->dropped)
        text += (text.empty() ? "" : "; ") + with_commas(told->dropped) + " events dropped";
    return text + " (record-trace.sh --buffer makes room)";
}

void add_recording_json(const trace_session &session, json::object &result) {
    const recording *told = session.told();
    if (!told)
        return;
    auto section = [&](const char *name) -> json::object & {
        if (!result.contains(name))
            result[name] = json::object();
        return result[name].as_object();
    };
    if (told->has_counters() || told->lost()) {
        json::object &out = section("recorded");
        auto add = [&](const char *name, const std::optional<std::uint64_t> &value) {
            if (value)
                out[name] = *value;
        };
        add("nslabs_begin", told->begin.nslabs);
        add("nslabs_end", told->end.nslabs);
        add("used_begin", told->begin.used);
        add("used_end", told->end.used);
        add("used_hiwater_begin", told->begin.used_hiwater);
        add("used_hiwater", told->end.used_hiwater);
        out["events_overwritten"] = told->overwritten;
        out["events_dropped"] = told->dropped;
        out["lines_cut"] = session.lines_cut();
    }
    if (!told->layout)
        return;
    json::object &machine = section("recording");
    machine["layout"] = told->layout;
    machine["kernel"] = told->kernel;
    machine["boot"] = told->boot_line;
    machine["cpus"] = told->cpus;
    machine["memory"] = told->memory;
    machine["dynamic"] = told->dynamic ? json::value(*told->dynamic) : json::value();
    json::array devices;
    for (const recorded_device &device : told->devices)
        if (device.dma_mask)
            devices.emplace_back(json::object{{"name", device.name},
                                              {"driver", device.driver},
                                              {"dma_mask", hex(device.dma_mask)}});
    machine["devices"] = devices;
}

} // namespace bouncesim
