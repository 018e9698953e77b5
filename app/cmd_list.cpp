// SPDX-License-Identifier: Apache-2.0
// bouncesim list: the registries, one row a line.
#include "commands.hpp"
#include "errors.hpp"
#include "kernel_tree.hpp"
#include "options.hpp"
#include "output.hpp"
#include "report.hpp"

#include "bounce/stats.h"

#include <boost/json.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

#ifdef BOUNCESIM_SYSTEMC
#include "models/costs.hpp"
#include "models/device_model.hpp"
#include "models/iommu_config.hpp"
#endif

namespace bouncesim {
namespace {

struct item {
    std::string name, text, source;
};

struct listing {
    std::string title;
    std::vector<item> items;
};

listing list_kernels() {
    listing out{"kernels (--kernel)", {}};
    for (std::size_t i = 0; const bounce_kernel *kernel = bounce_kernel_at(i); i++)
        out.items.push_back({kernel->name, kernel->summary, kernel->source});
    out.items.push_back({kernel_tree_syntax,
                         "the swiotlb.c of a kernel tree, tarball or built plug-in of your own",
                         "kernel/dma/swiotlb.c at PATH, 6.0 and later; see docs/kernel-tree.md"});
    return out;
}

listing list_formats() {
    listing out{"formats (--format), each also .gz, .xz, .zst or .bz2", {}};
    for (std::size_t i = 0; const bounce_format *format = bounce_format_at(i); i++)
        out.items.push_back({format->name, format->summary, ""});
    return out;
}

listing list_stats() {
    static const char *const kinds[] = {"count", "peak", "level"};
    listing out{"statistics (keys of the JSON result)", {}};
    for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
        out.items.push_back(
            {std::string(info->section) + "." + info->name,
             std::string(info->meaning) + " [" + info->unit + ", " + kinds[info->kind] + "]", ""});
    return out;
}

#ifdef BOUNCESIM_SYSTEMC

listing list_costs() {
    listing out{"costs of --engine systemc (--cost KEY=NUMBER)", {}};
    const models::costs defaults;
    for (std::size_t i = 0; const models::cost_info *info = models::cost_at(i); i++)
        out.items.push_back({info->key,
                             info->value ? std::to_string(defaults.*(info->value)) + " " +
                                               info->unit + ": " + info->meaning
                                         : std::string("by size: ") + info->meaning,
                             info->source});
    return out;
}

listing list_devices() {
    listing out{"devices of --engine systemc (--device-model, platform files)", {}};
    for (std::size_t i = 0; const models::device_model *model = models::device_model_at(i); i++)
        out.items.push_back({model->name, model->summary, model->source});
    return out;
}

listing list_iommu() {
    listing out{"parameters of --iommu (--iommu-set KEY=NUMBER)", {}};
    const models::iommu_config defaults;
    for (std::size_t i = 0; const models::iommu_parameter *row = models::iommu_parameter_at(i); i++)
        out.items.push_back({row->key,
                             row->value ? std::to_string(defaults.*(row->value)) + " " + row->unit +
                                              ": " + row->meaning
                                        : std::string("by size: ") + row->meaning,
                             row->source});
    return out;
}

#else

listing list_costs() {
    return {"costs: this build has no SystemC", {}};
}
listing list_devices() {
    return {"devices: this build has no SystemC", {}};
}
listing list_iommu() {
    return {"iommu: this build has no SystemC", {}};
}

#endif

const struct {
    const char *name;
    listing (*make)();
} lists[] = {{"kernels", list_kernels}, {"formats", list_formats}, {"stats", list_stats},
             {"costs", list_costs},     {"devices", list_devices}, {"iommu", list_iommu}};

void row(const std::string &name, const std::string &text) {
    std::string left = "  " + name;
    left.resize(std::max<std::size_t>(left.size() + 2, 24), ' ');
    std::cout << left << text << '\n';
}

void print(const listing &list) {
    std::cout << list.title << (list.items.empty() ? "\n" : ":\n");
    for (const item &each : list.items) {
        row(each.name, each.text);
        if (!each.source.empty())
            row("", "source: " + each.source);
    }
}

json::array as_json(const listing &list) {
    json::array out;
    for (const item &each : list.items) {
        json::object object{{"name", each.name}, {"summary", each.text}};
        if (!each.source.empty())
            object["source"] = each.source;
        out.push_back(object);
    }
    return out;
}

std::string list_names() {
    std::string names;
    for (const auto &list : lists)
        names += (names.empty() ? "" : ", ") + std::string(list.name);
    return names;
}

} // namespace

int cmd_list(const arguments &args) {
    po::options_description own("Options", 96, 60);
    own.add_options()("json", po::value<std::string>()->value_name("FILE"),
                      "write the lists as JSON instead, for scripts; - is standard output")(
        "help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "list [kernels|formats|stats|costs|devices|iommu] [OPTION...]", own,
                       "what", -1, values))
        return exit_done;
    arguments wanted;
    if (values.count("what"))
        wanted = values["what"].as<arguments>();
    if (wanted.empty())
        for (const auto &list : lists)
            wanted.emplace_back(list.name);
    json::object result{{"schema", "bouncesim-list/1"}};
    std::vector<listing> made;
    for (const std::string &name : wanted) {
        bool found = false;
        for (const auto &list : lists)
            if (name == list.name) {
                made.push_back(list.make());
                result[name] = as_json(made.back());
                found = true;
            }
        if (!found)
            throw refused_error("list " + name + ": one of " + list_names() + " was expected");
    }
    if (values.count("json")) {
        output_file file(values["json"].as<std::string>());
        file.write(pretty(result));
        file.commit();
        return exit_done;
    }
    for (const listing &list : made)
        print(list);
    return exit_done;
}

} // namespace bouncesim
