// SPDX-License-Identifier: Apache-2.0
// bouncesim size: the smallest pool that is enough, and the boot option that makes it.
#include "commands.hpp"
#include "errors.hpp"
#include "kernel_tree_backend.hpp"
#include "output.hpp"
#include "report.hpp"
#include "size.hpp"
#include "summary.hpp"
#include "text.hpp"

#include <algorithm>
#include <iostream>
#include <optional>

namespace bouncesim {
namespace {

struct size_request {
    std::vector<const bounce_kernel *> kernels;
    std::vector<std::uint64_t> areas; // empty: the recorded pool's, or what the options make of it
    std::uint64_t most = 0;           // slots
    std::uint64_t allowed = 0;
};

size_request read_request(const po::variables_map &values, const simulation_options &options) {
    size_request request;
    request.kernels = read_kernels(values);
    if (values.count("areas"))
        request.areas =
            parse_list(values["areas"].as<std::string>(), "--areas", false, BOUNCE_MAX_CPUS);
    std::vector<std::uint64_t> most =
        parse_list(values["most"].as<std::string>(), "--most", true, BOUNCE_MAX_NSLABS);
    if (most.size() != 1)
        throw refused_error("--most: one size was expected, in slots or such as 1G");
    request.most = most[0];
    if (options.machine.low_memory)
        request.most = std::min(request.most, options.machine.low_memory >> BOUNCE_SLOT_SHIFT);
    std::int64_t allowed = values["allow"].as<std::int64_t>();
    if (allowed < 0)
        throw refused_error("--allow " + std::to_string(allowed) +
                            ": a number of full events was expected, 0 or more");
    request.allowed = static_cast<std::uint64_t>(allowed);
    if (request.most < BOUNCE_SEGMENT_SLOTS)
        throw refused_error("--most, --low-memory: no pool is smaller than 128 slots (256K)");
    return request;
}

// Every pool that a kernel makes with those areas: powers of two from 128 slots an area on.
std::vector<sweep_point> every_size(const size_request &request, const trace_session &session) {
    std::vector<sweep_point> points;
    std::vector<std::uint64_t> areas = request.areas;
    if (areas.empty())
        areas = {session.config().replay.pool.nareas};
    for (const bounce_kernel *kernel : kernels_for(request.kernels, session))
        for (std::uint64_t wanted : areas)
            for (std::uint64_t slots = BOUNCE_SEGMENT_SLOTS; slots <= request.most; slots *= 2) {
                sweep_point point =
                    make_point(session, kernel, slots, static_cast<std::uint32_t>(wanted));
                bool first = points.empty() || points.back().kernel != kernel ||
                             slots == BOUNCE_SEGMENT_SLOTS;
                if (point.bytes >> BOUNCE_SLOT_SHIFT > request.most) {
                    throw refused_error("--most: " + std::to_string(wanted) + " areas need " +
                                        std::to_string(point.bytes >> BOUNCE_SLOT_SHIFT) +
                                        " slots at least");
                }
                if (first || points.back().bytes < point.bytes)
                    points.push_back(point);
            }
    return points;
}

// What makes the trace say less than there was; empty when nothing does.
std::vector<std::string> doubts(const trace_session &session,
                                const std::vector<size_answer> &answers) {
    std::vector<std::string> lines;
    const bounce_stats &stats = answers[0].points.back()->stats;
    for (const size_answer &answer : answers)
        for (const sweep_point *named : {answer.least, answer.recommended}) {
            std::string line = named ? option_overruled(session, *named) : "";
            if (!line.empty() && std::find(lines.begin(), lines.end(), line) == lines.end())
                lines.push_back(line);
        }
    if (stats.recorded_full_recorded)
        lines.push_back(with_commas(stats.recorded_full_recorded) +
                        " maps failed while it was recorded: demand may be understated; record "
                        "again with the size recommended");
    if (session.counts().lost_events)
        lines.push_back(with_commas(session.counts().lost_events) +
                        " events were lost by the recorder: demand may be understated");
    if (std::string text = elsewhere_text(session); !text.empty())
        lines.push_back(text);
    if (stats.events_unreachable)
        lines.push_back("some sizes lie above what a device reaches: a kernel could not have them "
                        "below its limit");
    for (const std::string &line : notes_on_sizes(session))
        lines.push_back(line);
    return lines;
}

json::value point_json(const sweep_point *point) {
    if (!point)
        return nullptr;
    const bounce_stats &s = point->stats;
    json::object row{{"nslabs", point->nslabs},
                     {"bytes", point->bytes},
                     {"full", s.events_full},
                     {"oversize", s.full_by_cause_oversize},
                     {"lockups", s.events_lockups},
                     {"failed_maps", s.events_failed_maps},
                     {"unreachable", s.events_unreachable},
                     {"used_hiwater", s.swiotlb_used_hiwater},
                     {"grown_to", s.swiotlb_nslabs},
                     {"transient_maps", s.events_transient_maps}};
    row["full_by_cause"] = stats_json(s).at("events").at("full_by_cause");
    return row;
}

json::object answer_json(const size_answer &answer, bool force) {
    const sweep_point *least = answer.least, *advised = answer.recommended;
    json::array points;
    for (const sweep_point *point : answer.points)
        points.push_back(point_json(point));
    json::object out{{"kernel", answer.kernel->name},
                     {"nareas", answer.points.front()->nareas},
                     {"nslabs", least ? json::value(least->nslabs) : json::value()},
                     {"swiotlb", least ? json::value(boot_option(*least, force)) : json::value()}};
    out["least"] = point_json(least);
    out["below"] = point_json(answer.below);
    out["above"] = point_json(answer.above);
    out["fails_again"] =
        answer.fails_again ? json::value(answer.fails_again->nslabs) : json::value();
    out["no_size_cures"] = answer.points.back()->stats.full_by_cause_oversize;
    out["recommended"] = advised
                             ? json::value(json::object{{"nslabs", advised->nslabs},
                                                        {"swiotlb", boot_option(*advised, force)},
                                                        {"reason", answer.reason}})
                             : json::value();
    out["points"] = std::move(points);
    return out;
}

json::object rule_json(const platform_rule &rule) {
    json::object out{{"rule", rule.name}, {"text", rule.text}};
    out["nslabs"] = rule.nslabs ? json::value(rule.nslabs) : json::value();
    out["enough"] = rule.nslabs ? json::value(rule.enough) : json::value();
    out["enough_from_memory"] = rule.never ? json::value() : json::value(rule.memory);
    return out;
}

json::object result_json(const trace_session &session, const size_request &request,
                         const std::vector<size_answer> &answers) {
    json::array rows, rules, notes;
    const sweep_point *best = nullptr;
    bool force = is_forced(session);
    for (const size_answer &answer : answers) {
        rows.push_back(answer_json(answer, force));
        if (answer.least && (!best || answer.least->bytes < best->bytes))
            best = answer.least;
    }
    for (const platform_rule &rule : platform_rules(session, answers[0], request.allowed))
        rules.push_back(rule_json(rule));
    for (const std::string &line : doubts(session, answers))
        notes.emplace_back(line);
    json::object out{{"schema", "bouncesim-size/1"}, {"version", BOUNCESIM_VERSION}};
    out["trace"] = trace_json(session);
    out["config"] = config_json(session.config(), session.devices(), "replay");
    out["allow"] = request.allowed;
    out["most"] = request.most;
    out["nslabs"] = best ? json::value(best->nslabs) : json::value();
    out["nareas"] = best ? json::value(best->nareas) : json::value();
    out["swiotlb"] = best ? json::value(boot_option(*best, force)) : json::value();
    out["demand_understated"] = answers[0].points.back()->stats.recorded_full_recorded > 0 ||
                                session.counts().lost_events > 0;
    out["answers"] = std::move(rows);
    out["rules"] = std::move(rules);
    out["notes"] = std::move(notes);
    return out;
}

std::string cell(const std::string &text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

void print_points(const size_answer &answer) {
    std::uint32_t areas = answer.points.front()->nareas;
    const sweep_point &largest = *answer.points.back();
    const sweep_point *quiet_from = nullptr; // the first of many rows that say nothing new
    for (std::size_t i = answer.points.size(); i-- > 2;) {
        const sweep_point *p = answer.points[i], *before = answer.points[i - 1];
        if (p == answer.least || before == answer.least || p == answer.recommended ||
            curable_failures(p->stats) ||
            p->stats.swiotlb_used_hiwater != before->stats.swiotlb_used_hiwater ||
            p->stats.swiotlb_nslabs > p->nslabs)
            break;
        quiet_from = p;
    }
    std::cout << answer.kernel->name << ", " << areas << " area" << (areas == 1 ? "" : "s") << '\n'
              << cell("slots", 12) << cell("memory", 10) << cell("high-water", 12)
              << cell("full", 10) << "  causes\n";
    for (const sweep_point *p : answer.points) {
        const bounce_stats &s = p->stats;
        if (p == quiet_from) {
            std::cout << cell("...", 12) << "  the same up to " << bytes_text(largest.bytes)
                      << '\n';
            break;
        }
        std::cout << (p == answer.least ? " >" : "  ") << cell(with_commas(p->nslabs), 10)
                  << cell(bytes_text(p->bytes), 10) << cell(with_commas(s.swiotlb_used_hiwater), 12)
                  << cell(with_commas(s.events_full + s.events_lockups), 10)
                  << (s.events_full ? "  " + causes_text(s) : "")
                  << (s.events_lockups ? "  " + with_commas(s.events_lockups) + " lockups" : "")
                  << (s.swiotlb_nslabs > p->nslabs ? "  grows to " + with_commas(s.swiotlb_nslabs)
                                                   : "")
                  << '\n';
    }
}

std::string neighbour(const sweep_point *point) {
    std::uint64_t failures = curable_failures(point->stats);
    return with_commas(point->nslabs) + (failures ? " has " + with_commas(failures) : " has none");
}

void print_answer(const trace_session &session, const size_answer &answer,
                  const size_request &request, bool force) {
    const sweep_point *least = answer.least, *largest = answer.points.back();
    std::string what = request.allowed ? "at most " + with_commas(request.allowed) + " full events"
                                       : std::string("no full event");
    print_points(answer);
    if (!largest->stats.events_maps) {
        std::cout << nothing_bounced(session) << '\n';
        return;
    }
    if (std::uint64_t oversize = largest->stats.full_by_cause_oversize)
        std::cout << "No pool size cures " << with_commas(oversize)
                  << " maps: they are larger than a slot set can hold; the driver must map smaller "
                     "pieces. What follows is about the others.\n";
    if (!least) {
        std::cout << "No size up to " << bytes_text(largest->bytes) << " has " << what << "; "
                  << with_commas(curable_failures(largest->stats)) << " remain there ("
                  << causes_text(largest->stats) << ").";
        if (request.most < BOUNCE_MAX_NSLABS && !session.options().machine.low_memory)
            std::cout << " --most 16G tries larger ones.";
        std::cout << '\n';
        return;
    }
    std::cout << "swiotlb=" << boot_option(*least, force) << ": " << with_commas(least->nslabs)
              << " slots (" << bytes_text(least->bytes) << ") is the smallest pool with " << what;
    std::cout << (answer.below ? "; " + neighbour(answer.below)
                               : std::string("; no smaller one has that many areas"));
    std::cout << (answer.above ? ", " + neighbour(answer.above) : std::string()) << ".\n";
    if (answer.fails_again)
        std::cout << "More slots do not always help: " << neighbour(answer.fails_again)
                  << ", as other places are taken in a larger pool.\n";
    if (answer.recommended)
        std::cout << "Recommended: swiotlb=" << boot_option(*answer.recommended, force) << " ("
                  << bytes_text(answer.recommended->bytes) << "): " << answer.reason << ".\n";
}

void print_rules(const std::vector<platform_rule> &rules) {
    std::cout << "\nWhat kernels choose by themselves:\n";
    for (const platform_rule &rule : rules) {
        std::cout << "  " << rule.text << ": ";
        if (rule.nslabs)
            std::cout << with_commas(rule.nslabs) << " slots, "
                      << (rule.enough ? "enough" : "not enough")
                      << (rule.never || rule.name == std::string("default") ? "" : "; ");
        if (rule.name == std::string("default"))
            std::cout << '\n';
        else if (rule.never)
            std::cout << (rule.nslabs ? "; " : "") << "not enough with any memory\n";
        else if (rule.memory)
            std::cout << "enough from " << bytes_text(rule.memory) << " of memory on\n";
        else
            std::cout << "enough with any memory\n";
    }
}

void print_result(const trace_session &session, const size_request &request,
                  const std::vector<size_answer> &answers) {
    bool force = is_forced(session);
    for (const size_answer &answer : answers) {
        print_answer(session, answer, request, force);
        std::cout << '\n';
    }
    for (const std::string &line : doubts(session, answers))
        std::cout << "note: " << line << '\n';
    for (const std::string &line : session.config().inferred)
        std::cout << "inferred: " << line << '\n';
    if (answers[0].least && answers[0].points.back()->stats.events_maps)
        print_rules(platform_rules(session, answers[0], request.allowed));
}

} // namespace

int cmd_size(const arguments &args) {
    po::options_description own("Size", 96, 60), all;
    auto text = [](const char *name) { return po::value<std::string>()->value_name(name); };
    auto add = own.add_options();
    add("allow", po::value<std::int64_t>()->value_name("N")->default_value(0),
        "full events that are put up with");
    add("areas", text("LIST"), "area counts: 1,4,16 (default: the recorded pool's)");
    add("kernels", text("LIST"), "kernels, in place of --kernel");
    add("most", text("SIZE")->default_value("1G"), "largest pool tried, in slots or with K, M, G");
    add("jobs,j", po::value<unsigned>()->value_name("N"), "worker threads (default: all cores)");
    add("json", text("FILE"), "the result as one object (schema bouncesim-size/1)");
    all.add(own).add(simulation_option_table());
    po::variables_map values;
    if (!parse_options(args, "size TRACE... [OPTION...]", all, "trace", -1, values))
        return exit_done;
    simulation_options options = read_simulation_options(values);
    size_request request = read_request(values, options);
    refuse_for_one_pool(options);
    unsigned workers = read_workers(values);

    watch_interrupts();
    auto session = std::make_unique<trace_session>(options);
    std::string json_name = values.count("json") ? values["json"].as<std::string>() : "";
    std::optional<output_file> json_file;
    if (!json_name.empty())
        json_file.emplace(json_name);
    std::vector<sweep_point> points = every_size(request, *session);
    run_sweep(*session, points, workers);
    if (session->contradicted() && session->rewindable()) {
        session = std::make_unique<trace_session>(options, session->evidence());
        points = every_size(request, *session);
        run_sweep(*session, points, workers);
    }
    check_kernel_trees();
    std::vector<size_answer> answers = judge_sizes(points, request.allowed);
    if (json_file) {
        json_file->write(pretty(result_json(*session, request, answers)));
        json_file->commit();
    }
    if (!options.quiet && json_name != "-")
        print_result(*session, request, answers);
    return exit_done;
}

} // namespace bouncesim
