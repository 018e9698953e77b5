// SPDX-License-Identifier: Apache-2.0
#include "trace_events.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>

namespace bouncesim {
namespace {

constexpr std::uint64_t cpus_pid = 1, locks_pid = 2, pool_pid = 3, first_device_pid = 10;
// Threads are numbered so that none of another group has the same number.
constexpr std::uint64_t first_cpu = 100000, first_lock = 200000, first_link = 300000;
constexpr std::uint32_t most_areas = 16; // with a counter of their own
constexpr std::size_t write_at = 1 << 16;

void add_number(std::string &out, std::uint64_t value, int base = 10) {
    char digits[24];
    auto end = std::to_chars(digits, digits + sizeof(digits), value, base).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
}

// Microseconds, as the format has them, with three digits for nanoseconds.
void add_us(std::string &out, std::uint64_t ns) {
    char fraction[4] = {'.', static_cast<char>('0' + ns / 100 % 10),
                        static_cast<char>('0' + ns / 10 % 10), static_cast<char>('0' + ns % 10)};
    add_number(out, ns / 1000);
    out.append(fraction, sizeof(fraction));
}

// What stands in a JSON string. A device's name is the trace's text, which may be anything: what is
// not ASCII is shown byte by byte as Latin-1.
std::string escaped(std::string_view text) {
    static const char digits[] = "0123456789abcdef";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out += '\\';
        if (byte >= 0x20 && byte < 0x7f)
            out += c;
        else
            out += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
    }
    return out;
}

const char *dir_name(std::uint8_t dir) {
    return bounce_dir_name(static_cast<bounce_dir>(dir));
}

} // namespace

trace_events::trace_events(const watch_options &options, const bounce_swiotlb_config &pool,
                           const watched_devices &devices)
    : watched_file(options, options.events, devices) {
    text_ = "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"program\":\"bouncesim " BOUNCESIM_VERSION
            "\",\"time\":\"simulated\"},\"traceEvents\":[\n";
    name("process_name", cpus_pid, 0, "CPUs");
    name("process_name", locks_pid, 0, "area locks");
    name("process_name", pool_pid, 0, "pool");
    sort_index(pool_pid);
    sort_index(cpus_pid);
    sort_index(locks_pid);
    for (const char *each : {"used slots", "high-water slots", "slots", "transient slots"})
        pool_.push_back({pool_pid, each});
    pool_[2].value = pool.nslabs;
    areas_ = std::max(pool.nareas, 1u);
    std::uint32_t areas = pool.nslabs && !pool.device_nslabs ? pool.nareas : 0;
    if (areas <= most_areas)
        for (std::uint32_t area = 0; area < areas; area++)
            pool_.push_back({pool_pid, "area " + std::to_string(area) + " used slots"});
    if (!options_.from_ns)
        open_window();
}

// ---- pieces of an event ----

void trace_events::begin(char phase, std::uint64_t pid, std::uint64_t tid, std::uint64_t ns) {
    text_ += events_++ ? ",\n{\"ph\":\"" : "{\"ph\":\"";
    text_ += phase;
    text_ += "\",\"pid\":";
    add_number(text_, pid);
    if (tid) {
        text_ += ",\"tid\":";
        add_number(text_, tid);
    }
    text_ += ",\"ts\":";
    add_us(text_, ns);
}

void trace_events::field(std::string_view key, std::uint64_t value, bool hex) {
    text_ += text_.back() == '{' ? "\"" : ",\"";
    text_ += key;
    text_ += hex ? "\":\"0x" : "\":";
    add_number(text_, value, hex ? 16 : 10);
    if (hex)
        text_ += '"';
}

// `value` is escaped.
void trace_events::text_field(std::string_view key, std::string_view value) {
    text_ += text_.back() == '{' ? "\"" : ",\"";
    text_ += key;
    text_ += "\":\"";
    text_ += value;
    text_ += '"';
}

void trace_events::end(bool args) {
    text_ += args ? "}}" : "}";
    if (text_.size() < write_at)
        return;
    file_.write(text_);
    text_.clear();
}

void trace_events::name(const char *what, std::uint64_t pid, std::uint64_t tid,
                        std::string_view text) {
    begin('M', pid, tid, 0);
    text_field("name", what);
    text_ += ",\"args\":{";
    text_field("name", text);
    end(true);
}

void trace_events::sort_index(std::uint64_t pid) {
    begin('M', pid, 0, 0);
    text_field("name", "process_sort_index");
    text_ += ",\"args\":{";
    field("sort_index", pid == pool_pid ? 0 : pid);
    end(true);
}

// Left open for more: ,"args":{...
void trace_events::slice(std::uint64_t pid, std::uint64_t tid, std::string_view name,
                         std::uint64_t begin_ps, std::uint64_t end_ps) {
    begin('X', pid, tid, begin_ps / 1000);
    text_ += ",\"dur\":";
    add_us(text_, end_ps / 1000 - begin_ps / 1000);
    text_field("name", name);
    text_ += ",\"args\":{";
}

void trace_events::span(std::uint64_t pid, std::string_view category, std::string_view name,
                        std::uint64_t begin_ns, std::uint64_t end_ns, std::uint64_t size,
                        const char *dir) {
    std::uint64_t id = ++spans_;
    for (char phase : {'b', 'e'}) {
        begin(phase, pid, 0, phase == 'b' ? begin_ns : end_ns);
        text_field("cat", category);
        field("id", id, true);
        text_field("name", name);
        if (phase == 'b') {
            text_ += ",\"args\":{";
            field("bytes", size);
            text_field("direction", dir);
        }
        end(phase == 'b');
    }
}

// ---- counters ----

void trace_events::write_counter(counter &which, std::uint64_t ns) {
    begin('C', which.pid, 0, ns);
    text_field("name", which.name);
    text_ += ",\"args\":{";
    field("value", which.value);
    end(true);
    which.written = which.value;
}

void trace_events::open_window() {
    window_open_ = true;
    for (counter &each : pool_)
        write_counter(each, options_.from_ns);
    for (device_state &each : known_)
        for (counter *one : {&each.in_flight, &each.waiting})
            if (each.named && one->value)
                write_counter(*one, options_.from_ns);
}

void trace_events::count(counter &which, std::uint64_t ns, std::uint64_t value) {
    if (ns >= options_.to_ns)
        return;
    if (ns >= options_.from_ns && !window_open_)
        open_window(); // with what held before this
    which.value = value;
    if (ns >= options_.from_ns && which.written != value)
        write_counter(which, ns);
}

void trace_events::pool(std::uint64_t time_ps, const bounce_swiotlb &mem) {
    const bounce_swiotlb_counts &counts = *bounce_swiotlb_get_counts(&mem);
    pool_ns_ = std::max(pool_ns_, time_ps / 1000);
    const std::uint64_t values[] = {counts.used, counts.used_hiwater, counts.nslabs,
                                    counts.transient_nslabs};
    for (std::size_t i = 0; i < 4; i++)
        count(pool_[i], pool_ns_, values[i]);
    for (std::size_t i = 4; i < pool_.size(); i++)
        count(pool_[i], pool_ns_,
              bounce_swiotlb_area_used(&mem, static_cast<std::uint32_t>(i - 4)));
}

void trace_events::full(std::uint64_t time_ps, const bounce_event &event,
                        const bounce_map_result &result, const bounce_pressure &pressure) {
    std::uint64_t ns = std::max(pool_ns_, time_ps / 1000);
    if (ns < options_.from_ns || ns >= options_.to_ns)
        return;
    std::string title = std::string("full: ") + bounce_cause_name(pressure.cause);
    const std::string &device_name = device(event.device).name;
    begin('i', pool_pid, 0, ns);
    text_field("s", "p");
    text_field("name", title);
    text_ += ",\"args\":{";
    text_field("device", device_name);
    field("cpu", event.cpu);
    field("bytes", event.size);
    field("alloc_size", result.alloc_size);
    field("slots_needed", pressure.slots_needed);
    field("free", pressure.free);
    field("best_area_free", pressure.best_area_free);
    field("largest_run", pressure.largest_run);
    end(true);
}

// ---- CPUs and locks ----

std::vector<trace_events::part> &trace_events::parts(std::uint32_t cpu) {
    if (cpu >= parts_.size())
        parts_.resize(std::size_t{cpu} + 1);
    return parts_[cpu];
}

void trace_events::phase(std::uint32_t cpu, models::cpu_phase what, std::uint64_t begin_ps,
                         std::uint64_t end_ps) {
    static const char *const names[] = {"copy", "iommu", "exit"};
    std::vector<part> &all = parts(cpu);
    part one = {names[static_cast<std::size_t>(what)], begin_ps, end_ps, UINT64_MAX};
    if (what != models::cpu_phase::exit) {
        all.push_back(one);
    } else if (inside(begin_ps / 1000, end_ps / 1000)) { // on its own
        slice(cpus_pid, first_cpu + cpu, one.name, begin_ps, end_ps);
        end(true);
    }
}

std::string trace_events::area_name(std::uint32_t number) const {
    std::string pool = number < areas_ ? "" : "pool " + std::to_string(number / areas_) + " ";
    return pool + "area " + std::to_string(number % areas_);
}

void trace_events::lock(const models::lock_report &report) {
    std::uint64_t begin_ns = report.begin_ps / 1000, end_ns = report.end_ps / 1000;
    std::uint64_t arrival_ns = report.arrival_ps / 1000;
    if (report.waited)
        parts(report.cpu).push_back({"lock wait", report.arrival_ps, report.begin_ps, report.area});
    if (!inside(arrival_ns, end_ns))
        return;
    if (report.area >= named_areas_.size())
        named_areas_.resize(std::size_t{report.area} + 1);
    if (!named_areas_[report.area]) {
        named_areas_[report.area] = true;
        name("thread_name", locks_pid, first_lock + report.area, area_name(report.area));
    }
    if (inside(begin_ns, end_ns)) {
        slice(locks_pid, first_lock + report.area, "CPU " + std::to_string(report.cpu),
              report.begin_ps, report.end_ps);
        end(true);
    }
    if (!report.waited)
        return;
    std::uint64_t id = ++spans_;
    for (char phase : {'b', 'e'}) {
        begin(phase, locks_pid, 0, phase == 'b' ? arrival_ns : begin_ns);
        text_field("cat", "lock");
        field("id", id, true);
        text_field("name", "waiting for " + area_name(report.area));
        text_ += ",\"args\":{";
        field("cpu", report.cpu);
        end(true);
    }
}

void trace_events::call(const models::call_report &report) {
    static const char *const names[] = {"map", "unmap", "sync"};
    std::vector<part> &all = parts(report.cpu);
    if (inside(report.begin_ps / 1000, report.end_ps / 1000)) {
        const std::string &device_name = device(report.device).name;
        slice(cpus_pid, first_cpu + report.cpu,
              report.failed ? "map: no room" : names[static_cast<std::size_t>(report.what)],
              report.begin_ps, report.end_ps);
        text_field("device", device_name);
        field("bytes", report.size);
        text_field("direction", dir_name(report.dir));
        end(true);
        write_parts(report.cpu);
    }
    all.clear();
}

void trace_events::write_parts(std::uint32_t cpu) {
    for (const part &each : parts_[cpu]) {
        slice(cpus_pid, first_cpu + cpu, each.name, each.begin_ps, each.end_ps);
        if (each.area != UINT64_MAX)
            field("area", each.area);
        end(true);
    }
}

// ---- devices ----

trace_events::device_state &trace_events::device(std::uint32_t index) {
    if (index >= known_.size())
        known_.resize(std::size_t{index} + 1);
    device_state &found = known_[index];
    if (found.named)
        return found;
    std::uint64_t pid = first_device_pid + index;
    found.named = true;
    found.name = escaped(index < devices_.count ? devices_.table[index].name : "?");
    found.in_flight = {pid, "in flight"};
    found.waiting = {pid, "waiting for room"};
    std::string title = "device " + found.name;
    name("process_name", pid, 0, title);
    sort_index(pid);
    name("thread_name", pid, first_link + index, "DMA");
    return found;
}

void trace_events::transfer(const models::transfer_report &report) {
    if (!inside(report.begin_ps / 1000, report.left_ps / 1000))
        return;
    device(report.device);
    slice(first_device_pid + report.device, first_link + report.device,
          report.read ? "read" : "write", report.begin_ps, report.left_ps);
    field("bytes", report.bytes);
    field("address", report.address, true);
    text_ += ",\"arrived_us\":";
    add_us(text_, report.done_ps / 1000);
    end(true);
}

void trace_events::now(std::uint64_t time_ps) {
    steps_.take_before(time_ps / 1000, [this](std::uint64_t ns, const step &one) {
        device_state &of = device(one.device);
        counter &which = one.waiting ? of.waiting : of.in_flight;
        count(which, ns, one.up ? which.value + 1 : which.value - 1);
    });
}

void trace_events::began(const models::work_report &report, bool waiting, std::uint64_t ns) {
    steps_.push(ns, {report.device, waiting, true});
}

void trace_events::ended(const models::work_report &report, bool waiting, std::uint64_t ns) {
    if (waiting)
        write_work(report, "waiting", "waiting for room", ns);
    else
        write_work(report, "device", "in flight", ns);
    steps_.push(ns, {report.device, waiting, false});
}

void trace_events::write_work(const models::work_report &report, const char *category,
                              const char *what, std::uint64_t ns) {
    device(report.device);
    std::uint64_t begin_ns = report.time_ps / 1000;
    if (inside(begin_ns, ns))
        span(first_device_pid + report.device, category, what, begin_ns, std::max(begin_ns, ns),
             report.size, dir_name(report.dir));
}

// ---- the file ----

void trace_events::finish(std::uint64_t end_ps) {
    end_all([&](const models::work_report &one, bool waiting) {
        if (waiting)
            write_work(one, "waiting", "waiting for room", end_ps / 1000);
        else
            write_work(one, "device", "in flight at the end", end_ps / 1000);
    });
    now(UINT64_MAX);
    for (std::uint32_t cpu = 0; cpu < parts_.size(); cpu++)
        name("thread_name", cpus_pid, first_cpu + cpu, "CPU " + std::to_string(cpu));
    if (!window_open_ && end_ps / 1000 >= options_.from_ns)
        open_window(); // nothing has changed since
    file_.write(text_ + "\n]}\n");
    text_.clear();
}

namespace {

// A window as it was given, not rounded for reading.
std::string exact_time(std::uint64_t ns) {
    char digits[32];
    auto [end, error] =
        std::to_chars(digits, digits + sizeof(digits), static_cast<double>(ns) / 1e9);
    return std::string(digits, end) + " s";
}

} // namespace

std::string trace_events::summary() const {
    return "Trace events: " + with_commas(events_) + " in " + options_.events +
           (options_.from_ns || options_.to_ns != UINT64_MAX
                ? ", from " + exact_time(options_.from_ns) +
                      (options_.to_ns == UINT64_MAX ? "" : " to " + exact_time(options_.to_ns))
                : "") +
           ".\n";
}

} // namespace bouncesim
