// SPDX-License-Identifier: Apache-2.0
#include "gen_spec.hpp"

#include "errors.hpp"

#include "bounce/boot.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#ifdef BOUNCESIM_TOML
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>
#endif

namespace bouncesim {
#ifndef BOUNCESIM_TOML

void read_gen_spec(const std::string &path, gen_spec &) {
    throw refused_error(path + ": this build reads no TOML; install libtomlplusplus-dev and build "
                               "again");
}

#else
namespace {

constexpr std::uint64_t time_most = std::uint64_t{1} << 60; // ns: 36 years
constexpr std::uint64_t size_most = std::uint64_t{1} << 32;

// One table: its keys are asked for, and what nobody asked for is an error.
class spec_table {
  public:
    spec_table(const std::string &file, std::string name, const toml::table &table)
        : file_(file), name_(std::move(name)), table_(table) {}
    const std::string &file() const {
        return file_;
    }
    const toml::node *find(const char *key) {
        seen_.insert(key);
        return table_.get(key);
    }
    const toml::table &table() const {
        return table_;
    }
    [[noreturn]] void refuse(const toml::node &at, const std::string &what) const {
        throw refused_error(file_ + ":" + std::to_string(at.source().begin.line) + ": " + what);
    }
    [[noreturn]] void refuse(const std::string &what) const {
        refuse(table_, what);
    }
    std::string path(const char *key) const {
        return name_.empty() ? key : name_ + "." + key;
    }
    bool whole(const char *key, std::uint64_t &value, std::uint64_t least, std::uint64_t most) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        value = whole_of(*node, path(key), least, most);
        return true;
    }
    std::uint64_t whole_of(const toml::node &node, const std::string &what, std::uint64_t least,
                           std::uint64_t most) const {
        auto found = node.value_exact<std::int64_t>();
        if (!found || *found < 0 || static_cast<std::uint64_t>(*found) < least ||
            static_cast<std::uint64_t>(*found) > most)
            refuse(node, what + ": a whole number from " + std::to_string(least) + " to " +
                             std::to_string(most) + " was expected");
        return static_cast<std::uint64_t>(*found);
    }
    // In thousandths of the unit: rounded half up, so that it is the same everywhere.
    bool thousandths(const char *key, std::uint64_t &value, double least, double most) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value<double>();
        if (!found || !(*found >= least && *found <= most))
            refuse(*node, path(key) + ": a number from " + number_text(least) + " to " +
                              number_text(most) + " was expected");
        value = static_cast<std::uint64_t>(std::floor(*found * 1000 + 0.5));
        return true;
    }
    bool text(const char *key, std::string &value) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<std::string>();
        if (!found)
            refuse(*node, path(key) + ": a string was expected");
        value = *found;
        return true;
    }
    bool flag(const char *key, bool &value) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<bool>();
        if (!found)
            refuse(*node, path(key) + ": true or false was expected");
        value = *found;
        return true;
    }
    bool hex(const char *key, std::uint64_t &value, bool mask) {
        const toml::node *node = find(key);
        if (!node)
            return false;
        auto found = node->value_exact<std::string>();
        std::string_view digits = found ? std::string_view(*found) : std::string_view();
        if (digits.substr(0, 2) == "0x")
            digits.remove_prefix(2);
        auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
            (mask && (value & (value + 1))))
            refuse(*node, path(key) + ": a string of hexadecimal digits was expected" +
                              (mask ? ", a mask of the form 2^n - 1" : ""));
        return true;
    }
    // After everything was asked for.
    void finish() const {
        for (const auto &[key, node] : table_)
            if (!seen_.count(std::string(key.str())))
                refuse(node, path(std::string(key.str()).c_str()) +
                                 ": no such key here; known are " + known());
    }

  private:
    static std::string number_text(double value) {
        std::string text = std::to_string(value);
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.')
            text.pop_back();
        return text;
    }
    std::string known() const {
        std::string names;
        for (const std::string &key : seen_)
            names += (names.empty() ? "" : ", ") + key;
        return names;
    }

    const std::string &file_;
    std::string name_;
    const toml::table &table_;
    std::set<std::string> seen_;
};

toml::table parse_file(const std::string &path) {
    try {
        return toml::parse_file(path);
    } catch (const toml::parse_error &e) {
        std::uint32_t line = e.source().begin.line;
        throw refused_error(path + ":" + (line ? std::to_string(line) + ":" : "") + " " +
                            std::string(e.description()));
    }
}

class spec_reader {
  public:
    spec_reader(const std::string &path, gen_spec &spec) : path_(path), spec_(spec) {}

    void read() {
        toml::table root = parse_file(path_);
        spec_table top(path_, "", root);
        std::string schema = "bouncesim-gen/1", level = "mappings";
        if (top.text("schema", schema) && schema != "bouncesim-gen/1")
            top.refuse(*top.find("schema"), "schema: \"bouncesim-gen/1\" was expected");
        if (top.text("level", level) && level != "mappings" && level != "requests")
            top.refuse(*top.find("level"), "level: \"mappings\" or \"requests\" was expected");
        spec_.config.requests = level == "requests";
        std::uint64_t cpus = 1, ms = 0;
        top.whole("cpus", cpus, 1, BOUNCE_MAX_CPUS);
        top.whole("seed", spec_.config.seed, 0, INT64_MAX);
        bool in_ns = top.whole("duration_ns", spec_.config.duration_ns, 1, time_most);
        bool in_ms = top.thousandths("duration_ms", ms, 0.001, 1e12);
        bool in_s = top.thousandths("duration_s", ms, 0.001, 1e9);
        if (in_ns + in_ms + in_s != 1)
            top.refuse("one of duration_s, duration_ms and duration_ns was expected");
        if (in_ms)
            spec_.config.duration_ns = ms * 1000;
        if (in_s)
            spec_.config.duration_ns = ms * 1000000;
        spec_.cpus = static_cast<std::uint32_t>(cpus);
        read_pool(top);
        for (const toml::table *table : tables(top, "device", true))
            read_device(*table);
        top.finish();
        for (std::size_t i = 0; i < spec_.streams.size(); i++) // the loads have moved with it
            if (spec_.streams[i].nloads)
                spec_.streams[i].arrivals = BOUNCE_ARRIVALS_LOADS;
        spec_.config.devices = spec_.devices.data();
        spec_.config.ndevices = spec_.devices.size();
        spec_.config.streams = spec_.streams.data();
        spec_.config.nstreams = spec_.streams.size();
    }

  private:
    std::vector<const toml::table *> tables(spec_table &in, const char *key, bool needed) {
        std::vector<const toml::table *> found;
        const toml::node *node = in.find(key);
        if (!node && needed)
            in.refuse("at least one [[" + in.path(key) + "]] was expected");
        if (!node)
            return found;
        const toml::array *array = node->as_array();
        if (!array || array->empty())
            in.refuse(*node, in.path(key) + ": tables were expected, [[" + in.path(key) + "]]");
        for (const toml::node &item : *array) {
            if (!item.as_table())
                in.refuse(item, in.path(key) + ": a table was expected");
            found.push_back(item.as_table());
        }
        return found;
    }

    void read_pool(spec_table &top) {
        const toml::node *node = top.find("pool");
        if (!node)
            return;
        if (!node->as_table())
            top.refuse(*node, "pool: a table was expected");
        spec_table pool(path_, "pool", *node->as_table());
        std::uint64_t areas = 0;
        pool.whole("slots", spec_.nslabs, 128, BOUNCE_MAX_NSLABS);
        pool.whole("areas", areas, 0, BOUNCE_MAX_CPUS);
        if (pool.hex("start", spec_.start, false) &&
            (spec_.start % 4096 || spec_.start > INT64_MAX))
            pool.refuse("pool.start: a page-aligned address below 2^63 was expected");
        spec_.nareas = static_cast<std::uint32_t>(areas);
        pool.finish();
    }

    void read_masks(spec_table &table, bounce_device &device) {
        std::uint64_t mask = 0;
        table.hex("dma_mask", device.dma_mask, true);
        table.hex("seg_boundary", device.seg_boundary, true);
        if (table.hex("min_align_mask", mask, true)) {
            if (mask > UINT32_MAX)
                table.refuse("min_align_mask has 32 bits");
            device.min_align_mask = static_cast<std::uint32_t>(mask);
        }
    }

    void read_cpus(spec_table &table, bounce_gen_device &device) {
        std::vector<std::uint16_t> cpus;
        if (const toml::node *node = table.find("cpus")) {
            const toml::array *array = node->as_array();
            if (!array || array->empty() || array->size() > BOUNCE_MAX_CPUS)
                table.refuse(*node, table.path("cpus") + ": a list of CPUs was expected");
            for (const toml::node &item : *array)
                cpus.push_back(static_cast<std::uint16_t>(
                    table.whole_of(item, table.path("cpus"), 0, spec_.cpus - 1)));
        } else {
            for (std::uint32_t cpu = 0; cpu < spec_.cpus; cpu++)
                cpus.push_back(static_cast<std::uint16_t>(cpu));
        }
        spec_.cpu_lists.push_back(std::move(cpus));
        device.cpus = spec_.cpu_lists.back().data();
        device.ncpus = spec_.cpu_lists.back().size();
    }

    void read_device(const toml::table &from) {
        spec_table table(path_, "device", from);
        bounce_device named;
        bounce_gen_device device = {};
        std::string name, profile_name;
        if (!table.text("name", name) || name.empty() || name.size() >= BOUNCE_DEVICE_NAME_MAX ||
            std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; }))
            table.refuse("device.name: a name of 1 to 63 characters without blanks was expected");
        for (const bounce_device &other : spec_.names)
            if (name == other.name)
                table.refuse("device.name: " + name + " is there twice");
        if (spec_.names.size() == 4096)
            table.refuse("more than 4096 devices");
        bounce_device_init(&named, name.c_str());
        device.high_percent = 100;
        std::uint64_t rate = 0, high = 100;
        auto common = [&](spec_table &t) {
            read_masks(t, named);
            t.whole("queue_depth", device.queue_depth, 1, BOUNCE_GEN_LIVE);
            t.thousandths("rate", rate, 0.001, 1e9);
        };
        toml::table preset;
        std::vector<const toml::table *> streams;
        if (table.text("profile", profile_name)) {
            const char *text = gen_profile(profile_name);
            if (!text)
                table.refuse(*table.find("profile"),
                             "device.profile: one of " + gen_profile_names() + " was expected");
            preset = toml::parse(text);
            spec_table p(path_, "profile", preset);
            common(p);
            streams = tables(p, "stream", true);
        }
        common(table);
        table.whole("above_4g_percent", high, 0, 100);
        device.high_percent = static_cast<std::uint32_t>(high);
        read_cpus(table, device);
        auto own = tables(table, "stream", profile_name.empty());
        if (!own.empty())
            streams = std::move(own);
        table.finish();
        auto index = static_cast<std::uint16_t>(spec_.devices.size());
        spec_.devices.push_back(device);
        spec_.names.push_back(named);
        std::uint64_t shares = 0;
        std::vector<std::uint64_t> share_of;
        for (const toml::table *stream : streams)
            share_of.push_back(read_stream(*stream, index, name));
        for (std::uint64_t share : share_of)
            shares += share;
        std::size_t first = spec_.streams.size() - streams.size();
        for (std::size_t i = 0; i < streams.size(); i++) {
            bounce_gen_stream &stream = spec_.streams[first + i];
            bool open = !stream.nloads && stream.arrivals != BOUNCE_ARRIVALS_CLOSED;
            if (!open || stream.rate_mhz)
                continue;
            if (!rate)
                throw refused_error(path_ + ":" + std::to_string(streams[i]->source().begin.line) +
                                    ": device.stream: a rate was expected, here or of the device");
            if (share_of[i])
                stream.rate_mhz = static_cast<std::uint64_t>(static_cast<double>(rate) *
                                                             static_cast<double>(share_of[i]) /
                                                             static_cast<double>(shares));
            stream.rate_mhz = std::max<std::uint64_t>(stream.rate_mhz, 1);
        }
    }

    // Returns its share of the device's rate.
    std::uint64_t read_stream(const toml::table &from, std::uint16_t device,
                              const std::string &device_name) {
        spec_table table(path_, "device.stream", from);
        bounce_gen_stream s = {};
        std::string direction, arrivals = "poisson";
        std::uint64_t share = 100, value = 0;
        s.device = device;
        table.text("direction", direction);
        s.dir = static_cast<std::uint8_t>(direction_of(table, direction));
        if (table.text("arrivals", arrivals))
            s.arrivals = arrivals_of(table, arrivals);
        bool rated = table.thousandths("rate", s.rate_mhz, 0.001, 1e9);
        if (table.whole("share", share, 1, 1000000) && rated)
            table.refuse("device.stream: rate or share was expected, not both");
        table.whole("in_flight", s.in_flight, 1, BOUNCE_GEN_LIVE);
        table.whole("operations", s.operations, 1, INT64_MAX);
        table.whole("ring", s.ring, 1, BOUNCE_GEN_LIVE);
        if (table.whole("recycle", value, 0, 100))
            s.recycle = static_cast<std::uint32_t>(value);
        table.flag("sync", s.sync);
        if (!dist(table, "size", 1, size_most, 1, s.size))
            table.refuse("device.stream: a size was expected");
        if (!dist(table, "segments", 1, BOUNCE_GEN_SEGMENTS, 1, s.segments))
            s.segments.a = 1;
        dist(table, "offset", 0, 4095, 1, s.offset);
        bool lives = time_dist(table, "lifetime", s.lifetime_ns);
        bool thinks = time_dist(table, "think", s.gap_ns);
        read_burst(table, s);
        read_diurnal(table, s);
        for (const toml::table *load : tables(table, "by_load", false))
            add_load(*load);
        if (!pending_loads_.empty()) {
            spec_.loads.push_back(std::move(pending_loads_));
            pending_loads_.clear();
            s.loads = spec_.loads.back().data();
            s.nloads = spec_.loads.back().size();
            std::sort(spec_.loads.back().begin(), spec_.loads.back().end(),
                      [](const auto &a, const auto &b) { return a.from < b.from; });
            lives = true;
        }
        table.finish();
        if (!lives && !s.ring)
            table.refuse("device.stream: a lifetime_us (or _ns, _ms) was expected, or a ring");
        if (s.ring && (lives || s.nloads || s.arrivals == BOUNCE_ARRIVALS_CLOSED))
            table.refuse("device.stream: a ring's buffers live until they are used; no lifetime, "
                         "by_load or closed arrivals were expected");
        if (s.recycle && !s.ring)
            table.refuse("device.stream.recycle: of a ring only");
        if (s.arrivals == BOUNCE_ARRIVALS_CLOSED && (!s.in_flight || rated))
            table.refuse("device.stream: closed arrivals take in_flight, and no rate");
        if (thinks && s.arrivals != BOUNCE_ARRIVALS_CLOSED)
            table.refuse("device.stream: a think time is of closed arrivals only");
        if ((s.on_ns || s.period_ns) && (s.nloads || s.arrivals == BOUNCE_ARRIVALS_CLOSED))
            table.refuse("device.stream: burst and diurnal take a rate");
        (void)device_name;
        spec_.streams.push_back(s);
        return rated ? 0 : share;
    }

    static int direction_of(spec_table &table, const std::string &name) {
        static const char *const names[] = {"bidirectional", "to_device", "from_device"};
        for (int i = 0; i < 3; i++)
            if (name == names[i])
                return i;
        table.refuse("device.stream.direction: \"to_device\", \"from_device\" or "
                     "\"bidirectional\" was expected");
    }

    static std::uint8_t arrivals_of(spec_table &table, const std::string &name) {
        if (name == "poisson")
            return BOUNCE_ARRIVALS_POISSON;
        if (name == "regular")
            return BOUNCE_ARRIVALS_REGULAR;
        if (name == "closed")
            return BOUNCE_ARRIVALS_CLOSED;
        table.refuse("device.stream.arrivals: \"poisson\", \"regular\" or \"closed\" was expected");
    }

    void read_burst(spec_table &table, bounce_gen_stream &s) {
        const toml::node *node = table.find("burst");
        if (!node)
            return;
        if (!node->as_table())
            table.refuse(*node, "device.stream.burst: { on_ms = N, off_ms = N } was expected");
        spec_table burst(path_, "device.stream.burst", *node->as_table());
        std::uint64_t on_us = 0, off_us = 0;
        if (!burst.thousandths("on_ms", on_us, 0.001, 1e9) ||
            !burst.thousandths("off_ms", off_us, 0.001, 1e9))
            burst.refuse("device.stream.burst: on_ms and off_ms were expected");
        s.on_ns = on_us * 1000;
        s.off_ns = off_us * 1000;
        burst.finish();
    }

    void read_diurnal(spec_table &table, bounce_gen_stream &s) {
        const toml::node *node = table.find("diurnal");
        if (!node)
            return;
        if (!node->as_table())
            table.refuse(*node, "device.stream.diurnal: { period_s = N, low = 0.1 } was expected");
        spec_table diurnal(path_, "device.stream.diurnal", *node->as_table());
        std::uint64_t period_ms = 0, low = 0;
        if (!diurnal.thousandths("period_s", period_ms, 0.001, 1e8))
            diurnal.refuse("device.stream.diurnal: period_s was expected");
        diurnal.thousandths("low", low, 0, 1);
        s.period_ns = period_ms * 1000000;
        s.low_permille = static_cast<std::uint32_t>(low);
        diurnal.finish();
    }

    void add_load(const toml::table &from) {
        spec_table table(path_, "device.stream.by_load", from);
        bounce_gen_load load = {};
        table.whole("in_flight", load.from, 0, BOUNCE_GEN_LIVE);
        time_dist(table, "gap", load.gap_ns);
        time_dist(table, "lifetime", load.lifetime_ns);
        dist(table, "size", 1, size_most, 1, load.size);
        table.finish();
        pending_loads_.push_back(load);
    }

    // KEY_ns, KEY_us or KEY_ms.
    bool time_dist(spec_table &table, const std::string &key, bounce_dist &out) {
        static const struct {
            const char *unit;
            std::uint64_t ns;
        } units[] = {{"_ns", 1}, {"_us", 1000}, {"_ms", 1000000}};
        int found = 0;
        for (const auto &unit : units)
            found += dist(table, (key + unit.unit).c_str(), 0, time_most / unit.ns, unit.ns, out);
        if (found > 1)
            table.refuse(table.path(key.c_str()) + ": one unit of _ns, _us and _ms was expected");
        return found;
    }

    // A number, or a table with one of values, uniform, exponential and median; times `unit`.
    bool dist(spec_table &table, const char *key, std::uint64_t least, std::uint64_t most,
              std::uint64_t unit, bounce_dist &out) {
        const toml::node *node = table.find(key);
        if (!node)
            return false;
        std::string what = table.path(key);
        out = {};
        if (!node->as_table()) {
            out.a = table.whole_of(*node, what, least, most) * unit;
            return true;
        }
        spec_table form(path_, what, *node->as_table());
        int forms = 0;
        std::uint64_t a = 0, b = 0;
        if (const toml::node *values = form.find("values")) {
            forms++;
            read_values(form, *values, what, least, most, unit, out);
        }
        if (const toml::node *range = form.find("uniform")) {
            const toml::array *pair = range->as_array();
            std::uint64_t step = 1;
            forms++;
            if (!pair || pair->size() != 2)
                form.refuse(*range, what + ".uniform: [LOWEST, HIGHEST] was expected");
            a = form.whole_of(*pair->get(0), what, least, most);
            b = form.whole_of(*pair->get(1), what, a, most);
            form.whole("step", step, 1, most);
            out = {BOUNCE_DIST_UNIFORM, a * unit, b * unit, step * unit, nullptr, 0};
        }
        if (form.whole("exponential", a, std::max<std::uint64_t>(least, 1), most)) {
            forms++;
            out = {BOUNCE_DIST_EXPONENTIAL, a * unit, 0, 0, nullptr, 0};
        }
        if (form.whole("median", a, std::max<std::uint64_t>(least, 1), most)) {
            forms++;
            if (!form.whole("p99", b, a, most))
                form.refuse(what + ": median and p99 were expected");
            out = {BOUNCE_DIST_LOG_NORMAL, a * unit, b * unit, 0, nullptr, 0};
        }
        form.finish();
        if (forms != 1)
            table.refuse(*node, what + ": a number, or one of { values = [[VALUE, WEIGHT], ...] }, "
                                       "{ uniform = [LOWEST, HIGHEST] }, { exponential = MEAN } "
                                       "and { median = N, p99 = N } was expected");
        return true;
    }

    void read_values(spec_table &form, const toml::node &node, const std::string &what,
                     std::uint64_t least, std::uint64_t most, std::uint64_t unit,
                     bounce_dist &out) {
        const toml::array *rows = node.as_array();
        std::vector<bounce_bin> bins;
        std::uint64_t sum = 0;
        if (!rows || rows->empty())
            form.refuse(node, what + ".values: [[VALUE, WEIGHT], ...] was expected");
        for (const toml::node &row : *rows) {
            const toml::array *pair = row.as_array();
            if (!pair || pair->size() != 2)
                form.refuse(row, what + ".values: [VALUE, WEIGHT] was expected");
            std::uint64_t value = form.whole_of(*pair->get(0), what, least, most);
            sum += form.whole_of(*pair->get(1), what + " (weight)", 0,
                                 static_cast<std::uint64_t>(INT64_MAX) - sum);
            bins.push_back({value * unit, sum});
        }
        if (!sum)
            form.refuse(node, what + ".values: weights above 0 were expected");
        spec_.bins.push_back(std::move(bins));
        out = {BOUNCE_DIST_VALUES, 0, 0, 0, spec_.bins.back().data(), spec_.bins.back().size()};
    }

    const std::string &path_;
    gen_spec &spec_;
    std::vector<bounce_gen_load> pending_loads_;
};

} // namespace

void read_gen_spec(const std::string &path, gen_spec &spec) {
    spec_reader(path, spec).read();
}

#endif
} // namespace bouncesim
