// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "pool_options.hpp"
#include "text.hpp"

namespace bouncesim {
namespace {

void print(std::string &out, const json::value &value, std::size_t depth) {
    auto line = [&](std::size_t level) { out += "\n" + std::string(2 * level, ' '); };
    if (const json::object *object = value.if_object(); object && !object->empty()) {
        out += "{";
        bool first = true;
        for (const auto &item : *object) {
            out += first ? "" : ",";
            first = false;
            line(depth + 1);
            out += json::serialize(json::string(item.key())) + ": ";
            print(out, item.value(), depth + 1);
        }
        line(depth);
        out += "}";
    } else if (const json::array *array = value.if_array(); array && !array->empty()) {
        out += "[";
        for (std::size_t i = 0; i < array->size(); i++) {
            out += i ? "," : "";
            line(depth + 1);
            print(out, (*array)[i], depth + 1);
        }
        line(depth);
        out += "]";
    } else if (const double *number = value.if_double()) {
        out += fixed(*number, 6);
    } else {
        out += json::serialize(value);
    }
}

// full_by_cause lives inside events; every other section is an object of its own.
json::object &section(json::object &stats, const std::string &name) {
    json::object &parent = name == "full_by_cause" ? stats["events"].as_object() : stats;
    if (!parent.contains(name))
        parent[name] = json::object();
    return parent[name].as_object();
}

json::object exposure_row_json(const bounce_exposure_row &row) {
    json::object out;
#define FIELD(name, kind, unit, meaning) out[#name] = row.name;
    BOUNCE_EXPOSURE(FIELD)
#undef FIELD
    return out;
}

} // namespace

std::string pretty(const json::value &value) {
    std::string out;
    print(out, value, 0);
    return out + "\n";
}

json::object stats_json(const bounce_stats &stats) {
    json::object out;
    for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
        if (std::string_view(info->section) != "recorded" || stats.recorded_maps_compared)
            section(out, info->section)[info->name] = bounce_stat_value(&stats, info);
    section(out, "fragmentation")["external_hiwater"] = stats.fragmentation_external_hiwater;
    return out;
}

json::object exposure_json(const bounce_exposure &exposure,
                           const std::vector<bounce_device> &devices) {
    json::array rows;
    for (std::size_t i = 0; i < devices.size(); i++) {
        json::object row{{"device", devices[i].name}};
        for (auto &item : exposure_row_json(bounce_exposure_device(&exposure, i)))
            row[item.key()] = std::move(item.value());
        rows.emplace_back(std::move(row));
    }
    return json::object{{"total", exposure_row_json(bounce_exposure_total(&exposure))},
                        {"devices", std::move(rows)}};
}

namespace {

json::object requests_json(const trace_session &session) {
    bounce_request_counts r = session.request_counts();
    bounce_requests_counts made = session.mapping_counts();
    const resolved_config &config = session.config();
    // An engine that takes requests as they are says what became of them in "platform".
    bool raw = session.options().raw_requests;
    json::object out{{"count", r.count},       {"reads", r.reads},
                     {"writes", r.writes},     {"bytes", r.bytes},
                     {"size_min", r.size_min}, {"size_median", r.size_median},
                     {"size_max", r.size_max}, {"service_time_assumed", config.assumed_service}};
    if (!raw) {
        out["mappings"] = made.mappings;
        out["split"] = made.split;
        out["not_tracked"] = made.not_tracked;
        out["outstanding"] = made.outstanding;
    }
    if (config.assumed_service && (!raw || session.options().service_ns))
        out["service_time_ns"] = config.service_ns;
    return out;
}

} // namespace

json::object trace_json(const trace_session &session) {
    const bounce_trace_counts c = session.counts();
    json::object skipped{{"other_events", c.other_events},
                         {"coherent_events", c.coherent_events},
                         {"malformed", c.malformed},
                         {"cut_records", c.cut_records},
                         {"not_tracked", c.not_tracked}};
    json::array files;
    bool requests = session.config().requests;
    for (const std::string &path : session.options().traces)
        files.emplace_back(path);
    json::object trace{{"files", files},
                       {"format", session.format().name},
                       {"records", c.records},
                       {"skipped", skipped},
                       {"unmatched_unmaps", c.unmatched_unmaps},
                       {"unmatched_syncs", c.unmatched_syncs},
                       {"elsewhere_maps", c.elsewhere_maps},
                       {"implied_unmaps", c.implied_unmaps},
                       {"lost_events", c.lost_events},
                       {"failed_lists", c.failed_lists},
                       {"truncated_lists", c.truncated_lists},
                       {"time_steps_back", c.time_steps_back},
                       {"first_ns", c.first_ns},
                       {"span_ns", c.span_ns},
                       {"late_records", c.late_records},
                       {"shared_devices", c.shared_devices},
                       {"timed", session.timed()},
                       {"level", requests ? "requests" : "mappings"}};
    if (requests)
        trace["requests"] = requests_json(session);
    return trace;
}

namespace {

json::array unexplained_json(const trace_session &session) {
    const bounce_order_unexplained *reports = nullptr;
    std::size_t count = bounce_order_get_unexplained(session.order(), &reports);
    json::array out;
    for (std::size_t i = 0; i < count; i++) {
        const bounce_order_unexplained &r = reports[i];
        auto address = [](std::uint64_t addr) {
            return addr ? json::value(hex(addr)) : json::value("full");
        };
        out.emplace_back(json::object{{"map", r.id},
                                      {"record", r.record},
                                      {"time_ns", r.time_ns},
                                      {"device", session.devices()[r.device].name},
                                      {"cpu", r.cpu},
                                      {"recorded", r.told ? address(r.recorded) : "ok"},
                                      {"expected", address(r.expected)}});
    }
    return out;
}

} // namespace

json::object order_json(trace_session &session) {
    const bounce_order_stats *s = session.order_stats();
    if (!s)
        return {{"mode", "recorded"}};
    return json::object{{"mode", "reconstructed"},
                        {"maps", s->maps},
                        {"explained", s->explained},
                        {"unexplained", s->unexplained},
                        {"moved", s->moved},
                        {"moved_most", s->moved_most},
                        {"early_frees", s->early_frees},
                        {"conflicts", s->conflicts},
                        {"transients", s->transients},
                        {"unknown_cursors", s->cursors},
                        {"found_out", s->found_out},
                        {"hidden_slots", s->hidden},
                        {"by_hidden_slots", s->by_hidden},
                        {"first_unexplained_id",
                         s->unexplained ? json::value(s->first_unexplained_id) : json::value()},
                        {"unexplained_maps", unexplained_json(session)}};
}

json::array growth_json(const trace_session &session) {
    bounce_order_grown g = {};
    json::array out;
    for (std::size_t i = 0; session.order() && bounce_order_get_grown(session.order(), i, &g); i++)
        out.emplace_back(json::object{{"before_map", g.before_id},
                                      {"before_record", g.before_record},
                                      {"time_ns", g.time_ns},
                                      {"start", hex(g.start)},
                                      {"nslabs", g.nslabs},
                                      {"nareas", g.nareas},
                                      {"under", g.newer}});
    return out;
}

json::object config_json(const resolved_config &config, const std::vector<bounce_device> &devices,
                         const char *engine) {
    const bounce_swiotlb_config &pool = config.replay.pool;
    json::array names, inferred;
    for (const bounce_device &device : devices)
        names.emplace_back(json::object{{"name", device.name},
                                        {"dma_mask", hex(device.dma_mask)},
                                        {"seg_boundary", hex(device.seg_boundary)},
                                        {"min_align_mask", hex(device.min_align_mask)}});
    for (const std::string &line : config.inferred)
        inferred.emplace_back(line);
    json::object out{{"kernel", pool.kernel->name},
                     {"engine", engine},
                     {"nslabs", pool.nslabs},
                     {"nareas", pool.nareas},
                     {"size_rule", config.size.rule},
                     {"cpus", pool.cpus},
                     {"start", hex(pool.start)},
                     {"force", config.replay.force},
                     {"as_recorded", config.as_recorded},
                     {"devices", names},
                     {"inferred", inferred}};
    add_pool_json(out, config.replay);
    return out;
}

} // namespace bouncesim
