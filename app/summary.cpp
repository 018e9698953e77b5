// SPDX-License-Identifier: Apache-2.0
#include "summary.hpp"

#include "pool_options.hpp"
#include "recording_report.hpp"
#include "text.hpp"

#include <algorithm>
#include <utility>

namespace bouncesim {
namespace {

struct cause_row {
    const char *name;
    std::uint64_t count;
    const char *advice; // what to do about it, for the verdict
};

std::vector<cause_row> causes_by_count(const bounce_stats &s) {
    std::vector<cause_row> rows = {
        {"no_pool", s.full_by_cause_no_pool,
         "there is no pool: look for noforce or iommu= options"},
        {"oversize", s.full_by_cause_oversize,
         "no pool size helps: the driver must map smaller pieces (at most 256 KiB, offset "
         "included)"},
        {"exhausted", s.full_by_cause_exhausted,
         "a larger pool helps: `bouncesim sweep` shows how large"},
        {"area_limited", s.full_by_cause_area_limited,
         "room was left in other areas: fewer areas or a larger pool help"},
        {"fragmented", s.full_by_cause_fragmented,
         "room was left, but in pieces: a larger pool or smaller mappings help"},
        {"alignment", s.full_by_cause_alignment,
         "room was left, but none aligned as asked: min_align_mask, granule or seg_boundary limit "
         "it"},
        {"atomic_pool", s.full_by_cause_atomic_pool,
         "the atomic pool behind transient buffers was empty: coherent_pool= or a larger first "
         "pool"},
        {"unexplained", s.full_by_cause_unexplained,
         "the recording says so, and nothing shows why: docs/order.md"},
    };
    std::stable_sort(rows.begin(), rows.end(),
                     [](const cause_row &a, const cause_row &b) { return a.count > b.count; });
    while (!rows.empty() && rows.back().count == 0)
        rows.pop_back();
    return rows;
}

void row(std::ostream &out, const char *label, const std::string &text) {
    std::string left = label;
    left.resize(15, ' ');
    out << left << text << '\n';
}

std::string losses(const trace_session &session) {
    const bounce_trace_counts c = session.counts();
    std::string text;
    auto add = [&](std::uint64_t count, const char *what) {
        if (count)
            text += (text.empty() ? "" : ", ") + counted(count, what);
    };
    add(c.other_events, "event(s) of other kinds");
    add(c.coherent_events, "coherent allocation(s) (not from this pool)");
    add(c.malformed, "malformed line(s)");
    add(c.cut_records, "record(s) cut by the end of the input");
    add(c.lost_events, "event(s) lost by the recorder");
    add(c.unmatched_unmaps,
        session.config().requests ? "completion(s) without a request" : "unmap(s) without a map");
    add(c.unmatched_syncs, "sync(s) outside any mapping");
    add(c.implied_unmaps, session.config().requests
                              ? "completion(s) missing (same request issued again)"
                              : "unmap(s) missing (address given out again)");
    add(c.not_tracked, "map(s) beyond the limit of live mappings");
    add(c.truncated_lists, "scatter list(s) printed only in part");
    add(c.time_steps_back, "step(s) back in time (joined recordings)");
    add(c.shared_devices, "record(s) of devices beyond the first 4,096 (under the last of those)");
    add(c.late_records, "record(s) too late to be put in order");
    add(session.mapping_counts().not_tracked, "request(s) beyond the limit of live mappings");
    return text;
}

std::string exposure_text(const bounce_exposure_row &e) {
    auto in_maps = [&](std::uint64_t exposed, const std::string &bytes) {
        return exposed ? bytes + " in " + with_commas(exposed) + " of " + with_commas(e.mappings) +
                             " maps"
                       : std::string("nothing");
    };
    std::string zeroed =
        e.untrusted_zeroed_bytes ? " (" + bytes_text(e.untrusted_zeroed_bytes) + " zeroed)" : "";
    return "direct " +
           in_maps(e.direct_exposed_mappings, bytes_text(e.direct_stale_bytes) + " stale") +
           "; through IOMMU granules " +
           in_maps(e.untrusted_exposed_mappings, bytes_text(e.untrusted_stale_bytes) + " stale, " +
                                                     bytes_text(e.untrusted_live_bytes) + " live") +
           zeroed;
}

std::string conversion_text(const bounce_stats &s, bounce_guest guest) {
    return bytes_text(s.conversion_bytes) + " made shared: " + with_commas(s.conversion_pages) +
           " pages, about " + time_text(s.conversion_ns) + " (" +
           (guest == BOUNCE_GUEST_TDX ? "TDX, " : "SEV-SNP, ") +
           with_commas(bounce_guest_conversion_ns(guest)) + " ns a page)";
}

std::string throttle_text(const bounce_stats &s) {
    std::uint64_t asked = s.throttle_above_high + s.throttle_above_low;
    if (!asked)
        return "never: the pool stayed below the mark";
    std::string text =
        with_commas(asked) + " maps above the marks, " + with_commas(s.throttle_waited) + " waited";
    if (s.throttle_waited)
        text += " (" + time_text(s.throttle_wait_ns / s.throttle_waited) + " each, at most " +
                time_text(s.throttle_wait_ns_max) + ", " + with_commas(s.throttle_waiting_hiwater) +
                " at a time)";
    if (s.throttle_never)
        text += "; " + with_commas(s.throttle_never) + " would wait for ever";
    return text;
}

// Of the default pool, or of the pools of all devices.
std::uint64_t pool_slots(const trace_session &session, const bounce_stats &s) {
    const bounce_swiotlb_config &pool = session.config().replay.pool;
    return pool.device_nslabs || bounce_kernel_grows(pool.kernel) ? s.swiotlb_nslabs : pool.nslabs;
}

std::string verdict(const trace_session &session, const bounce_stats &s) {
    std::vector<cause_row> causes = causes_by_count(s);
    if (s.events_lockups)
        return "This kernel's search would spin forever " + with_commas(s.events_lockups) +
               " times: the machine would have locked up.";
    if (!causes.empty())
        return with_commas(s.events_full) + " of " + with_commas(s.events_maps) +
               " maps failed, mostly " + causes[0].name + ": " + causes[0].advice + ".";
    if (s.events_unreachable)
        return with_commas(s.events_unreachable) +
               " maps failed: the pool lies above what the device reaches.";
    if (!s.events_maps)
        return nothing_bounced(session);
    return "No full event: at most " + with_commas(s.swiotlb_used_hiwater) + " of " +
           with_commas(pool_slots(session, s)) + " slots were in use.";
}

// What the recorded pool did, whatever pool is simulated.
void print_growth(std::ostream &out, const trace_session &session,
                  const bounce_order_stats &order) {
    bounce_order_grown g = {};
    for (std::size_t i = 0; bounce_order_get_grown(session.order(), i, &g); i++)
        row(out, "growth",
            with_commas(g.nslabs) + " slots in " + std::to_string(g.nareas) + " areas at 0x" +
                hex(g.start) + ", before map " + std::to_string(g.before_id) + " (record " +
                with_commas(g.before_record) + ", " + time_text(g.time_ns) + ")" +
                (g.newer ? ", searched after " + std::to_string(g.newer) + " newer" : ""));
    if (order.transients)
        row(out, "transient", with_commas(order.transients) + " maps had a pool of their own");
}

} // namespace

std::string elsewhere_text(const trace_session &session) {
    const bounce_trace_counts c = session.counts();
    if (!c.elsewhere_maps || session.recorded().bounces)
        return "";
    return with_commas(c.elsewhere_maps) +
           " maps have another dma address than their buffer, and there is no swiotlb_bounced "
           "event: an IOMMU translates, or swiotlb:* was not recorded";
}

std::string nothing_bounced(const trace_session &session) {
    return elsewhere_text(session).empty()
               ? "Nothing bounced: every buffer was within reach of its device."
               : "Whether anything bounced is not told: record swiotlb:* too.";
}

std::string causes_text(const bounce_stats &stats) {
    std::string text;
    for (const cause_row &cause : causes_by_count(stats))
        text += (text.empty() ? "" : ", ") + with_commas(cause.count) + " " + cause.name;
    return text;
}

void print_summary(std::ostream &out, trace_session &session, const bounce_stats &s,
                   const bounce_exposure *exposure) {
    const bounce_replay_config &config = session.config().replay;
    const bounce_trace_counts c = session.counts();
    const std::string &first = session.options().traces[0];
    std::uint64_t slots =
        config.pool.device_nslabs ? config.pool.device_nslabs : config.pool.nslabs;
    std::uint64_t bytes = slots * bounce_config_slot_size(&config.pool);

    row(out, "trace",
        (first == "-" ? "standard input" : first) + ": " + session.format().name + ", " +
            with_commas(c.records) + " records, " +
            (session.timed() ? time_text(c.span_ns) : "no times") + ", " +
            std::to_string(session.devices().size()) + " device" +
            (session.devices().size() == 1 ? "" : "s"));
    if (session.config().requests) {
        bounce_request_counts r = session.request_counts();
        row(out, "requests",
            with_commas(r.count) + " (" + counted(r.reads, "read(s)") + ", " +
                counted(r.writes, "write(s)") + ") of " + bytes_text(r.size_min) + " to " +
                bytes_text(r.size_max) + ", half of them up to " + bytes_text(r.size_median) +
                "; " +
                with_commas(session.options().raw_requests ? s.events_maps + s.events_direct_maps
                                                           : session.mapping_counts().mappings) +
                " mappings made of them");
    }
    row(out, "pool",
        slots ? with_commas(slots) + " slots (" + bytes_text(bytes) + ") " +
                    (config.pool.device_nslabs
                         ? "for each of " + counted(s.swiotlb_pools, "device(s)")
                         : "in " + std::to_string(config.pool.nareas) + " area" +
                               (config.pool.nareas == 1 ? "" : "s")) +
                    " at 0x" + hex(config.pool.start) + ", " + config.pool.kernel->name +
                    pool_text(config) +
                    (config.force && !session.options().all_by_iommu ? ", bouncing forced" : "")
              : std::string("none"));
    row(out, "pressure",
        "high-water " + with_commas(s.swiotlb_used_hiwater) + " slots (" +
            percent(static_cast<double>(s.swiotlb_used_hiwater),
                    static_cast<double>(s.swiotlb_nslabs)) +
            "), " + with_commas(s.swiotlb_used) + " in use at the end");
    row(out, "full events",
        s.events_full ? with_commas(s.events_full) + " of " + with_commas(s.events_maps) +
                            " maps: " + causes_text(s)
                      : "none in " + with_commas(s.events_maps) + " maps" +
                            (s.events_direct_maps ? " (" + with_commas(s.events_direct_maps) +
                                                        " more did not bounce)"
                                                  : ""));
    row(out, "fragmentation",
        "at most " + bytes_text(s.fragmentation_internal_bytes_hiwater) +
            " lost to rounding; at least " + with_commas(s.fragmentation_free_segments_min) +
            " of " +
            with_commas(pool_slots(session, s) / bounce_config_segment_slots(&config.pool)) +
            " slot sets stayed wholly free");
    row(out, "copies",
        bytes_text(s.copy_bytes_to_device) + " to devices, " +
            bytes_text(s.copy_bytes_from_device) + " back, " + with_commas(s.copy_calls) +
            " copies");
    row(out, "search",
        s.events_maps
            ? fixed(static_cast<double>(s.search_probes) / static_cast<double>(s.events_maps), 2) +
                  " slots looked at a map, at most " + with_commas(s.search_probes_max)
            : std::string("-"));
    if (config.throttle)
        row(out, "throttling", throttle_text(s));
    if (s.conversion_bytes)
        row(out, "conversion", conversion_text(s, session.options().machine.guest));
    if (exposure)
        row(out, "exposure", exposure_text(bounce_exposure_total(exposure)));
    if (s.recorded_maps_compared)
        row(out, "as recorded",
            with_commas(s.recorded_addresses_equal) + " of " +
                with_commas(s.recorded_maps_compared) + " maps as in the recording, " +
                with_commas(s.recorded_full_equal) + " of " +
                with_commas(s.recorded_full_recorded) + " failures" +
                (session.config().as_recorded ? "" : " (another pool than recorded)"));
    if (std::string counters = counters_text(session, s); !counters.empty())
        row(out, "counters", counters);
    if (const bounce_order_stats *order = session.order_stats()) {
        print_growth(out, session, *order);
        row(out, "order",
            order->unexplained
                ? with_commas(order->unexplained) + " of " + with_commas(order->maps) +
                      " recorded outcomes are not explained by any order, the first at map " +
                      std::to_string(order->first_unexplained_id)
                : "found one that explains every recorded outcome" +
                      (order->moved ? "; " + with_commas(order->moved) + " events moved"
                                    : std::string(": the recorded one")));
    }
    if (std::string lost = losses(session); !lost.empty())
        row(out, "left out", lost);
    if (std::string lost = recorder_losses_text(session); !lost.empty())
        row(out, "lost", lost);
    if (std::string text = elsewhere_text(session); !text.empty())
        row(out, "not told", text);
    for (const std::string &line : session.config().inferred)
        row(out, "inferred", line);
    out << '\n' << verdict(session, s) << '\n';
}

} // namespace bouncesim
