// SPDX-License-Identifier: Apache-2.0
// What stands between devices and memory in the timed engine: --check-data, --iommu, --untrusted,
// encrypted memory of --coco; and what it counted, as JSON and for people.
#pragma once

#include "options.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

#ifdef BOUNCESIM_SYSTEMC
#include "models/path_config.hpp"
#endif

namespace bouncesim {

struct path_options {
    bool check_data = false;
    std::string iommu;                  // empty, "strict" or "lazy"
    std::vector<std::string> untrusted; // devices behind it, by name; "*": all
    std::vector<std::string> settings;  // KEY=NUMBER

    bool any() const {
        return check_data || !iommu.empty() || !untrusted.empty() || !settings.empty();
    }
};

void add_path_options(po::options_description &table);
path_options read_path_options(const po::variables_map &values);

#ifdef BOUNCESIM_SYSTEMC

// What a platform says of the same, which the options go before.
struct path_defaults {
    std::optional<models::iommu_config> iommu;
    std::optional<models::encryption_config> encryption; // of guest `guest`
    bounce_guest guest = BOUNCE_GUEST_NONE;
};

// With zero costs nothing here takes time. Without --iommu all devices of the default's IOMMU are
// behind it, unless the caller says more. refused_error.
models::path_config make_path(const path_options &options, const path_defaults &defaults,
                              bounce_guest guest, bool zero_costs);

// Adds "check", "iommu" and "encryption", as far as the path has them.
void add_path_json(boost::json::object &sections, const models::path_config &path,
                   const models::path_stats &stats, const std::vector<bounce_device> &devices);
std::string path_summary(const models::path_config &path, const models::path_stats &stats,
                         const std::vector<bounce_device> &devices);

#endif

} // namespace bouncesim
