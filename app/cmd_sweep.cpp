// SPDX-License-Identifier: Apache-2.0
// bouncesim sweep: one trace over a grid of pool sizes, areas and kernels.
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

struct grid {
    std::vector<const bounce_kernel *> kernels; // empty: --kernel, or the recorded one
    std::vector<std::uint64_t> sizes;
    std::vector<std::uint64_t> areas; // empty: the recorded pool's
};

grid read_grid(const po::variables_map &values) {
    grid g;
    g.sizes = parse_list(values["sizes"].as<std::string>(), "--sizes", true, BOUNCE_MAX_NSLABS);
    if (values.count("areas"))
        g.areas = parse_list(values["areas"].as<std::string>(), "--areas", false, BOUNCE_MAX_CPUS);
    g.kernels = read_kernels(values);
    return g;
}

// Two requests may round to the same pool.
std::vector<sweep_point> make_points(const grid &g, const trace_session &session) {
    std::vector<sweep_point> points;
    std::vector<std::uint64_t> areas = g.areas;
    std::uint64_t low_memory = session.options().machine.low_memory;
    if (areas.empty())
        areas = {session.config().replay.pool.nareas};
    for (const bounce_kernel *kernel : kernels_for(g.kernels, session))
        for (std::uint64_t wanted : areas)
            for (std::uint64_t size : g.sizes) {
                sweep_point point =
                    make_point(session, kernel, size, static_cast<std::uint32_t>(wanted));
                bool known = std::any_of(points.begin(), points.end(), [&](const sweep_point &p) {
                    return p.kernel == kernel && p.nslabs == point.nslabs &&
                           p.nareas == point.nareas;
                });
                if (!known && (!low_memory || point.bytes <= low_memory))
                    points.push_back(point);
            }
    if (points.empty())
        throw refused_error("--sizes: none of them fits --low-memory " + bytes_text(low_memory) +
                            "; a kernel would halve the pool");
    return points;
}

std::string answer(const trace_session &session, const std::vector<sweep_point> &points,
                   const bounce_kernel *kernel, std::uint32_t nareas) {
    const sweep_point *best = smallest_without_failures(points, kernel, nareas);
    if (best && !best->stats.events_maps)
        return nothing_bounced(session);
    if (!best)
        return "No size tried is free of failures.";
    std::string overruled = option_overruled(session, *best);
    return with_commas(best->nslabs) + " slots (" + bytes_text(best->bytes) +
           ") is the smallest size tried without a failure: swiotlb=" +
           boot_option(*best, is_forced(session)) + "." +
           (overruled.empty() ? "" : "\nnote: " + overruled);
}

void print_table(const trace_session &session, const std::vector<sweep_point> &points) {
    auto cell = [](const std::string &text, std::size_t width) {
        return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
    };
    for (std::size_t i = 0; i < points.size(); i++) {
        const sweep_point &p = points[i];
        bool first = i == 0 || points[i - 1].kernel != p.kernel || points[i - 1].nareas != p.nareas;
        bool last = i + 1 == points.size() || points[i + 1].kernel != p.kernel ||
                    points[i + 1].nareas != p.nareas;
        if (first)
            std::cout << p.kernel->name << ", " << p.nareas << " area" << (p.nareas == 1 ? "" : "s")
                      << "\n"
                      << cell("slots", 10) << cell("memory", 10) << cell("high-water", 12)
                      << cell("failed", 10) << "  causes\n";
        std::cout << cell(with_commas(p.nslabs), 10) << cell(bytes_text(p.bytes), 10)
                  << cell(with_commas(p.stats.swiotlb_used_hiwater), 12)
                  << cell(with_commas(p.stats.events_failed_maps), 10)
                  << (p.stats.events_full ? "  " + causes_text(p.stats) : "")
                  << (p.stats.swiotlb_nslabs > p.nslabs
                          ? "  grows to " + with_commas(p.stats.swiotlb_nslabs)
                          : "")
                  << '\n';
        if (last)
            std::cout << answer(session, points, p.kernel, p.nareas) << "\n\n";
    }
    for (const std::string &line : notes_on_sizes(session))
        std::cout << "note: " << line << '\n';
}

json::object sweep_json(const trace_session &session, const std::vector<sweep_point> &points) {
    json::array rows;
    for (const sweep_point &p : points) {
        json::object row{{"kernel", p.kernel->name}, {"nslabs", p.nslabs}, {"nareas", p.nareas}};
        for (auto &item : stats_json(p.stats))
            if (item.key() != "recorded")
                row[item.key()] = std::move(item.value());
        rows.emplace_back(std::move(row));
    }
    return json::object{{"schema", "bouncesim-sweep/1"},
                        {"version", BOUNCESIM_VERSION},
                        {"trace", trace_json(session)},
                        {"config", config_json(session.config(), session.devices(), "replay")},
                        {"points", rows}};
}

// The path of a kernel tree may hold anything.
std::string csv_text(const std::string &text) {
    if (text.find_first_of(",\"\n") == std::string::npos)
        return text;
    std::string quoted = "\"";
    for (char c : text)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string sweep_csv(const std::vector<sweep_point> &points) {
    std::string out = "kernel,nslabs,nareas,bytes";
    auto each_stat = [](auto visit) {
        for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
            if (std::string_view(info->section) != "recorded")
                visit(*info);
    };
    each_stat([&](const bounce_stat_info &info) {
        out += std::string(",") + info.section + "_" + info.name;
    });
    out += ",fragmentation_external_hiwater\n";
    for (const sweep_point &p : points) {
        out += csv_text(p.kernel->name) + "," + std::to_string(p.nslabs) + "," +
               std::to_string(p.nareas) + "," + std::to_string(p.bytes);
        each_stat([&](const bounce_stat_info &info) {
            out += "," + std::to_string(bounce_stat_value(&p.stats, &info));
        });
        out += "," + fixed(p.stats.fragmentation_external_hiwater, 6) + "\n";
    }
    return out;
}

} // namespace

int cmd_sweep(const arguments &args) {
    po::options_description own("Sweep", 96, 60), all;
    auto text = [](const char *name) { return po::value<std::string>()->value_name(name); };
    auto add = own.add_options();
    add("sizes", text("LIST")->default_value("512..32768"),
        "pool sizes in slots (or with K, M, G): 1024,4096 or 512..32768 for powers of two");
    add("areas", text("LIST"), "area counts: 1,4,16 (default: the recorded pool's)");
    add("kernels", text("LIST"), "kernels, in place of --kernel");
    add("jobs,j", po::value<unsigned>()->value_name("N"), "worker threads (default: all cores)");
    add("json", text("FILE"), "the result as one object (schema bouncesim-sweep/1)");
    add("csv", text("FILE"), "one row a configuration");
    add("out", text("DIR"), "sweep.json and sweep.csv, into a directory");
    all.add(own).add(simulation_option_table());
    po::variables_map values;
    if (!parse_options(args, "sweep TRACE... [OPTION...]", all, "trace", -1, values))
        return exit_done;
    simulation_options options = read_simulation_options(values);
    grid g = read_grid(values);
    refuse_for_one_pool(options);
    unsigned workers = read_workers(values);

    watch_interrupts();
    auto session = std::make_unique<trace_session>(options);
    std::optional<output_directory> directory;
    std::string json_name = values.count("json") ? values["json"].as<std::string>() : "";
    std::string csv_name = values.count("csv") ? values["csv"].as<std::string>() : "";
    if (json_name == "-" && csv_name == "-")
        throw refused_error("only one output can go to standard output (-)");
    if (values.count("out")) {
        directory.emplace(values["out"].as<std::string>());
        if (json_name.empty())
            json_name = directory->file("sweep.json");
        if (csv_name.empty())
            csv_name = directory->file("sweep.csv");
    }
    std::optional<output_file> json_file, csv_file;
    if (!json_name.empty())
        json_file.emplace(json_name);
    if (!csv_name.empty())
        csv_file.emplace(csv_name);

    std::vector<sweep_point> points = make_points(g, *session);
    run_sweep(*session, points, workers);
    if (session->contradicted() && session->rewindable()) {
        session = std::make_unique<trace_session>(options, session->evidence());
        points = make_points(g, *session);
        run_sweep(*session, points, workers);
    }
    check_kernel_trees();
    if (json_file) {
        json_file->write(pretty(sweep_json(*session, points)));
        json_file->commit();
    }
    if (csv_file) {
        csv_file->write(sweep_csv(points));
        csv_file->commit();
    }
    if (directory)
        directory->keep();
    if (!options.quiet && json_name != "-" && csv_name != "-")
        print_table(*session, points);
    return exit_done;
}

} // namespace bouncesim
