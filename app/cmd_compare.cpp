// SPDX-License-Identifier: Apache-2.0
// bouncesim compare: two results (or directories of results); 3 when something got worse.
#include "commands.hpp"
#include "errors.hpp"
#include "options.hpp"
#include "output.hpp"
#include "report.hpp"
#include "text.hpp"

#include "bounce/stats.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>

namespace bouncesim {
namespace {

namespace fs = std::filesystem;

json::object load(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf()))
        throw refused_error(path + ": cannot read a result from it");
    note_input(path);
    json::error_code error;
    json::value value = json::parse(text.str(), error);
    const json::object *object = value.if_object();
    if (error || !object || !object->contains("schema"))
        throw refused_error(path + ": not a result of bouncesim (JSON with a schema key)");
    return *object;
}

// One set of statistics in a file: a run has one, a sweep one a point.
struct record {
    std::string label;
    json::object stats;
};

std::vector<record> records_of(const json::object &file, const std::string &path) {
    const json::value *schema = file.if_contains("schema");
    std::string name = schema->is_string() ? std::string(schema->as_string()) : "";
    if (name == "bouncesim-run/1")
        return {{"", file}};
    if (name != "bouncesim-sweep/1")
        throw refused_error(path + ": schema '" + name +
                            "'; bouncesim-run/1 or bouncesim-sweep/1 was expected");
    std::vector<record> records;
    const json::value *points = file.if_contains("points");
    if (!points || !points->is_array())
        throw refused_error(path + ": a sweep without points");
    for (const json::value &value : points->as_array()) {
        const json::object *point = value.if_object();
        if (!point || !point->contains("kernel") || !point->contains("nslabs") ||
            !point->contains("nareas"))
            throw refused_error(path + ": a sweep point without kernel, nslabs and nareas");
        std::ostringstream label;
        label << std::string(json::value_to<std::string>(point->at("kernel"))) << ", "
              << point->at("nslabs") << " slots, " << point->at("nareas") << " areas";
        records.push_back({label.str(), *point});
    }
    return records;
}

std::optional<double> value_of(const json::object &stats, const bounce_stat_info &info) {
    const json::value *at = nullptr;
    std::string section = info.section;
    const json::object *parent = &stats;
    if (section == "full_by_cause") {
        const json::value *events = stats.if_contains("events");
        if (!events || !events->is_object())
            return {};
        parent = &events->as_object();
    }
    at = parent->if_contains(section);
    if (!at || !at->is_object())
        return {};
    at = at->as_object().if_contains(info.name);
    if (!at || !at->is_number())
        return {};
    return at->to_number<double>();
}

struct difference {
    std::string label;
    std::string metric;
    std::optional<double> a, b;
    bool worse;
};

using thresholds = std::map<std::string, double>; // metric -> percent that is tolerated

thresholds read_thresholds(const po::variables_map &values) {
    thresholds limits;
    if (!values.count("threshold"))
        return limits;
    for (const std::string &text : values["threshold"].as<std::vector<std::string>>()) {
        std::size_t at = text.find('=');
        std::string metric = text.substr(0, at);
        bool known = false;
        for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
            known |= metric == std::string(info->section) + "." + info->name;
        char *end = nullptr;
        double percent = at == std::string::npos ? -1 : std::strtod(text.c_str() + at + 1, &end);
        if (!known || at == std::string::npos || at + 1 == text.size() || *end || !(percent >= 0))
            throw refused_error("--threshold " + text +
                                ": METRIC=PERCENT was expected, metrics as `bouncesim list stats` "
                                "shows them");
        limits[metric] = percent;
    }
    return limits;
}

bool is_worse(const bounce_stat_info &info, double a, double b, double tolerated_percent) {
    double tolerated = a * tolerated_percent / 100;
    switch (info.worse) {
    case BOUNCE_WORSE_UP:
        return b > a + tolerated;
    case BOUNCE_WORSE_DOWN:
        return b < a - tolerated;
    case BOUNCE_WORSE_NO:
        break;
    }
    return false;
}

const json::value *config_of(const record &r, const char *key) {
    const json::value *config = r.stats.if_contains("config");
    return config && config->is_object() ? config->as_object().if_contains(key) : nullptr;
}

// Addresses are compared with the recording's: that says something of the recorded pool only, and
// of one kernel, as another one has other places for good reasons.
bool as_recorded(const record &r) {
    const json::value *at = config_of(r, "as_recorded");
    return at && at->is_bool() && at->as_bool();
}

bool same_kernel(const record &a, const record &b) {
    const json::value *of_a = config_of(a, "kernel"), *of_b = config_of(b, "kernel");
    return of_a && of_b && *of_a == *of_b;
}

void compare_records(const record &a, const record &b, const thresholds &limits,
                     std::vector<difference> &out) {
    bool with_recorded = as_recorded(a) && as_recorded(b) && same_kernel(a, b);
    for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++) {
        if (std::string_view(info->section) == "recorded" && !with_recorded)
            continue;
        std::string metric = std::string(info->section) + "." + info->name;
        std::optional<double> va = value_of(a.stats, *info), vb = value_of(b.stats, *info);
        if (va == vb)
            continue;
        auto limit = limits.find(metric);
        bool worse =
            va && vb && is_worse(*info, *va, *vb, limit == limits.end() ? 0 : limit->second);
        out.push_back({a.label, metric, va, vb, worse});
    }
}

// The files to compare: the two given, or those that both directories hold.
std::vector<std::pair<std::string, std::string>> pairs(const std::string &a, const std::string &b) {
    std::error_code ignored;
    bool directory = fs::is_directory(a, ignored);
    if (directory != fs::is_directory(b, ignored))
        throw refused_error(a + " and " + b + ": a directory cannot be compared with a file");
    if (!directory)
        return {{a, b}};
    std::vector<std::pair<std::string, std::string>> found;
    for (const char *name : {"result.json", "sweep.json"}) {
        std::string in_a = a + "/" + name, in_b = b + "/" + name;
        bool has_a = fs::exists(in_a, ignored), has_b = fs::exists(in_b, ignored);
        if (has_a != has_b)
            throw refused_error((has_a ? in_b : in_a) + ": missing; the other directory has it");
        if (has_a)
            found.emplace_back(in_a, in_b);
    }
    if (found.empty())
        throw refused_error(a + ": holds neither result.json nor sweep.json");
    return found;
}

void compare_files(const std::string &path_a, const std::string &path_b, const thresholds &limits,
                   std::vector<difference> &out, std::size_t &compared) {
    json::object a = load(path_a), b = load(path_b);
    std::vector<record> ra = records_of(a, path_a), rb = records_of(b, path_b);
    if (a["schema"] != b["schema"])
        throw refused_error(path_a + " and " + path_b + ": a run cannot be compared with a sweep");
    std::size_t before = compared;
    for (const record &one : ra)
        for (const record &other : rb)
            if (one.label == other.label) {
                compare_records(one, other, limits, out);
                compared++;
            }
    if (compared == before)
        throw refused_error(path_a + " and " + path_b + ": no point in common");
    if (std::size_t alone = ra.size() + rb.size() - 2 * (compared - before))
        std::cerr << "bouncesim: " << path_a << " and " << path_b << ": " << alone
                  << (alone == 1 ? " point is" : " points are")
                  << " in one of the two only and left out\n";
}

std::string number(const std::optional<double> &value) {
    return value ? with_commas(static_cast<std::uint64_t>(*value)) : "-";
}

std::string change(const difference &d) {
    if (!d.a || !d.b)
        return "";
    if (*d.a == 0)
        return "new";
    double relative = 100 * (*d.b - *d.a) / *d.a;
    return (relative > 0 ? "+" : "") + fixed(relative, 1) + " %";
}

void print_differences(const std::vector<difference> &list) {
    std::string label = "?";
    for (const difference &d : list) {
        if (d.label != label && !d.label.empty())
            std::cout << d.label << '\n';
        label = d.label;
        std::string line = (d.worse ? "  worse  " : "         ") + d.metric;
        line.resize(std::max<std::size_t>(line.size() + 2, 48), ' ');
        for (const std::string &text : {number(d.a), number(d.b), change(d)})
            line += std::string(text.size() < 15 ? 15 - text.size() : 1, ' ') + text;
        std::cout << line << '\n';
    }
}

json::object differences_json(const std::vector<difference> &list, std::size_t compared,
                              std::size_t worse) {
    json::array rows;
    for (const difference &d : list)
        rows.emplace_back(json::object{{"point", d.label},
                                       {"metric", d.metric},
                                       {"a", d.a ? json::value(*d.a) : json::value()},
                                       {"b", d.b ? json::value(*d.b) : json::value()},
                                       {"worse", d.worse}});
    return json::object{{"schema", "bouncesim-compare/1"},
                        {"compared", compared},
                        {"worse", worse},
                        {"differences", rows}};
}

} // namespace

int cmd_compare(const arguments &args) {
    po::options_description own("Options", 96, 60);
    auto add = own.add_options();
    add("threshold", po::value<std::vector<std::string>>()->value_name("METRIC=PERCENT"),
        "how much worse a metric may get (default 0)");
    add("json", po::value<std::string>()->value_name("FILE"),
        "the differences as one object (schema bouncesim-compare/1)");
    add("quiet,q", "print nothing");
    add("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "compare A B [OPTION...]", own, "result", 2, values))
        return exit_done;
    arguments files;
    if (values.count("result"))
        files = values["result"].as<arguments>();
    if (files.size() != 2)
        throw refused_error("compare: two results were expected, A (before) and B (after)");
    thresholds limits = read_thresholds(values);

    std::vector<difference> list;
    std::size_t compared = 0, worse = 0;
    for (const auto &[a, b] : pairs(files[0], files[1]))
        compare_files(a, b, limits, list, compared);
    for (const difference &d : list)
        worse += d.worse;
    bool quiet = values.count("quiet") > 0;
    if (values.count("json")) {
        output_file out(values["json"].as<std::string>());
        out.write(pretty(differences_json(list, compared, worse)));
        out.commit();
        quiet |= out.to_stdout();
    }
    if (!quiet) {
        print_differences(list);
        std::cout << (list.empty() ? "" : "\n") << with_commas(compared)
                  << (compared == 1 ? " result" : " results") << " compared: "
                  << (list.empty() ? std::string("no difference")
                                   : with_commas(list.size()) + " differences, " +
                                         with_commas(worse) + " worse")
                  << ".\n";
    }
    return worse ? exit_regression : exit_done;
}

} // namespace bouncesim
