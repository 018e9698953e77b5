// SPDX-License-Identifier: Apache-2.0
#include "recording.hpp"

#include "errors.hpp"
#include "input.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace bouncesim {
namespace {

constexpr std::uint32_t newest_layout = 1;
constexpr std::size_t most_devices = 1u << 16;

bool number(std::string_view text, std::uint64_t &value, int base = 10) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && !text.empty() && end == text.data() + text.size();
}

std::vector<std::string> words_of(const std::string &line) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;)
        words.push_back(word);
    return words;
}

// The number behind `key`; false when there is none.
bool number_after(const std::string &line, const std::string &key, std::uint64_t &value,
                  int base = 10) {
    std::size_t at = line.find(key);
    if (at == std::string::npos)
        return false;
    at = line.find_first_not_of(' ', at + key.size());
    if (at == std::string::npos)
        return false;
    const char *last = line.data() + line.size();
    auto [end, error] = std::from_chars(line.data() + at, last, value, base);
    return error == std::errc() && end != line.data() + at;
}

// "0-3,8-11" has 12 CPUs: numbers count, gaps included.
std::uint32_t cpus_in(const std::string &list) {
    std::uint64_t highest = 0;
    std::size_t at = list.find_last_of("-,");
    if (!number(at == std::string::npos ? list : list.substr(at + 1), highest) ||
        highest >= BOUNCE_MAX_CPUS)
        return 0;
    return static_cast<std::uint32_t>(highest + 1);
}

// "SECONDS.MICROSECONDS" behind `key`.
bool time_after(const std::string &line, const std::string &key, std::uint64_t &ns) {
    std::uint64_t seconds = 0, fraction = 0;
    std::size_t at = line.find(key);
    if (at == std::string::npos || !number_after(line, key, seconds) ||
        seconds > UINT64_MAX / 2000000000u)
        return false;
    std::size_t dot = line.find('.', at + key.size());
    if (dot == std::string::npos || dot + 7 > line.size() ||
        !number(std::string_view(line).substr(dot + 1, 6), fraction))
        return false;
    ns = seconds * 1000000000u + fraction * 1000u;
    return true;
}

// "... cpu0/stats entries: 5 overrun: 0 commit overrun: 0 bytes: 9 oldest event ts: 1.000000 ..."
void read_ring(recording &into, const std::string &line) {
    std::uint64_t overrun = 0, commit = 0, dropped = 0, oldest = 0;
    number_after(line, " overrun:", overrun);
    number_after(line, "commit overrun:", commit);
    number_after(line, "dropped events:", dropped);
    into.overwritten += overrun;
    into.dropped += dropped + commit;
    if (overrun && time_after(line, "oldest event ts:", oldest))
        into.complete_from_ns = std::max(into.complete_from_ns, oldest);
}

void read_log(recording &into, const std::string &line) {
    std::uint64_t areas = 0, first = 0, last = 0;
    if (number_after(line, "software IO TLB: area num", areas) && areas <= BOUNCE_MAX_CPUS)
        into.nareas = static_cast<std::uint32_t>(areas);
    if (number_after(line, "software IO TLB: mapped [mem 0x", first, 16) &&
        number_after(line, "-0x", last, 16) && last > first) {
        into.start = first;
        into.start_size = last - first;
    }
    std::size_t at = line.find("Kernel command line: ");
    if (at != std::string::npos && into.boot_line.empty())
        into.boot_line = line.substr(at + sizeof("Kernel command line: ") - 1);
}

void read_counter(recording &into, const std::vector<std::string> &words) {
    std::size_t at = !words.empty() && words[0] == "STAT" ? 1 : 0;
    std::string when;
    if (at < words.size() && (words[at] == "begin" || words[at] == "end"))
        when = words[at++];
    if (at >= words.size())
        return;
    std::string name = words[at], text = at + 1 < words.size() ? words[at + 1] : "";
    if (std::size_t colon = name.find(':'); colon != std::string::npos) {
        text = colon + 1 < name.size() ? name.substr(colon + 1) : text;
        name.resize(colon);
    }
    name = name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
    auto one = [&](const char *wanted, auto member) {
        std::uint64_t value = 0;
        if (name != wanted || !number(text, value))
            return;
        bool last = when.empty() ? (into.begin.*member).has_value() : when == "end";
        pool_counters &side = last ? into.end : into.begin; // gcc 12 copies without the name
        side.*member = value;
    };
    one("io_tlb_nslabs", &pool_counters::nslabs);
    one("io_tlb_used", &pool_counters::used);
    one("io_tlb_used_hiwater", &pool_counters::used_hiwater);
    one("io_tlb_transient_nslabs", &pool_counters::transient_nslabs);
}

void read_counters_line(recording &into, const std::string &line) {
    if (line.find("/stats ") != std::string::npos && line.find("entries:") != std::string::npos)
        read_ring(into, line);
    else if (line.compare(0, 6, "DMESG ") == 0)
        read_log(into, line);
    else
        read_counter(into, words_of(line));
}

void read_machine(recording &into, const std::string &line) {
    std::size_t blank = line.find(' ');
    std::string key = line.substr(0, blank);
    std::string value = blank == std::string::npos ? "" : line.substr(blank + 1);
    std::uint64_t kb = 0;
    if (key == "kernel")
        into.kernel = value;
    else if (key == "boot")
        into.boot_line = value;
    else if (key == "cpus_possible")
        into.cpus = cpus_in(value);
    else if (key == "memory_kb" && number(value, kb) && kb < UINT64_MAX >> 10)
        into.memory = kb << 10;
    else if (key == "config" && value.compare(0, 23, "CONFIG_SWIOTLB_DYNAMIC ") == 0)
        into.dynamic = value.substr(23) == "y";
    else if (key == "event")
        into.events.push_back(value);
}

// BUS NAME DRIVER DMA_MASK_BITS; names may hold blanks, masks count where there are none.
void read_device(recording &into, const std::string &line) {
    std::vector<std::string> words = words_of(line);
    std::uint64_t bits = 0;
    if (words.size() != 4 || into.devices.size() >= most_devices)
        return;
    recorded_device device{words[1], words[2], 0};
    if (number(words[3], bits) && bits >= 1 && bits <= 64)
        device.dma_mask = bits == 64 ? UINT64_MAX : (std::uint64_t{1} << bits) - 1;
    into.devices.push_back(std::move(device));
}

void read_layout(recording &into, const std::string &text) {
    std::vector<std::string> words = words_of(text);
    std::uint64_t layout = 0;
    if (words.size() < 2 || words[0] != "bouncesim-recording" || !number(words[1], layout) ||
        layout == 0)
        throw refused_error("layout.txt: 'bouncesim-recording 1' was expected");
    if (layout > newest_layout)
        throw refused_error("layout.txt: layout " + words[1] + "; this bouncesim reads up to " +
                            std::to_string(newest_layout));
    into.layout = static_cast<std::uint32_t>(layout);
}

void each_line(recording &into, const std::string &text,
               void (*take)(recording &, const std::string &)) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        take(into, line);
}

// What a conversion left out of the trace.
void read_converted(recording &into, const std::string &line) {
    std::vector<std::string> words = words_of(line);
    std::uint64_t value = 0;
    if (words.size() == 2 && words[0] == "lines_cut" && number(words[1], value))
        into.lines_cut = value;
}

} // namespace

bool recording::add(const std::string &name, const std::string &text) {
    struct file {
        const char *name;
        void (*take)(recording &, const std::string &);
    };
    static constexpr file readers[] = {{"machine.txt", read_machine},
                                       {counters_file, read_counters_line},
                                       {converted_file, read_converted},
                                       {"devices.txt", read_device},
                                       {"dmesg.txt", read_log}};
    if (name == "layout.txt") {
        read_layout(*this, text);
        keep_text(name, text);
        return true;
    }
    for (const file &f : readers)
        if (name == f.name) {
            each_line(*this, text, f.take);
            keep_text(name, text);
            return true;
        }
    return false;
}

void recording::keep_text(const std::string &name, const std::string &text) {
    for (auto &[known, kept] : texts)
        if (known == name) {
            kept = text;
            return;
        }
    texts.emplace_back(name, text);
}

bool recording::has_dma_events() const {
    return events.empty() || std::any_of(events.begin(), events.end(), [](const std::string &e) {
               return e.compare(0, 4, "dma/") == 0;
           });
}

std::string recording::swiotlb_option() const {
    std::string option;
    for (const std::string &word : words_of(boot_line)) // the last one counts
        if (word.compare(0, 8, "swiotlb=") == 0)
            option = word.substr(8);
    return option;
}

std::optional<std::uint64_t> recording::dma_mask(const std::string &device) const {
    for (const recorded_device &d : devices)
        if (d.name == device && d.dma_mask)
            return d.dma_mask;
    return std::nullopt;
}

void recording::take_counters(const recording &other) {
    begin = other.begin;
    end = other.end;
    nareas = other.nareas ? other.nareas : nareas;
    start = other.start_size ? other.start : start;
    start_size = other.start_size ? other.start_size : start_size;
    boot_line = other.boot_line.empty() ? boot_line : other.boot_line;
    for (const auto &[name, text] : other.texts)
        keep_text(name, text);
}

bounce_boot recording::pool() const {
    bounce_boot boot = {};
    bool grows = dynamic.value_or(transient());
    std::string option = swiotlb_option();
    bounce_error ignored = {};
    if (!option.empty() && bounce_boot_parse(option.c_str(), &boot, &ignored))
        boot = {};
    if (begin.nslabs.value_or(0) && *begin.nslabs <= BOUNCE_MAX_NSLABS && !(grows && boot.nslabs))
        boot.nslabs = *begin.nslabs;
    if (nareas)
        boot.nareas = nareas;
    return boot;
}

const char *recording::kernel_name() const {
    std::uint64_t major = 0, minor = 0;
    const char *last = kernel.data() + kernel.size();
    auto [dot, error] = std::from_chars(kernel.data(), last, major);
    if (error != std::errc() || dot == last || *dot != '.' ||
        std::from_chars(dot + 1, last, minor).ec != std::errc())
        return nullptr;
    std::uint64_t version = major * 1000 + std::min<std::uint64_t>(minor, 999);
    if (version >= 6009)
        return dynamic.value_or(transient()) ? "linux-6.12-dynamic" : "linux-6.12";
    return version >= 6000 && version < 6006 ? "linux-6.1" : nullptr;
}

recording read_counters(const std::string &path) {
    trace_input file({path});
    bounce_input source = file.as_input();
    bounce_error error = {};
    std::string text(recording::largest_file + 1, '\0');
    std::size_t length = 0, got = 0;
    do {
        if (source.read(source.context, text.data() + length, text.size() - length, &got, &error))
            throw refused_error(file.where(0) + error.text);
        length += got;
    } while (got && length < text.size());
    if (length > recording::largest_file)
        throw refused_error(file.where(0) + "more than 4 MiB; a file of counters was expected");
    text.resize(length);
    recording out;
    out.add(recording::counters_file, text);
    if (!out.has_counters())
        throw refused_error(file.where(0) + "no counter in it; lines such as 'STAT begin "
                                            "io_tlb_used 256' were expected");
    return out;
}

} // namespace bouncesim
