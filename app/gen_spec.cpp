// SPDX-License-Identifier: Apache-2.0
#include "gen_spec.hpp"

#include "gen_dist.hpp"
#include "gen_stream.hpp"

#include "bounce/boot.h"

#include <algorithm>

namespace bouncesim {
namespace {

constexpr std::size_t devices_most = 4096;

void read_duration(toml_table &top, gen_spec &spec) {
    std::uint64_t value = 0;
    bool in_ns = top.whole("duration_ns", spec.config.duration_ns, 1, gen_time_most);
    bool in_ms = top.thousandths("duration_ms", value, 0.001, 1e12);
    bool in_s = top.thousandths("duration_s", value, 0.001, 1e9);
    if (in_ns + in_ms + in_s != 1)
        top.refuse("one of duration_s, duration_ms and duration_ns was expected");
    if (!in_ns)
        spec.config.duration_ns = value * (in_ms ? 1000 : 1000000);
}

void read_pool(toml_table &pool, gen_spec &spec) {
    pool.whole("slots", spec.nslabs, 128, BOUNCE_MAX_NSLABS);
    pool.number("areas", spec.nareas, 0, BOUNCE_MAX_CPUS);
    if (pool.hex("start", spec.start) && (spec.start % 4096 || spec.start > INT64_MAX))
        pool.refuse("start", "a page-aligned address below 2^63 was expected");
}

void read_masks(toml_table &table, bounce_device &device) {
    std::uint64_t align = 0;
    table.mask("dma_mask", device.dma_mask);
    table.mask("seg_boundary", device.seg_boundary);
    if (!table.mask("min_align_mask", align))
        return;
    if (align > UINT32_MAX)
        table.refuse("min_align_mask", "32 bits at most were expected");
    device.min_align_mask = static_cast<std::uint32_t>(align);
}

// The CPUs that a device's driver runs on; all of them unless it says some.
void read_cpus(toml_table &table, gen_spec &spec, bounce_gen_device &device) {
    std::vector<std::uint16_t> cpus;
    if (const toml::node *node = table.find("cpus")) {
        const toml::array *array = node->as_array();
        if (!array || array->empty() || array->size() > BOUNCE_MAX_CPUS)
            table.refuse("cpus", "a list of CPUs was expected");
        for (const toml::node &item : *array)
            cpus.push_back(static_cast<std::uint16_t>(
                table.whole_of(item, table.path("cpus"), 0, spec.cpus - 1)));
    } else {
        for (std::uint32_t cpu = 0; cpu < spec.cpus; cpu++)
            cpus.push_back(static_cast<std::uint16_t>(cpu));
    }
    spec.cpu_lists.push_back(std::move(cpus));
    device.cpus = spec.cpu_lists.back().data();
    device.ncpus = spec.cpu_lists.back().size();
}

std::string read_name(toml_table &table, const gen_spec &spec) {
    std::string name;
    if (!table.text("name", name) || name.empty() || name.size() >= BOUNCE_DEVICE_NAME_MAX ||
        std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; }))
        table.refuse("device.name: a name of 1 to 63 characters without blanks was expected");
    for (const bounce_device &other : spec.names)
        if (name == other.name)
            table.refuse("device.name: " + name + " is there twice");
    return name;
}

// The device's streams from `first` on get their share of its rate, in thousandths of a hertz.
void share_rate(const toml_table &table, const std::vector<const toml::table *> &from,
                const std::vector<std::uint64_t> &shares, std::uint64_t rate,
                bounce_gen_stream *first) {
    std::uint64_t sum = 0;
    for (std::uint64_t share : shares)
        sum += share;
    for (std::size_t i = 0; i < shares.size(); i++) {
        bounce_gen_stream &stream = first[i];
        bool open = !stream.nloads && stream.arrivals != BOUNCE_ARRIVALS_CLOSED;
        if (!open || stream.rate_mhz)
            continue;
        if (!rate)
            table.refuse(*from[i], "device.stream: a rate was expected, here or of the device");
        stream.rate_mhz = static_cast<std::uint64_t>(
            static_cast<double>(rate) * static_cast<double>(shares[i]) / static_cast<double>(sum));
        stream.rate_mhz = std::max<std::uint64_t>(stream.rate_mhz, 1);
    }
}

// Its own streams stand in place of those of its profile; other keys go before the profile's.
void read_device(toml_table table, gen_spec &spec) {
    bounce_device named;
    bounce_gen_device device = {};
    std::string name = read_name(table, spec), profile;
    std::uint64_t rate = 0;
    if (spec.names.size() == devices_most)
        table.refuse("more than 4096 devices");
    bounce_device_init(&named, name.c_str());
    device.high_percent = 100;
    auto common = [&](toml_table &in) {
        read_masks(in, named);
        in.whole("queue_depth", device.queue_depth, 1, BOUNCE_GEN_LIVE);
        in.thousandths("rate", rate, 0.001, 1e9);
    };
    toml::table preset;
    std::vector<const toml::table *> streams;
    if (table.text("profile", profile)) {
        const char *text = gen_profile(profile);
        if (!text)
            table.refuse("profile", "one of " + gen_profile_names() + " was expected");
        preset = toml::parse(text);
        toml_table part = table.part("profile", preset);
        common(part);
        streams = part.tables("stream");
    }
    common(table);
    device.seg_boundary = named.seg_boundary == UINT64_MAX ? 0 : named.seg_boundary;
    table.number("above_4g_percent", device.high_percent, 0, 100);
    read_cpus(table, spec, device);
    auto own = table.tables("stream");
    if (!own.empty())
        streams = std::move(own);
    if (streams.empty())
        table.refuse("at least one [[device.stream]] was expected, or a profile");
    table.finish();
    auto index = static_cast<std::uint16_t>(spec.devices.size());
    spec.devices.push_back(device);
    spec.names.push_back(named);
    std::size_t first = spec.streams.size();
    std::vector<std::uint64_t> shares;
    for (const toml::table *stream : streams)
        shares.push_back(read_gen_stream(table.part("device.stream", *stream), index, spec));
    share_rate(table, streams, shares, rate, spec.streams.data() + first);
}

} // namespace

void read_gen_spec(const std::string &path, gen_spec &spec) {
    toml::table root = parse_toml(path);
    toml_table top(path, "", root);
    std::string schema = "bouncesim-gen/1";
    if (top.text("schema", schema) && schema != "bouncesim-gen/1")
        top.refuse("schema", "\"bouncesim-gen/1\" was expected");
    top.choice<bool>("level", spec.config.requests, {{"mappings", false}, {"requests", true}});
    top.number("cpus", spec.cpus, 1, BOUNCE_MAX_CPUS);
    top.whole("seed", spec.config.seed, 0, INT64_MAX);
    read_duration(top, spec);
    top.inside("pool", [&](toml_table &in) { read_pool(in, spec); });
    for (const toml::table *device : top.tables("device"))
        read_device(top.part("device", *device), spec);
    if (spec.devices.empty())
        top.refuse("at least one [[device]] was expected");
    top.finish();
    spec.config.devices = spec.devices.data();
    spec.config.ndevices = spec.devices.size();
    spec.config.streams = spec.streams.data();
    spec.config.nstreams = spec.streams.size();
}

} // namespace bouncesim
