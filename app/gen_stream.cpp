// SPDX-License-Identifier: Apache-2.0
#include "gen_stream.hpp"

#include "gen_dist.hpp"

#include <algorithm>

namespace bouncesim {
namespace {

constexpr std::uint64_t size_most = std::uint64_t{1} << 32;

const std::vector<std::pair<const char *, std::uint8_t>> directions = {
    {"bidirectional", 0}, {"to_device", 1}, {"from_device", 2}};
const std::vector<std::pair<const char *, std::uint8_t>> arrivals = {
    {"poisson", BOUNCE_ARRIVALS_POISSON},
    {"regular", BOUNCE_ARRIVALS_REGULAR},
    {"closed", BOUNCE_ARRIVALS_CLOSED}};

void read_burst(const toml_table &table, toml_table &burst, bounce_gen_stream &stream) {
    std::uint64_t on_us = 0, off_us = 0;
    if (!burst.thousandths("on_ms", on_us, 0.001, 1e9) ||
        !burst.thousandths("off_ms", off_us, 0.001, 1e9))
        table.refuse("burst", "{ on_ms = N, off_ms = N } was expected");
    stream.on_ns = on_us * 1000;
    stream.off_ns = off_us * 1000;
}

void read_diurnal(const toml_table &table, toml_table &diurnal, bounce_gen_stream &stream) {
    std::uint64_t period_ms = 0, low = 0;
    if (!diurnal.thousandths("period_s", period_ms, 0.001, 1e8))
        table.refuse("diurnal", "{ period_s = N, low = 0.1 } was expected");
    diurnal.thousandths("low", low, 0, 1);
    stream.period_ns = period_ms * 1000000;
    stream.low_permille = static_cast<std::uint32_t>(low);
}

void read_loads(toml_table &table, gen_spec &spec, bounce_gen_stream &stream) {
    std::vector<bounce_gen_load> loads;
    table.for_each("by_load", [&](toml_table &part) {
        bounce_gen_load load = {};
        part.whole("in_flight", load.from, 0, BOUNCE_GEN_LIVE);
        read_time_dist(part, "gap", spec, load.gap_ns);
        read_time_dist(part, "lifetime", spec, load.lifetime_ns);
        read_dist(part, "size", 1, size_most, 1, spec, load.size);
        loads.push_back(load);
    });
    if (loads.empty())
        return;
    std::sort(loads.begin(), loads.end(),
              [](const auto &a, const auto &b) { return a.from < b.from; });
    stream.arrivals = BOUNCE_ARRIVALS_LOADS;
    spec.loads.push_back(std::move(loads));
    stream.loads = spec.loads.back().data();
    stream.nloads = spec.loads.back().size();
}

// What contradicts itself.
void check(const toml_table &table, const bounce_gen_stream &stream, bool closed, bool rated,
           bool lives, bool thinks) {
    if (!lives && !stream.ring)
        table.refuse("device.stream: a lifetime_us (or _ns, _ms) was expected, or a ring");
    if (stream.ring && (lives || closed))
        table.refuse("device.stream: a ring's buffers live until they are used; no lifetime, "
                     "by_load or closed arrivals were expected");
    if (stream.recycle && !stream.ring)
        table.refuse("device.stream.recycle: of a ring only");
    if (closed && (!stream.in_flight || rated))
        table.refuse("device.stream: closed arrivals take in_flight, and no rate");
    if (thinks && !closed)
        table.refuse("device.stream: a think time is of closed arrivals only");
    if ((stream.on_ns || stream.period_ns) && (stream.nloads || closed))
        table.refuse("device.stream: burst and diurnal take a rate");
}

} // namespace

std::uint64_t read_gen_stream(toml_table table, std::uint16_t device, gen_spec &spec) {
    bounce_gen_stream stream = {};
    std::uint64_t share = 100;
    stream.device = device;
    if (!table.choice("direction", stream.dir, directions))
        table.refuse("device.stream: a direction was expected");
    table.choice("arrivals", stream.arrivals, arrivals);
    bool closed = stream.arrivals == BOUNCE_ARRIVALS_CLOSED;
    bool rated = table.thousandths("rate", stream.rate_mhz, 0.001, 1e9);
    if (table.whole("share", share, 1, 1000000) && rated)
        table.refuse("device.stream: rate or share was expected, not both");
    table.whole("in_flight", stream.in_flight, 1, BOUNCE_GEN_LIVE);
    table.whole("operations", stream.operations, 1, INT64_MAX);
    table.whole("ring", stream.ring, 1, BOUNCE_GEN_LIVE);
    table.number("recycle", stream.recycle, 0, 100);
    table.flag("sync", stream.sync);
    if (!read_dist(table, "size", 1, size_most, 1, spec, stream.size))
        table.refuse("device.stream: a size was expected");
    if (!read_dist(table, "segments", 1, BOUNCE_GEN_SEGMENTS, 1, spec, stream.segments))
        stream.segments.a = 1;
    read_dist(table, "offset", 0, 4095, 1, spec, stream.offset);
    bool lives = read_time_dist(table, "lifetime", spec, stream.lifetime_ns);
    bool thinks = read_time_dist(table, "think", spec, stream.gap_ns);
    table.inside("burst", [&](toml_table &in) { read_burst(table, in, stream); });
    table.inside("diurnal", [&](toml_table &in) { read_diurnal(table, in, stream); });
    read_loads(table, spec, stream);
    table.finish();
    check(table, stream, closed, rated, lives || stream.nloads, thinks);
    spec.streams.push_back(stream);
    return rated ? 0 : share;
}

} // namespace bouncesim
