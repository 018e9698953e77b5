// SPDX-License-Identifier: Apache-2.0
#include "info.hpp"

#include "text.hpp"

#include <algorithm>
#include <new>

namespace bouncesim {
namespace {

void merge(bounce_histogram &into, const bounce_histogram &from) {
    into.exact = from.exact;
    for (std::uint32_t i = 0; i < from.room; i++)
        if (from.bins[i].count &&
            bounce_histogram_add(&into, from.bins[i].value, from.bins[i].count))
            throw std::bad_alloc();
    if (!from.count)
        return;
    // The bins may be rounded, these are not.
    into.max = std::max(into.count == from.count ? 0 : into.max, from.max);
    into.min = std::min(into.count == from.count ? from.min : into.min, from.min);
}

json::object sizes_json(const bounce_histogram &sizes) {
    percentiles of(sizes);
    return {{"min", sizes.min}, {"median", of.median()}, {"p99", of.at(990)}, {"max", sizes.max}};
}

json::value lifetimes_json(const bounce_histogram &times) {
    percentiles of(times);
    if (!times.count)
        return nullptr;
    return json::object{{"count", times.count},
                        {"p50_ns", of.at(500)},
                        {"p90_ns", of.at(900)},
                        {"p99_ns", of.at(990)},
                        {"max_ns", times.max}};
}

json::object level_json(const bounce_level &level) {
    return {{"mean", level.maps_mean},
            {"peak", level.maps_peak},
            {"bytes_mean", level.bytes_mean},
            {"bytes_peak", level.bytes_peak}};
}

json::object demand_json(const bounce_level &level, const bounce_profile_stream &all) {
    return {{"slots_peak", level.slots_peak},
            {"slots_peak_ns", level.slots_peak_ns},
            {"slots_mean", level.slots_mean},
            {"slots_at_end", level.slots},
            {"pool_slots", pool_for(level.slots_peak)},
            {"slots_of_one_max", all.slots_max},
            {"guaranteed", false}};
}

void add_counts(json::object &out, const bounce_profile_stream &s, bool requests) {
    out["maps"] = s.maps;
    out["bytes"] = s.bytes;
    if (!requests) {
        out["bounced"] = s.bounced;
        out["bounced_bytes"] = s.bounced_bytes;
        out["failed"] = s.failed;
        out["tried"] = s.tried;
        out["held"] = s.held;
        out["syncs"] = s.syncs;
        out["sync_bytes"] = s.sync_bytes;
    }
    out["operations"] = s.operations;
    out["ended"] = s.ended;
    out["never_ended"] = s.live;
}

json::object oddities_json(const trace_info &info, const bounce_profile_stream &all) {
    bool requests = info.session->config().requests;
    json::object out{{"oversize", all.oversize}, {"never_ended", all.live}};
    if (!requests || info.totals().has_offsets)
        out["unaligned"] = all.unaligned;
    if (!requests) {
        out["padded_slots"] = all.padded_slots;
        out["failed_maps"] = all.failed;
    }
    out["restarts"] = info.totals().restarts;
    return out;
}

json::object losses_json(const trace_info &info) {
    const bounce_trace_counts c = info.session->counts();
    return {{"lost_events", c.lost_events},
            {"truncated_lists", c.truncated_lists},
            {"failed_lists", c.failed_lists},
            {"unmatched_unmaps", c.unmatched_unmaps},
            {"unmatched_syncs", c.unmatched_syncs},
            {"elsewhere_maps", c.elsewhere_maps},
            {"implied_unmaps", c.implied_unmaps},
            {"malformed", c.malformed},
            {"cut_records", c.cut_records},
            {"late_records", c.late_records},
            {"shared_devices", c.shared_devices},
            {"time_steps_back", c.time_steps_back},
            {"not_tracked", c.not_tracked + info.totals().not_tracked}};
}

json::object device_json(const trace_info &info, std::size_t index) {
    const bounce_device &device = info.session->devices()[index];
    const bounce_profile *profile = info.profile.get();
    bool requests = info.session->config().requests;
    stream_sum sum;
    json::array directions;
    json::object out{{"name", device.name},
                     {"dma_mask", hex(device.dma_mask)},
                     {"min_align_mask", hex(device.min_align_mask)}};
    for (unsigned dir = 0; dir < 4; dir++) {
        const auto *stream = bounce_profile_stream_of(profile, index, static_cast<bounce_dir>(dir));
        if (!stream)
            continue;
        sum.add(stream);
        json::object one{{"direction", direction_name(dir)}};
        add_counts(one, *stream, requests);
        one["sizes"] = sizes_json(stream->sizes);
        one["lifetimes"] = lifetimes_json(stream->lifetimes);
        one["operations_peak"] = stream->in_flight_peak;
        directions.emplace_back(std::move(one));
    }
    add_counts(out, sum.all, requests);
    out["sizes"] = sizes_json(sum.all.sizes);
    out["lifetimes"] = lifetimes_json(sum.all.lifetimes);
    if (const bounce_level *level = bounce_profile_device_level(profile, index)) {
        out["concurrency"] = level_json(*level);
        out["demand"] = demand_json(*level, sum.all);
    }
    out["directions"] = std::move(directions);
    return out;
}

json::object rates_json(const trace_info &info, const bounce_profile_stream &all) {
    double seconds = static_cast<double>(info.session->counts().span_ns) / 1e9;
    json::array bursts;
    for (const bounce_burst &burst : info.totals().bursts)
        bursts.emplace_back(json::object{{"window_ns", burst.window_ns},
                                         {"maps_peak", burst.maps_peak},
                                         {"maps_peak_ns", burst.maps_peak_ns},
                                         {"bytes_peak", burst.bytes_peak},
                                         {"slots_peak", burst.slots_peak}});
    json::object out;
    out["maps_per_s"] =
        seconds > 0 ? json::value(static_cast<double>(all.maps) / seconds) : json::value();
    out["bytes_per_s"] =
        seconds > 0 ? json::value(static_cast<double>(all.bytes) / seconds) : json::value();
    out["bursts"] = std::move(bursts);
    return out;
}

json::object machine_json(const trace_info &info) {
    const resolved_config &config = info.session->config();
    const bounce_inference &recorded = config.recorded;
    json::array cpus, inferred;
    for (std::uint32_t cpu = 0; cpu < BOUNCE_MAX_CPUS; cpu++)
        if (std::uint64_t maps = bounce_profile_cpu_maps(info.profile.get(), cpu))
            cpus.emplace_back(json::object{{"cpu", cpu}, {"maps", maps}});
    for (const std::string &line : config.inferred)
        inferred.emplace_back(line);
    json::object out{{"cpus", recorded.cpus}, {"maps_by_cpu", cpus}, {"inferred", inferred}};
    if (!config.requests)
        out["pool"] = json::object{
            {"nslabs", recorded.nslabs},          {"nareas", recorded.nareas},
            {"start", hex(recorded.start)},       {"size_inferred", recorded.size_inferred},
            {"in_use_at_start", recorded.in_use}, {"grew", recorded.grew}};
    return out;
}

} // namespace

stream_sum::~stream_sum() {
    bounce_histogram_free(&all.sizes);
    bounce_histogram_free(&all.lifetimes);
    bounce_histogram_free(&all.segments);
}

void stream_sum::add(const bounce_profile_stream *s) {
    if (!s)
        return;
    all.maps += s->maps;
    all.bytes += s->bytes;
    all.bounced += s->bounced;
    all.bounced_bytes += s->bounced_bytes;
    all.failed += s->failed;
    all.tried += s->tried;
    all.ended += s->ended;
    all.held += s->held;
    all.live += s->live;
    all.syncs += s->syncs;
    all.sync_bytes += s->sync_bytes;
    all.operations += s->operations;
    all.oversize += s->oversize;
    all.unaligned += s->unaligned;
    all.padded_slots += s->padded_slots;
    all.slots += s->slots;
    all.slots_max = std::max(all.slots_max, s->slots_max);
    merge(all.sizes, s->sizes);
    merge(all.lifetimes, s->lifetimes);
    merge(all.segments, s->segments);
}

std::uint64_t pool_for(std::uint64_t slots) {
    std::uint64_t pool = BOUNCE_SEGMENT_SLOTS;
    while (pool < slots)
        pool *= 2;
    return slots ? pool : 0;
}

const char *direction_name(unsigned dir) {
    static const char *const names[] = {"bidirectional", "to_device", "from_device", "unknown"};
    return names[dir % 4];
}

json::object info_json(const trace_info &info) {
    const trace_session &session = *info.session;
    stream_sum sum;
    json::array devices;
    for (std::size_t i = 0; i < session.devices().size(); i++) {
        for (unsigned dir = 0; dir < 4; dir++)
            sum.add(bounce_profile_stream_of(info.profile.get(), i, static_cast<bounce_dir>(dir)));
        if (bounce_profile_device_level(info.profile.get(), i))
            devices.emplace_back(device_json(info, i));
    }
    json::object trace = trace_json(session);
    trace.erase("requests"); // what a replay makes of them
    json::object out{{"schema", "bouncesim-info/1"}, {"version", BOUNCESIM_VERSION}};
    out["trace"] = std::move(trace);
    out["machine"] = machine_json(info);
    json::object totals;
    add_counts(totals, sum.all, session.config().requests);
    if (session.config().requests) {
        bounce_request_counts r = session.request_counts();
        totals["reads"] = r.reads;
        totals["writes"] = r.writes;
        totals["service_time_assumed"] = session.config().assumed_service;
        if (session.config().assumed_service)
            totals["service_time_ns"] = session.config().service_ns;
    }
    out["totals"] = std::move(totals);
    out["sizes"] = sizes_json(sum.all.sizes);
    out["lifetimes"] =
        session.config().assumed_service ? json::value() : lifetimes_json(sum.all.lifetimes);
    out["concurrency"] = level_json(info.totals().level);
    out["demand"] = demand_json(info.totals().level, sum.all);
    out["rates"] = rates_json(info, sum.all);
    out["losses"] = losses_json(info);
    out["oddities"] = oddities_json(info, sum.all);
    out["devices"] = std::move(devices);
    return out;
}

} // namespace bouncesim
