// SPDX-License-Identifier: Apache-2.0
// The summary of `bouncesim info`: what a person reads in ten seconds.
#include "info.hpp"
#include "summary.hpp"
#include "text.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace bouncesim {
namespace {

constexpr std::size_t devices_shown = 16;
constexpr std::size_t cpus_shown = 8;

void row(std::ostream &out, const char *label, const std::string &text) {
    std::string left = label;
    left.resize(15, ' ');
    out << left << text << '\n';
}

std::string sizes_text(const bounce_histogram &sizes) {
    percentiles of(sizes);
    if (!sizes.count)
        return "-";
    return (sizes.min == sizes.max ? "all " + bytes_text(sizes.min)
                                   : bytes_text(sizes.min) + " to " + bytes_text(sizes.max)) +
           ", median " + bytes_text(of.median()) + ", p99 " + bytes_text(of.at(990));
}

std::string lifetimes_text(const bounce_histogram &times) {
    percentiles of(times);
    if (!times.count)
        return "not told";
    return "p50 " + time_text(of.at(500)) + ", p90 " + time_text(of.at(900)) + ", p99 " +
           time_text(of.at(990)) + ", max " + time_text(times.max);
}

std::string maps_text(const trace_info &info, const bounce_profile_stream &s) {
    bool requests = info.session->config().requests;
    std::string text = with_commas(s.maps) + " of " + bytes_text(s.bytes) + " in all";
    if (!requests) {
        text += ", " + percent(static_cast<double>(s.bounced), static_cast<double>(s.maps)) +
                " bounced";
        if (s.failed)
            text += ", " + with_commas(s.failed) + " failed";
        if (s.operations != s.maps - s.failed - s.tried)
            text += "; " + counted(s.operations, "call(s)") + ", lists of up to " +
                    with_commas(s.segments.max);
        return text;
    }
    bounce_request_counts r = info.session->request_counts();
    text += ": " + counted(r.reads, "read(s)") + ", " + counted(r.writes, "write(s)");
    return text;
}

// Rare ones are not 0.00.
std::string mean_text(double mean) {
    if (mean > 0 && mean < 0.01)
        return "less than 0.01";
    return mean < 10 ? fixed(mean, 2) : with_commas(static_cast<std::uint64_t>(std::llround(mean)));
}

std::string level_text(const bounce_level &level) {
    return mean_text(level.maps_mean) + " on average, " + with_commas(level.maps_peak) +
           " at most; " + bytes_text(static_cast<std::uint64_t>(level.bytes_mean)) + ", " +
           bytes_text(level.bytes_peak) + " at most";
}

std::string demand_text(const bounce_level &level, std::uint64_t failed) {
    if (!level.slots_peak)
        return "none: nothing bounces";
    std::string text = with_commas(level.slots_peak) + " slots (" +
                       bytes_text(level.slots_peak << BOUNCE_SLOT_SHIFT) + ") at the peak, " +
                       mean_text(level.slots_mean) +
                       " on average; swiotlb=" + std::to_string(pool_for(level.slots_peak)) +
                       " holds that if nothing fragments (no guarantee: see `bouncesim sweep`)";
    if (failed)
        text += "; " + counted(failed, "failed map(s)") + " wanted more";
    return text;
}

std::string rates_text(const trace_info &info, const bounce_profile_stream &all) {
    double seconds = static_cast<double>(info.session->counts().span_ns) / 1e9;
    if (!info.session->timed())
        return "no times in the trace";
    std::string text = "-";
    if (seconds > 0) {
        double rate = static_cast<double>(all.maps) / seconds;
        text = (rate < 100 ? fixed(rate, 1) : with_commas(static_cast<std::uint64_t>(rate))) +
               " a second, " +
               bytes_text(static_cast<std::uint64_t>(static_cast<double>(all.bytes) / seconds)) +
               "/s";
    }
    text += "; busiest";
    const char *comma = " ";
    for (const bounce_burst &burst : info.totals().bursts) {
        text += comma + time_text(burst.window_ns) + ": " + with_commas(burst.maps_peak) + " (" +
                bytes_text(burst.bytes_peak) + ")";
        comma = ", ";
    }
    return text;
}

std::string cpus_text(const trace_info &info, std::uint64_t maps) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> seen;
    for (std::uint32_t cpu = 0; cpu < BOUNCE_MAX_CPUS; cpu++)
        if (std::uint64_t count = bounce_profile_cpu_maps(info.profile.get(), cpu))
            seen.emplace_back(count, cpu);
    std::stable_sort(seen.begin(), seen.end(),
                     [](const auto &a, const auto &b) { return a.first > b.first; });
    std::string text = std::to_string(info.session->config().recorded.cpus) + ":";
    for (std::size_t i = 0; i < std::min(seen.size(), cpus_shown); i++)
        text += (i ? ", " : " ") + std::string("CPU ") + std::to_string(seen[i].second) + " " +
                percent(static_cast<double>(seen[i].first), static_cast<double>(maps));
    return text + (seen.size() > cpus_shown
                       ? ", " + std::to_string(seen.size() - cpus_shown) + " more"
                       : "");
}

std::string listed(const std::vector<std::pair<std::uint64_t, const char *>> &items) {
    std::string text;
    for (const auto &[count, what] : items) {
        if (count)
            text += (text.empty() ? "" : ", ") + counted(count, what);
    }
    return text;
}

std::string losses_text(const trace_info &info) {
    const bounce_trace_counts c = info.session->counts();
    bool requests = info.session->config().requests;
    return listed(
        {{c.lost_events, "event(s) lost by the recorder"},
         {c.truncated_lists, "scatter list(s) printed only in part"},
         {c.failed_lists, "scatter list(s) that failed"},
         {c.unmatched_unmaps,
          requests ? "completion(s) without a request" : "unmap(s) without a map"},
         {c.unmatched_syncs, "sync(s) outside any mapping"},
         {c.implied_unmaps, requests ? "completion(s) missing" : "unmap(s) missing"},
         {c.malformed, "malformed record(s)"},
         {c.cut_records, "record(s) cut by the end of the input"},
         {c.shared_devices, "record(s) of devices beyond the first 4,096"},
         {c.late_records, "record(s) too late to be put in order"},
         {c.not_tracked + info.totals().not_tracked, "beyond the limit of what is followed"}});
}

std::string oddities_text(const trace_info &info, const bounce_profile_stream &all) {
    bool requests = info.session->config().requests;
    const bounce_trace_counts c = info.session->counts();
    return listed(
        {{all.oversize, requests ? "request(s) over 256 KiB (split before they are mapped)"
                                 : "map(s) over 256 KiB, which no pool can serve"},
         {!requests || info.totals().has_offsets ? all.unaligned : 0,
          requests ? "not at multiples of 4 KiB on the device"
                   : "buffer(s) not at the start of a page"},
         {all.padded_slots, "slot(s) taken for offsets alone"},
         {all.live,
          requests ? "request(s) never completed" : "buffer(s) never unmapped (`bouncesim lint`)"},
         {all.held, "buffer(s) mapped before the trace began"},
         {c.time_steps_back, "step(s) back in time (joined recordings)"}});
}

struct device_row {
    std::size_t index;
    std::uint64_t bytes;
};

void print_devices(std::ostream &out, const trace_info &info) {
    const bounce_profile *profile = info.profile.get();
    const std::vector<bounce_device> &devices = info.session->devices();
    bool requests = info.session->config().requests;
    std::vector<device_row> rows;
    std::size_t width = 6;
    for (std::size_t i = 0; i < devices.size(); i++) {
        device_row row = {i, 0};
        for (unsigned dir = 0; dir < 4; dir++)
            if (const auto *s = bounce_profile_stream_of(profile, i, static_cast<bounce_dir>(dir)))
                row.bytes += s->bytes;
        if (bounce_profile_device_level(profile, i))
            rows.push_back(row);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const device_row &a, const device_row &b) { return a.bytes > b.bytes; });
    std::size_t shown = std::min(rows.size(), devices_shown);
    for (std::size_t i = 0; i < shown; i++)
        width = std::max(width, std::string_view(devices[rows[i].index].name).size());

    auto cell = [&](const std::string &text, std::size_t columns, bool left = false) {
        std::string pad(columns > text.size() ? columns - text.size() : 0, ' ');
        out << (left ? text + pad : pad + text) << "  ";
    };
    out << '\n';
    cell("device", width, true);
    for (const char *name : {requests ? "requests" : "maps", "bytes", "to dev.", "from dev.",
                             "median", "largest", "live peak", "slots peak", "life p50"})
        cell(name, 10);
    out << "life p99\n";
    for (std::size_t i = 0; i < shown; i++) {
        const bounce_level *level = bounce_profile_device_level(profile, rows[i].index);
        stream_sum sum;
        std::uint64_t bytes[4] = {};
        for (unsigned dir = 0; dir < 4; dir++)
            if (const auto *s = bounce_profile_stream_of(profile, rows[i].index,
                                                         static_cast<bounce_dir>(dir))) {
                sum.add(s);
                bytes[dir] = s->bytes;
            }
        percentiles sizes(sum.all.sizes), times(sum.all.lifetimes);
        bool told = sum.all.lifetimes.count && !info.session->config().assumed_service;
        auto total = static_cast<double>(sum.all.bytes);
        cell(devices[rows[i].index].name, width, true);
        cell(with_commas(sum.all.maps), 10);
        cell(bytes_text(sum.all.bytes), 10);
        cell(percent(static_cast<double>(bytes[BOUNCE_TO_DEVICE]), total), 10);
        cell(percent(static_cast<double>(bytes[BOUNCE_FROM_DEVICE]), total), 10);
        cell(bytes_text(sizes.median()), 10);
        cell(bytes_text(sum.all.sizes.max), 10);
        cell(with_commas(level->maps_peak), 10);
        cell(with_commas(level->slots_peak), 10);
        cell(told ? time_text(times.at(500)) : "-", 10);
        out << (told ? time_text(times.at(990)) : "-") << '\n';
    }
    if (rows.size() > shown)
        out << "and " << rows.size() - shown << " more devices (--json has them all)\n";
}

} // namespace

void print_info(std::ostream &out, const trace_info &info) {
    const trace_session &session = *info.session;
    const bounce_trace_counts c = session.counts();
    const std::string &first = session.options().traces[0];
    bool requests = session.config().requests;
    stream_sum sum;
    for (std::size_t i = 0; i < session.devices().size(); i++)
        for (unsigned dir = 0; dir < 4; dir++)
            sum.add(bounce_profile_stream_of(info.profile.get(), i, static_cast<bounce_dir>(dir)));

    std::string others =
        session.options().traces.size() > 1
            ? " and " + std::to_string(session.options().traces.size() - 1) + " more"
            : "";
    row(out, "trace",
        (first == "-" ? "standard input" : first) + others + ": " + session.format().name + ", " +
            counted(c.records, "record(s)") + ", " +
            (session.timed() ? time_text(c.span_ns) : "no times") + ", " +
            counted(session.devices().size(), "device(s)"));
    row(out, requests ? "requests" : "maps", maps_text(info, sum.all));
    row(out, "sizes", sizes_text(sum.all.sizes));
    row(out, requests ? "in flight" : "mapped", level_text(info.totals().level));
    row(out, requests ? "latencies" : "lifetimes",
        session.config().assumed_service
            ? "not told, " + time_text(session.config().service_ns) + " each assumed"
            : lifetimes_text(sum.all.lifetimes));
    row(out, "demand", demand_text(info.totals().level, sum.all.failed));
    row(out, "rates", rates_text(info, sum.all));
    row(out, "CPUs", cpus_text(info, sum.all.maps));
    if (std::string skipped = listed({{c.other_events, "event(s) of other kinds"},
                                      {c.coherent_events, "coherent allocation(s)"}});
        !skipped.empty())
        row(out, "left out", skipped);
    if (std::string losses = losses_text(info); !losses.empty())
        row(out, "losses", losses);
    if (std::string odd = oddities_text(info, sum.all); !odd.empty())
        row(out, "oddities", odd);
    if (std::string text = elsewhere_text(session); !text.empty())
        row(out, "not told", text);
    for (const std::string &line : session.config().inferred)
        row(out, "inferred", line);
    print_devices(out, info);
}

} // namespace bouncesim
