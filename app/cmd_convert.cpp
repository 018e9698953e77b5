// SPDX-License-Identifier: Apache-2.0
// bouncesim convert: a trace of any format, or a part of it, as another one.
#include "commands.hpp"
#include "convert_cut.hpp"
#include "convert_formats.hpp"
#include "errors.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <sstream>

namespace bouncesim {
namespace {

struct convert_request {
    simulation_options input;
    std::string path;
    const convert_format *format = nullptr;
    cut_options cut;
};

std::vector<std::string> split(const std::string &text, const char *option) {
    std::vector<std::string> items;
    std::istringstream rest(text);
    for (std::string item; std::getline(rest, item, ',');)
        if (!item.empty())
            items.push_back(item);
    if (items.empty())
        throw refused_error("--" + std::string(option) + ": names with commas were expected");
    return items;
}

cut_options read_cut(const po::variables_map &values) {
    cut_options cut;
    auto text = [&](const char *name) { return values[name].as<std::string>(); };
    if (values.count("from"))
        cut.from_ns = parse_time(text("from"), "from");
    if (values.count("to"))
        cut.to_ns = parse_time(text("to"), "to");
    if (cut.to_ns && *cut.to_ns <= cut.from_ns)
        throw refused_error("--to " + text("to") + ": a time after --from was expected");
    if (values.count("device"))
        for (const std::string &name : split(text("device"), "device"))
            cut.devices.insert(name);
    if (values.count("cpu"))
        for (const std::string &item : split(text("cpu"), "cpu")) {
            std::uint16_t cpu = 0;
            auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), cpu);
            if (error != std::errc() || end != item.data() + item.size() || cpu >= BOUNCE_MAX_CPUS)
                throw refused_error("--cpu " + item + ": CPU numbers from 0 to " +
                                    std::to_string(BOUNCE_MAX_CPUS - 1) + " were expected");
            cut.cpus.insert(cpu);
        }
    return cut;
}

void read_format(const po::variables_map &values, convert_request &request) {
    std::string packing;
    if (values.count("to-format")) {
        std::string name = values["to-format"].as<std::string>();
        request.format = find_convert_format(name);
        if (!request.format || name[0] == '.')
            throw refused_error("--to-format " + name + ": one of " + convert_format_names() +
                                " was expected");
        return;
    }
    request.format = find_convert_format(suffix_of(request.path, &packing));
    if (!request.format)
        throw refused_error(request.path +
                            ": the name does not tell the format; --to-format, or a " +
                            "name that ends as " + convert_format_names() +
                            ", packed with .gz, .xz or .zst, was expected");
}

convert_request read_request(const po::variables_map &values) {
    convert_request request;
    simulation_options &input = request.input;
    bounce_error error = {};
    if (values.count("trace"))
        input.traces = values["trace"].as<std::vector<std::string>>();
    if (values.count("output")) {
        request.path = values["output"].as<std::string>();
    } else if (input.traces.size() > 1) {
        request.path = input.traces.back();
        input.traces.pop_back();
    } else {
        throw refused_error("convert IN... OUT: a trace and the name of the file to write were "
                            "expected");
    }
    if (input.traces.empty())
        throw refused_error("no trace given; name a file, or - for standard input");
    if (input.traces.size() > 1 && std::count(input.traces.begin(), input.traces.end(), "-") > 0)
        throw refused_error("-: standard input cannot be mixed with files");
    read_format(values, request);
    request.cut = read_cut(values);
    input.kernel = bounce_kernel_find("linux-6.12");
    if (values.count("swiotlb")) {
        bounce_boot boot = {};
        if (bounce_boot_parse(values["swiotlb"].as<std::string>().c_str(), &boot, &error))
            throw refused_error(std::string("--swiotlb: ") + error.text);
        input.boot = boot;
    }
    if (values.count("cpus"))
        input.cpus = values["cpus"].as<std::uint32_t>();
    if (values.count("cpus") && (input.cpus < 1 || input.cpus > BOUNCE_MAX_CPUS))
        throw refused_error("--cpus " + std::to_string(input.cpus) + ": 1 to " +
                            std::to_string(BOUNCE_MAX_CPUS) + " was expected");
    std::string format = values["format"].as<std::string>();
    if (format != "auto" && !(input.trace.format = bounce_format_find(format.c_str())))
        throw refused_error("--format " + format +
                            ": not known; `bouncesim list formats` shows what is read");
    std::string only = values["only"].as<std::string>();
    if (only != "any" && only != "mappings" && only != "block")
        throw refused_error("--only " + only + ": any, mappings or block was expected");
    input.trace.only = only == "block"      ? BOUNCE_ONLY_BLOCK
                       : only == "mappings" ? BOUNCE_ONLY_MAPPINGS
                                            : BOUNCE_ONLY_ANY;
    std::string order = values.count("order")           ? values["order"].as<std::string>()
                        : request.format->carries_order ? "recorded"
                                                        : "found";
    if (order != "recorded" && order != "found")
        throw refused_error("--order " + order + ": recorded or found was expected");
    input.recorded_order = input.as_read = order == "recorded";
    if (values.count("counters"))
        input.counters = values["counters"].as<std::string>();
    input.trace.skip_malformed = values.count("skip-malformed") > 0;
    input.quiet = values.count("quiet") > 0;
    return request;
}

void print_summary(std::ostream &out, const convert_request &request, const trace_session &session,
                   const trace_cut &cut, const packed_output &output, const trace_writer &writer) {
    const cut_counts &n = cut.counts();
    const bounce_trace_counts trace = session.counts();
    out << request.path << ": " << request.format->name << ", " << with_commas(n.kept) << " of "
        << with_commas(n.in) << " events, from " << with_commas(trace.records) << " records ("
        << session.format().name << "), " << with_commas(output.bytes()) << " bytes";
    if (n.kept)
        out << ", " << fixed(static_cast<double>(output.bytes()) / static_cast<double>(n.kept), 1)
            << " an event";
    out << ".\n";
    std::string left;
    auto say = [&](std::uint64_t count, const char *what) {
        if (count)
            left += (left.empty() ? "" : ", ") + with_commas(count) + " " + what;
    };
    say(n.by_time, "begun outside --from and --to");
    say(n.by_device, "of other devices");
    say(n.by_cpu, "of other CPUs");
    say(n.ends, "unmaps, completions and syncs of those");
    say(n.others, "restarts and worker runs outside");
    if (!left.empty())
        out << "Left out: " << left << ".\n";
    if (n.unmatched)
        out << with_commas(n.unmatched)
            << " unmaps are of what was mapped before --from: their slots are taken from the "
               "start.\n";
    if (trace.malformed)
        out << with_commas(trace.malformed) << " records could not be read.\n";
    std::string lost = writer.lost();
    if (!lost.empty())
        out << lost << "\n";
}

// In no record: found out, and found out again from the addresses.
bool is_found(const bounce_event &event) {
    return (event.flags & BOUNCE_EVENT_MADE) ||
           ((event.flags & BOUNCE_EVENT_HELD) && event.id == UINT64_MAX);
}

// The order found is the order: nothing may move any more. A list that failed gives everything
// back at once.
void settle_order(std::vector<bounce_event> &events) {
    constexpr unsigned found = BOUNCE_EVENT_PLACED | BOUNCE_EVENT_SLOWLY;

    events.erase(std::remove_if(events.begin(), events.end(), is_found), events.end());
    for (bounce_event &event : events) {
        event.flags = static_cast<std::uint16_t>(event.flags & ~found);
        event.seq = event.bound_seq = 0;
    }
}

// What stands behind the trace in an archive is known in the end only.
void tell(const convert_request &request, const trace_session &session, trace_writer &writer) {
    if (const recording *told = session.told())
        writer.tell(*told, request.cut.any());
}

void convert(const convert_request &request) {
    trace_session session(request.input);
    packed_output output(request.path);
    std::unique_ptr<trace_writer> writer = request.format->create(session, output);
    trace_cut cut(request.cut);
    std::vector<bounce_event> kept;
    bool left = false;
    progress_line progress(session);
    for (trace_session::batch batch = session.next(); batch.count; batch = session.next()) {
        tell(request, session, *writer);
        writer->set();
        kept.clear();
        cut.take(session.devices(), batch.events, batch.count, kept);
        if (!request.input.as_read && request.format->carries_order)
            settle_order(kept);
        left = left || !kept.empty();
        writer->write(kept);
        progress.update();
    }
    std::set<std::string> missing = cut.missing_devices();
    if (!missing.empty())
        throw refused_error("--device " + *missing.begin() +
                            ": not in the trace; `bouncesim run` " +
                            "names its devices with --json");
    if (!left && request.cut.any())
        throw refused_error(
            "--from, --to, --device, --cpu: nothing of the trace is left; `bouncesim "
            "info` shows its span, devices and CPUs");
    tell(request, session, *writer);
    writer->set();
    writer->finish(cut.adjusted(session.counts()));
    output.commit();
    if (!request.input.quiet && request.path != "-")
        print_summary(std::cout, request, session, cut, output, *writer);
}

} // namespace

int cmd_convert(const arguments &args) {
    po::options_description table("Options", 96, 60);
    auto text = [](const char *name) { return po::value<std::string>()->value_name(name); };
    auto add = table.add_options();
    add("output,o", text("FILE"),
        "the file to write, - for standard output (default: the last name given)");
    add("to-format", text("native|csv|ops"),
        "format to write (default: by the name: .bnc, .csv, .ops, each also .gz .xz .zst)");
    add("from", text("TIME"), "leave out what begins before: 1.5s, 200ms, 30us, or nanoseconds");
    add("to", text("TIME"), "leave out what begins from there on");
    add("device", text("NAME[,NAME]"), "only these devices");
    add("cpu", text("N[,N]"), "only what these CPUs mapped or issued");
    add("order", text("recorded|found"),
        "of events: as read, with the windows in which each may have happened (default), or as "
        "reconstructed from the addresses (default for ops, which has no windows)");
    add("format", po::value<std::string>()->default_value("auto"),
        "format of the input (`bouncesim list formats`)");
    add("only", po::value<std::string>()->value_name("mappings|block")->default_value("any"),
        "of kernel events: dma and swiotlb events, or block requests");
    add("swiotlb", text("SLOTS[,AREAS]"), "the recorded pool, where the trace does not tell it");
    add("cpus", po::value<std::uint32_t>()->value_name("N"), "possible CPUs, likewise");
    add("counters", text("FILE"), "the kernel's counters beside a trace made by hand, for native");
    add("skip-malformed", "count lines that cannot be read instead of refusing the trace");
    add("quiet,q", "print neither summary nor progress");
    add("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "convert IN... OUT [OPTION...]", table, "trace", -1, values))
        return exit_done;
    convert_request request = read_request(values);
    watch_interrupts();
    convert(request);
    return exit_done;
}

} // namespace bouncesim
