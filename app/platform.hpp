// SPDX-License-Identifier: Apache-2.0
// The machine that `--engine systemc` simulates: from a platform file (docs/platforms.md), from
// options, or inferred from the trace. Only in builds with SystemC.
#pragma once

#include "models/request_engine.hpp"
#include "options.hpp"
#include "path_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

struct platform {
    std::string file; // empty: none
    // What the simulation's own options say too, and go before; empty or 0: not told.
    std::string kernel;
    std::uint32_t cpus = 0;
    bounce_machine machine = {};
    bool has_pool = false;
    bounce_boot boot = {};
    std::optional<bool> force;
    std::uint64_t pool_start = 0;

    models::costs timing;
    path_defaults path; // encryption: where the file says more than its guest
    // replay, timing, cpus and model are filled in when it runs.
    models::request_config run;

    struct rule {
        std::string match; // device name, or "*"
        models::device_model model;
    };
    std::vector<rule> devices;                // the first that matches decides
    std::string usual_model;                  // --device-model: of devices that no rule names
    std::vector<models::device_model> fitted; // --fit: in place of those of the same name
    bool arrivals_told = false;
    std::string request_option; // one that was given and says how requests are played; or empty

    // Whether the times of a model are those of --fit.
    bool has_fitted(const std::string &model) const;
    // Whether a device of the file is behind an IOMMU.
    bool has_iommu() const;
    // By rule, by option, or by what the trace's format and the device's name tell.
    const models::device_model &model_of(const std::string &device,
                                         const std::string &format) const;
};

// Throws refused_error with FILE:LINE for everything that is wrong, unknown keys too.
platform read_platform_file(const std::string &path);
// What only shows when it is put together: throws refused_error.
void check_platform(const platform &p);
// A file that means the same, with every key written out.
std::string platform_text(const platform &p);

po::options_description platform_option_table();
// The file of --platform, if any, with the options applied.
platform read_platform(const po::variables_map &values);
// --print-config: the exit status.
int print_platform(const po::variables_map &values);
// Fills in what the simulation's options leave open.
void apply_platform(const platform &p, const po::variables_map &values,
                    simulation_options &options);

} // namespace bouncesim
