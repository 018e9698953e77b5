// SPDX-License-Identifier: Apache-2.0
#include "path_options.hpp"

#include "errors.hpp"
#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#ifdef BOUNCESIM_SYSTEMC
#include "check_report.hpp"
#endif

namespace json = boost::json;

namespace bouncesim {

void add_path_options(po::options_description &table) {
    auto add = table.add_options();
    add("check-data", "systemc: buffers hold real bytes, and every copy and transfer is checked; "
                      "exit status 3 when a byte is not where it belongs");
    add("iommu", po::value<std::string>()->value_name("strict|lazy"),
        "systemc: the devices are behind an IOMMU, and bounce only when untrusted");
    add("untrusted", po::value<std::vector<std::string>>()->value_name("NAME"),
        "with --iommu: a device that is not trusted (* for all): what is not whole pages bounces");
    add("iommu-set", po::value<std::vector<std::string>>()->value_name("KEY=NUMBER"),
        "with --iommu: one parameter (`bouncesim list iommu`)");
}

path_options read_path_options(const po::variables_map &values) {
    path_options options;
    auto texts = [&](const char *name) {
        return values.count(name) ? values[name].as<std::vector<std::string>>()
                                  : std::vector<std::string>();
    };
    options.check_data = values.count("check-data") > 0;
    if (values.count("iommu"))
        options.iommu = values["iommu"].as<std::string>();
    options.untrusted = texts("untrusted");
    options.settings = texts("iommu-set");
    if (!options.iommu.empty() && options.iommu != "strict" && options.iommu != "lazy")
        throw refused_error("--iommu " + options.iommu + ": strict or lazy was expected");
    if (options.iommu.empty() && (!options.untrusted.empty() || !options.settings.empty()))
        throw refused_error("--untrusted and --iommu-set belong to --iommu");
    return options;
}

#ifdef BOUNCESIM_SYSTEMC

namespace {

void set_parameter(models::iommu_config &config, const std::string &text) {
    std::size_t at = text.find('=');
    const models::iommu_parameter *row = models::find_iommu_parameter(text.substr(0, at));
    if (!row || !row->value)
        throw refused_error("--iommu-set " + text +
                            ": KEY=NUMBER was expected, keys as `bouncesim list iommu` shows them");
    std::uint64_t value = 0;
    const char *end = text.data() + text.size();
    auto parsed = std::from_chars(text.data() + std::min(at + 1, text.size()), end, value);
    if (at == std::string::npos || parsed.ec != std::errc() || parsed.ptr != end ||
        value < row->smallest || value > row->largest)
        throw refused_error("--iommu-set " + text + ": a number of " + row->unit + " from " +
                            std::to_string(row->smallest) + " to " + std::to_string(row->largest) +
                            " was expected");
    config.*(row->value) = value;
}

std::string ns(double value) {
    return time_text(static_cast<std::uint64_t>(std::llround(value)));
}

} // namespace

models::path_config make_path(const path_options &options, const path_defaults &defaults,
                              bounce_guest guest, bool zero_costs) {
    models::path_config path;
    path.check_data = options.check_data;
    path.iommu = defaults.iommu;
    if (!options.iommu.empty()) {
        if (!path.iommu)
            path.iommu = models::iommu_config();
        path.iommu->lazy = options.iommu == "lazy";
        path.use = [names = options.untrusted](const bounce_device &device) {
            for (const std::string &name : names)
                if (name == "*" || name == device.name)
                    return models::iommu_use::untrusted;
            return models::iommu_use::trusted;
        };
    }
    if (path.iommu && zero_costs)
        path.iommu->make_free();
    for (const std::string &text : options.settings)
        set_parameter(*path.iommu, text);
    if (std::string wrong = path.iommu ? path.iommu->check() : ""; !wrong.empty())
        throw refused_error("--iommu-set: " + wrong);
    if (guest != BOUNCE_GUEST_NONE) {
        bool told = defaults.encryption && defaults.guest == guest;
        path.encryption = told ? *defaults.encryption : models::encryption_config::of(guest);
        if (zero_costs)
            path.encryption->make_free();
    }
    return path;
}

void add_path_json(json::object &sections, const models::path_config &path,
                   const models::path_stats &stats, const std::vector<bounce_device> &devices) {
    if (path.check_data)
        sections["check"] = check_json(stats.check, devices);
#define BOUNCESIM_ROW(type, name, unit, meaning) out[#name] = from.name;
    if (path.iommu) {
        const models::iommu_stats &from = stats.iommu;
        json::object out{{"mode", path.iommu->lazy ? "lazy" : "strict"}};
        BOUNCESIM_IOMMU_STATS(BOUNCESIM_ROW)
        out["faults"] = faults_json(from.faults, devices);
        sections["iommu"] = out;
    }
    if (path.encryption) {
        const models::encryption_stats &from = stats.encryption;
        json::object out;
        BOUNCESIM_ENCRYPTION_STATS(BOUNCESIM_ROW)
        out["faults"] = faults_json(from.faults, devices);
        sections["encryption"] = out;
    }
#undef BOUNCESIM_ROW
}

std::string path_summary(const models::path_config &path, const models::path_stats &stats,
                         const std::vector<bounce_device> &devices) {
    std::string text;
    if (path.iommu) {
        const models::iommu_stats &s = stats.iommu;
        text += "IOMMU (" + std::string(path.iommu->lazy ? "lazy" : "strict") +
                "): " + with_commas(s.maps) + " maps";
        if (s.bounced)
            text += ", " + with_commas(s.bounced) + " of them bounced";
        if (s.maps)
            text +=
                "; mapping took " + ns(s.map_ns) + ", unmapping " + ns(s.unmap_ns) +
                " of CPU time; the IOTLB held " +
                percent(static_cast<double>(s.iotlb_hits), static_cast<double>(s.translations)) +
                " of " + with_commas(s.translations) + " pages";
        if (s.stale)
            text += "; " + with_commas(s.stale) + " uses of unmapped pages were served";
        text +=
            "; " +
            (s.faults.count ? with_commas(s.faults.count) + " faults" : std::string("no fault")) +
            ".\n";
    }
    if (path.encryption) {
        const models::encryption_stats &s = stats.encryption;
        text += "Encrypted memory: ";
        text += s.faults.count
                    ? with_commas(s.private_reads) + " reads and " + with_commas(s.private_writes) +
                          " writes of private pages by devices, " +
                          (path.encryption->blocks ? "stopped" : "served as ciphertext")
                    : std::string("devices touched shared pages only");
        if (s.exit_ns > 0)
            text += "; exits took " + ns(s.exit_ns);
        text += ".\n";
    }
    if (path.check_data)
        text += check_summary(stats.check, devices);
    return text;
}

#endif

} // namespace bouncesim
