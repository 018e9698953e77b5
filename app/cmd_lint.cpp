// SPDX-License-Identifier: Apache-2.0
// bouncesim lint: what is wrong with a trace, or with the drivers that it shows.
#include "commands.hpp"
#include "errors.hpp"
#include "lint.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "session.hpp"
#include "text.hpp"

#include <iostream>

namespace bouncesim {
namespace {

const char *const severity_names[] = {"error", "warning", "note"};
const char *const dir_names[] = {"bidirectional", "to_device", "from_device", "none"};

struct lint_report {
    const trace_session &session;
    const linter &found;

    std::string device(std::uint16_t index) const {
        const std::vector<bounce_device> &devices = session.devices();
        return index < devices.size() ? devices[index].name : std::string();
    }
    const char *what(const finding_info &info) const {
        return session.config().requests && *info.requests ? info.requests : info.what;
    }
    // "FILE:12", "record 12", or nothing.
    std::string place(const example &e) const {
        if (!e.place)
            return "";
        std::string where = e.is_line ? session.where(e.place) : std::string();
        if (where.empty())
            return "record " + std::to_string(e.place);
        return where.substr(0, where.size() - 2);
    }
};

// What the example says beyond its place.
std::string detail(const lint_report &report, finding_kind kind, const example &e) {
    std::string text = report.device(e.device);
    auto add = [&](const std::string &more) { text += (text.empty() ? "" : " ") + more; };
    if (report.session.timed())
        add("at " + fixed(static_cast<double>(e.time_ns) / 1e9, 6) + " s");
    if (e.addr)
        add("0x" + hex(e.addr));
    switch (kind) {
    case finding_kind::unmap_size:
        add(with_commas(e.size) + " bytes, mapped with " + with_commas(e.told));
        break;
    case finding_kind::unmap_direction:
        add(std::string(dir_names[e.size % 4]) + ", mapped " + dir_names[e.told % 4]);
        break;
    case finding_kind::unmap_device:
        add("mapped by " + report.device(static_cast<std::uint16_t>(e.told)));
        break;
    case finding_kind::sync_beyond_end:
        add(with_commas(e.size) + " bytes, of a mapping of " + with_commas(e.told) + " made there");
        break;
    case finding_kind::restart:
    case finding_kind::time_back:
    case finding_kind::late_record:
        add("by " + time_text(e.size));
        break;
    case finding_kind::lost_events:
        add(with_commas(e.size) + " events");
        break;
    case finding_kind::overlap:
    case finding_kind::order:
        if (e.told)
            add("held since record or line " + std::to_string(e.told));
        break;
    case finding_kind::failed_map:
        add(bytes_text(e.size));
        break;
    default:
        break;
    }
    return text;
}

json::object example_json(const lint_report &report, finding_kind kind, const example &e) {
    json::object out;
    if (e.place)
        out[e.is_line ? "line" : "record"] = e.place;
    if (std::string where = report.place(e); !where.empty())
        out["where"] = where;
    out["time_ns"] = e.time_ns;
    if (e.addr)
        out["addr"] = hex(e.addr);
    if (std::string name = report.device(e.device); !name.empty())
        out["device"] = name;
    out["text"] = detail(report, kind, e);
    return out;
}

json::object leak_json(const lint_report &report, const leak &l) {
    json::array floor, oldest;
    for (std::uint64_t fewest : l.floor)
        floor.emplace_back(fewest);
    for (const example &e : l.examples) {
        json::object one = example_json(report, finding_kind::never_ended, e);
        one["size"] = e.size;
        one["age_ns"] = e.told;
        oldest.emplace_back(std::move(one));
    }
    return {{"device", report.device(l.device)},
            {"count", l.count},
            {"mapped_before", l.before},
            {"bytes", l.bytes},
            {"slots", l.slots},
            {"oldest_ns", l.age_ns},
            {"median_age_ns", l.median_age_ns},
            {"grows", l.grows},
            {"fewest_by_eighth", floor},
            {"oldest", oldest}};
}

json::object lint_json(const lint_report &report) {
    json::array findings, leaks;
    for (std::size_t i = 0; i < finding_kinds; i++) {
        auto kind = static_cast<finding_kind>(i);
        const finding &f = report.found.of(kind);
        if (!f.count)
            continue;
        json::array examples;
        for (const example &e : f.examples)
            examples.emplace_back(example_json(report, kind, e));
        findings.emplace_back(
            json::object{{"finding", info_of(kind).name},
                         {"severity", severity_names[static_cast<int>(info_of(kind).level)]},
                         {"what", report.what(info_of(kind))},
                         {"count", f.count},
                         {"examples", examples}});
    }
    for (const leak &l : report.found.leaks())
        leaks.emplace_back(leak_json(report, l));
    json::object trace = trace_json(report.session);
    trace.erase("requests");
    json::object out{{"schema", "bouncesim-lint/1"}, {"version", BOUNCESIM_VERSION}};
    out["trace"] = std::move(trace);
    out["errors"] = report.found.count(severity::error);
    out["warnings"] = report.found.count(severity::warning);
    out["notes"] = report.found.count(severity::note);
    out["findings"] = std::move(findings);
    out["never_ended"] = std::move(leaks);
    return out;
}

void print_leak(std::ostream &out, const lint_report &report, const leak &l) {
    out << "           " << report.device(l.device) << ": " << with_commas(l.count) << " ("
        << bytes_text(l.bytes);
    if (l.slots)
        out << ", " << with_commas(l.slots) << " slots";
    if (l.before)
        out << ", " << with_commas(l.before) << " from before the trace";
    out << "), oldest " << time_text(l.age_ns) << ", median age " << time_text(l.median_age_ns);
    if (!l.floor.empty())
        out << (l.grows ? ", grows: never fewer than" : "; never fewer than");
    for (std::size_t i = 0; i < l.floor.size(); i++)
        out << (i ? ", " : " ") << with_commas(l.floor[i]);
    out << (l.floor.empty() ? "\n" : " in each eighth of the trace\n");
    for (const example &e : l.examples)
        out << "             " << report.place(e) << (e.place ? ": " : "") << bytes_text(e.size)
            << (e.addr ? " at 0x" + hex(e.addr) : std::string()) << ", " << time_text(e.told)
            << " ago\n";
}

void print_lint(std::ostream &out, const lint_report &report) {
    const std::string &first = report.session.options().traces[0];
    out << (first == "-" ? "standard input" : first) << ": " << report.session.format().name << ", "
        << with_commas(report.session.counts().records) << " records\n";
    if (std::string(report.session.format().name) == "native")
        out << "Not in a native file: what the reader of the original repaired (sizes, directions "
               "and\n"
               "devices of unmaps, syncs outside mappings, lines). Lint the original for those.\n";
    for (std::size_t i = 0; i < finding_kinds; i++) {
        auto kind = static_cast<finding_kind>(i);
        const finding &f = report.found.of(kind);
        if (!f.count)
            continue;
        std::string left = severity_names[static_cast<int>(info_of(kind).level)];
        left.resize(9, ' ');
        out << left << with_commas(f.count) << "  " << report.what(info_of(kind)) << '\n';
        if (kind == finding_kind::never_ended || kind == finding_kind::leak_grows) {
            for (const leak &l : report.found.leaks())
                if (l.grows == (kind == finding_kind::leak_grows))
                    print_leak(out, report, l);
            continue;
        }
        for (const example &e : f.examples)
            out << "           " << report.place(e) << (e.place ? ": " : "")
                << detail(report, kind, e) << '\n';
    }
    auto kinds = [](std::uint64_t n, const char *one) {
        return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
    };
    out << kinds(report.found.count(severity::error), "error") << ", "
        << kinds(report.found.count(severity::warning), "warning") << ", "
        << kinds(report.found.count(severity::note), "note") << '\n';
}

void take_note(void *context, const bounce_note *note) {
    static_cast<linter *>(context)->note(*note);
}

} // namespace

int cmd_lint(const arguments &args) {
    const char *usage = "lint TRACE... [OPTION...]";
    po::options_description own("Output", 96, 60), all;
    own.add_options()("json", po::value<std::string>()->value_name("FILE"),
                      "the findings as one object (schema bouncesim-lint/1)")(
        "examples", po::value<std::uint32_t>()->value_name("N")->default_value(3),
        "of each kind, with file and line");
    all.add(own).add(trace_option_table());
    po::variables_map values;
    if (!parse_options(args, usage, all, "trace", -1, values)) {
        std::cout << "\nExit status: 0 nothing but notes; 3 errors or warnings; 2 not readable.\n";
        return exit_done;
    }
    simulation_options options = read_trace_options(values);
    std::string json_name = values.count("json") ? values["json"].as<std::string>() : "";
    std::uint32_t examples = values["examples"].as<std::uint32_t>();
    if (examples > 1000)
        throw refused_error("--examples: at most 1000 was expected");
    linter found(examples);
    options.trace.skip_malformed = true; // findings like the others
    options.note = take_note;
    options.note_context = &found;

    watch_interrupts();
    std::optional<output_file> json_file;
    if (!json_name.empty())
        json_file.emplace(json_name);
    trace_session session(options);
    std::string format = session.format().name;
    bool native = format == "native";
    found.set_teller(native            ? linter::teller::events
                     : format == "csv" ? linter::teller::rows
                                       : linter::teller::reader);
    {
        progress_line progress(session);
        for (;;) {
            trace_session::batch batch = session.next_recorded();
            if (!batch.count)
                break;
            found.add(batch.events, batch.count);
            progress.update();
        }
    }
    check_named_devices(options.devices, session.devices());
    bool tracked = !session.config().requests || session.recorded().has_completions;
    found.finish(session.counts().span_ns, tracked);
    if (native)
        found.add_counts(session.counts());
    const lint_report report{session, found};
    if (json_file) {
        json_file->write(pretty(lint_json(report)));
        json_file->commit();
    }
    if (!options.quiet && json_name != "-")
        print_lint(std::cout, report);
    bool matters = found.count(severity::error) || found.count(severity::warning);
    return matters ? exit_regression : exit_done;
}

} // namespace bouncesim
