// SPDX-License-Identifier: Apache-2.0
#include "vcd.hpp"

#include "errors.hpp"
#include "text.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fnmatch.h>

namespace bouncesim {
namespace {

constexpr std::uint32_t most_areas = 64; // with signals of their own; as in the timeline
constexpr std::uint32_t most_cpus = 256;
constexpr std::size_t write_at = 1 << 16;
enum { in_flight, waiting, dma };

// Identifiers of the format have neither blanks nor points, and a device's name may be anything.
std::string identifier(const std::string &name) {
    std::string out;
    for (char c : name)
        out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return out.empty() ? "_" : out;
}

// "!", "\"", ... "~", "!!": printable, as short as can be.
std::string code_of(std::size_t index) {
    std::string code;
    for (std::size_t rest = index + 1; rest; rest = (rest - 1) / 94)
        code += static_cast<char>('!' + (rest - 1) % 94);
    return code;
}

} // namespace

vcd::vcd(const watch_options &options, const bounce_swiotlb_config &pool,
         const watched_devices &devices)
    : watched_file(options, options.vcd, devices), body_(std::tmpfile(), std::fclose),
      matched_(options.signals.size()) {
    if (!body_)
        throw run_error(std::string("cannot create a temporary file: ") + std::strerror(errno));
    used_ = add("pool", "used", kind::number);
    hiwater_ = add("pool", "hiwater", kind::number);
    slots_ = add("pool", "slots", kind::number, pool.nslabs);
    transient_ = add("pool", "transient", kind::number);
    full_ = add("pool", "full", kind::strobe);
    cause_ = add("pool", "full_cause", kind::number);
    std::uint32_t areas = pool.nslabs && !pool.device_nslabs ? pool.nareas : 0;
    area_slots_ = areas ? pool.nslabs / areas : 0;
    for (std::uint32_t n = 0; n < std::min(areas, most_areas); n++) {
        std::string scope = "area" + std::to_string(n);
        areas_.push_back({add(scope, "used", kind::number),
                          add(scope, "free", kind::number, area_slots_),
                          add(scope, "locked", kind::bit), add(scope, "waiting", kind::number)});
    }
    for (std::uint32_t n = 0; n < std::min(pool.cpus, most_cpus); n++) {
        std::string scope = "cpu" + std::to_string(n);
        cpus_.push_back({add(scope, "copying", kind::bit), add(scope, "lock_wait", kind::bit)});
    }
    for (std::size_t i = 0; i < matched_.size(); i++)
        if (!matched_[i] && options_.signals[i].rfind("device", 0) != 0)
            throw refused_error("--vcd-signals " + options_.signals[i] +
                                ": no signal has such a name; there are pool.used, area0.locked, "
                                "cpu0.copying, device.NAME.in_flight and others (docs/seeing.md)");
}

bool vcd::chosen(const std::string &path) const {
    if (options_.signals.empty())
        return true;
    for (const std::string &pattern : options_.signals)
        if (fnmatch(pattern.c_str(), path.c_str(), 0) == 0)
            return true;
    return false;
}

std::uint32_t vcd::add(const std::string &scope, const std::string &name, kind type,
                       std::uint64_t value) {
    std::string path = scope + "." + name;
    for (std::size_t i = 0; i < options_.signals.size(); i++)
        if (fnmatch(options_.signals[i].c_str(), path.c_str(), 0) == 0)
            matched_[i] = true;
    if (!chosen(path))
        return none;
    signals_.push_back({scope, name, type, code_of(signals_.size()), value, value});
    return static_cast<std::uint32_t>(signals_.size() - 1);
}

// ---- what is told ----

void vcd::tell(std::uint32_t which, std::uint64_t ns, edit how, std::uint64_t value) {
    if (which != none)
        changes_.push(ns, {which, how, value});
}

void vcd::now(std::uint64_t time_ps) {
    changes_.take_before(time_ps / 1000,
                         [this](std::uint64_t ns, const change &one) { apply(ns, one); });
}

void vcd::phase(std::uint32_t cpu, models::cpu_phase what, std::uint64_t begin_ps,
                std::uint64_t end_ps) {
    if (what != models::cpu_phase::copy || cpu >= cpus_.size())
        return;
    tell(cpus_[cpu].copying, begin_ps / 1000, edit::set, 1);
    tell(cpus_[cpu].copying, end_ps / 1000, edit::set, 0);
}

void vcd::lock(const models::lock_report &report) {
    std::uint64_t arrival = report.arrival_ps / 1000, begin = report.begin_ps / 1000;
    if (report.waited && report.cpu < cpus_.size()) {
        tell(cpus_[report.cpu].waiting, arrival, edit::set, 1);
        tell(cpus_[report.cpu].waiting, begin, edit::set, 0);
    }
    if (report.area >= areas_.size())
        return;
    const area_signals &area = areas_[report.area];
    if (report.waited) {
        tell(area.waiting, arrival, edit::add, 1);
        tell(area.waiting, begin, edit::subtract, 1);
    }
    tell(area.locked, begin, edit::set, 1);
    tell(area.locked, report.end_ps / 1000, edit::set, 0);
}

std::vector<std::uint32_t> vcd::device_signals(std::uint32_t device) {
    if (device >= known_.size())
        known_.resize(std::size_t{device} + 1);
    std::vector<std::uint32_t> &found = known_[device];
    if (found.empty()) {
        std::string name = device < devices_.count ? devices_.table[device].name : "";
        std::string scope = "device." + identifier(name), wanted = scope;
        auto taken = [&](const signal &each) { return each.scope == scope; };
        for (std::uint32_t n = 2; std::any_of(signals_.begin(), signals_.end(), taken); n++)
            scope = wanted + "_" + std::to_string(n); // names that differ in odd characters only
        found = {add(scope, "in_flight", kind::number), add(scope, "waiting", kind::number),
                 add(scope, "dma", kind::bit)};
    }
    return found;
}

void vcd::transfer(const models::transfer_report &report) {
    std::uint32_t link = device_signals(report.device)[dma];
    tell(link, report.begin_ps / 1000, edit::set, 1);
    tell(link, report.left_ps / 1000, edit::set, 0);
}

void vcd::began(const models::work_report &report, bool waits, std::uint64_t ns) {
    tell(device_signals(report.device)[waits ? waiting : in_flight], ns, edit::add, 1);
}

void vcd::ended(const models::work_report &report, bool waits, std::uint64_t ns) {
    tell(device_signals(report.device)[waits ? waiting : in_flight], ns, edit::subtract, 1);
}

void vcd::pool(std::uint64_t time_ps, const bounce_swiotlb &mem) {
    const bounce_swiotlb_counts &counts = *bounce_swiotlb_get_counts(&mem);
    std::uint64_t ns = pool_ns_ = std::max(pool_ns_, time_ps / 1000);
    tell(used_, ns, edit::set, counts.used);
    tell(hiwater_, ns, edit::set, counts.used_hiwater);
    tell(slots_, ns, edit::set, counts.nslabs);
    tell(transient_, ns, edit::set, counts.transient_nslabs);
    for (std::uint32_t n = 0; n < areas_.size(); n++) {
        std::uint64_t used = bounce_swiotlb_area_used(&mem, n);
        tell(areas_[n].used, ns, edit::set, used);
        tell(areas_[n].free, ns, edit::set, area_slots_ - std::min(used, area_slots_));
    }
}

void vcd::full(std::uint64_t time_ps, const bounce_event &, const bounce_map_result &,
               const bounce_pressure &pressure) {
    std::uint64_t ns = pool_ns_ = std::max(pool_ns_, time_ps / 1000);
    tell(cause_, ns, edit::set, pressure.cause);
    tell(full_, ns, edit::set, 1);
}

// ---- what is written ----

void vcd::write_change(const signal &which, std::string &out, std::uint64_t value) const {
    char digits[66];
    auto end = std::to_chars(digits, digits + sizeof(digits), value, 2).ptr;
    if (which.type == kind::number) {
        out += 'b';
        out.append(digits, static_cast<std::size_t>(end - digits));
        out += ' ';
    } else {
        out += which.type == kind::strobe || value ? '1' : '0';
    }
    out += which.code;
    out += '\n';
}

void vcd::apply(std::uint64_t ns, const change &one) {
    signal &which = signals_[one.signal];
    std::uint64_t value = one.how == edit::set   ? one.value
                          : one.how == edit::add ? which.value + one.value
                                                 : which.value - one.value;
    if (which.type != kind::strobe) {
        if (value == which.value)
            return;
        which.value = value;
    }
    if (ns < options_.from_ns) {
        which.first = which.value;
        return;
    }
    if (ns >= options_.to_ns)
        return;
    if (ns != written_ns_) {
        text_ += '#' + std::to_string(ns) + '\n';
        written_ns_ = ns;
    }
    write_change(which, text_, value);
    written_++;
    if (text_.size() >= write_at) {
        keep(text_);
        text_.clear();
    }
}

void vcd::keep(const std::string &text) {
    if (std::fwrite(text.data(), 1, text.size(), body_.get()) != text.size())
        throw run_error(std::string("cannot write a temporary file: ") + std::strerror(errno));
}

std::string vcd::header() const {
    std::string out = "$version bouncesim " BOUNCESIM_VERSION " $end\n$timescale 1 ns $end\n"
                      "$comment full_cause:";
    for (int cause = BOUNCE_CAUSE_NO_POOL; cause < BOUNCE_CAUSE_COUNT; cause++)
        out +=
            " " + std::to_string(cause) + " " + bounce_cause_name(static_cast<bounce_cause>(cause));
    out += " $end\n$scope module bouncesim $end\n";
    bool in_device = false; // devices come last
    for (std::size_t i = 0; i < signals_.size(); i++) {
        const signal &each = signals_[i];
        std::size_t point = each.scope.find('.');
        if (point != std::string::npos && !in_device) {
            out += "$scope module device $end\n";
            in_device = true;
        }
        if (!i || signals_[i - 1].scope != each.scope)
            out += "$scope module " + each.scope.substr(point + 1) + " $end\n"; // npos + 1: 0
        const char *type = each.type == kind::number ? "integer 64 "
                           : each.type == kind::bit  ? "wire 1 "
                                                     : "event 1 ";
        out += std::string("$var ") + type + each.code + " " + each.name + " $end\n";
        if (i + 1 == signals_.size() || signals_[i + 1].scope != each.scope)
            out += "$upscope $end\n";
    }
    if (in_device)
        out += "$upscope $end\n";
    out += "$upscope $end\n$enddefinitions $end\n#" + std::to_string(options_.from_ns) +
           "\n$dumpvars\n";
    for (const signal &each : signals_)
        if (each.type != kind::strobe)
            write_change(each, out, each.first);
    return out + "$end\n";
}

void vcd::finish(std::uint64_t end_ps) {
    changes_.take_before(UINT64_MAX,
                         [this](std::uint64_t ns, const change &one) { apply(ns, one); });
    std::uint64_t end_ns = std::min(end_ps / 1000, options_.to_ns);
    if (end_ns > options_.from_ns && (written_ns_ == UINT64_MAX || end_ns > written_ns_))
        text_ += '#' + std::to_string(end_ns) + '\n';
    keep(text_);
    file_.write(header());
    std::rewind(body_.get());
    std::vector<char> block(write_at);
    while (std::size_t got = std::fread(block.data(), 1, block.size(), body_.get()))
        file_.write({block.data(), got});
    if (std::ferror(body_.get()))
        throw run_error(std::string("cannot read a temporary file: ") + std::strerror(errno));
}

std::string vcd::summary() const {
    return "VCD: " + with_commas(signals_.size()) + " signals, " + with_commas(written_) +
           " changes in " + options_.vcd + ".\n";
}

} // namespace bouncesim
