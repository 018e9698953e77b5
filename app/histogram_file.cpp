// SPDX-License-Identifier: Apache-2.0
// What `info --histograms` writes: a spec from which `gen` makes a trace of the same kind.
#include "info.hpp"
#include "text.hpp"

#include <algorithm>

namespace bouncesim {
namespace {

constexpr std::size_t bins_a_line = 8;

// A TOML basic string; what is not ASCII becomes '?'.
std::string quoted(std::string text) {
    for (char &c : text)
        if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~')
            c = '?';
    return json::serialize(json::string(text));
}

// [[value, count], ...]; of rounded values the middle of what falls together.
std::string bins(const bounce_histogram &histogram) {
    std::string text = "[";
    std::size_t n = 0;
    std::uint64_t rank = 0;
    percentiles sorted(histogram);
    for (const bounce_bin &bin : sorted) {
        std::uint64_t value = bounce_histogram_at(&histogram, sorted.begin(), rank);
        rank += bin.count;
        text += n ? "," : "";
        text += n && n % bins_a_line == 0 ? "\n      " : n ? " " : "";
        text += "[" + std::to_string(value) + ", " + std::to_string(bin.count) + "]";
        n++;
    }
    return text + "]";
}

void add_stream(std::string &out, const bounce_profile_stream &s, unsigned dir, bool told) {
    out += "\n  [[device.stream]]\n";
    out += "  direction = \"" + std::string(direction_name(dir)) + "\"\n";
    out += "  operations = " + std::to_string(s.operations) + "\n";
    out += "  in_flight = " + std::to_string(s.in_flight_peak) + "\n";
    out += "  size = { values = " + bins(s.sizes) + " }\n";
    if (s.segments.max > 1)
        out += "  segments = { values = " + bins(s.segments) + " }\n";
    for (unsigned load = 0; load < BOUNCE_PROFILE_LOADS; load++) {
        const bounce_profile_load &l = s.loads[load];
        if (!l.sizes.count)
            continue;
        out += "\n    [[device.stream.by_load]]\n";
        out += "    in_flight = " + std::to_string(std::uint64_t{1} << load) + "\n";
        out += "    size = { values = " + bins(l.sizes) + " }\n";
        if (l.gaps.count)
            out += "    gap_ns = { values = " + bins(l.gaps) + " }\n";
        if (l.times.count && told)
            out += "    lifetime_ns = { values = " + bins(l.times) + " }\n";
    }
}

} // namespace

std::string histogram_file(const trace_info &info) {
    const trace_session &session = *info.session;
    const bounce_profile *profile = info.profile.get();
    const bounce_inference &recorded = session.config().recorded;
    bool told = !session.config().assumed_service;
    std::string out = "# Written by bouncesim info; `bouncesim gen` makes a trace of this kind.\n";
    out += "schema = \"bouncesim-gen/1\"\n";
    out +=
        std::string("level = \"") + (session.config().requests ? "requests" : "mappings") + "\"\n";
    out += "duration_ns = " + std::to_string(std::max<std::uint64_t>(session.counts().span_ns, 1)) +
           "\n";
    out += "cpus = " + std::to_string(std::max(recorded.cpus, 1u)) + "\n";
    for (std::size_t i = 0; i < session.devices().size(); i++) {
        const bounce_device &device = session.devices()[i];
        if (!bounce_profile_device_level(profile, i))
            continue;
        out += "\n[[device]]\nname = " + quoted(device.name) + "\n";
        out += "dma_mask = \"" + hex(device.dma_mask) + "\"\n";
        out += "min_align_mask = \"" + hex(device.min_align_mask) + "\"\n";
        for (unsigned dir = 0; dir < 4; dir++) {
            const auto *s = bounce_profile_stream_of(profile, i, static_cast<bounce_dir>(dir));
            if (s && s->operations && dir != BOUNCE_DIR_NONE)
                add_stream(out, *s, dir, told);
        }
    }
    return out;
}

} // namespace bouncesim
