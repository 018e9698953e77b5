// SPDX-License-Identifier: Apache-2.0
// bouncesim list: the registries, one row a line.
#include "commands.hpp"
#include "errors.hpp"
#include "kernel_tree.hpp"
#include "options.hpp"

#include "bounce/stats.h"

#include <iostream>

#ifdef BOUNCESIM_SYSTEMC
#include "models/costs.hpp"
#include "models/device_model.hpp"
#include "models/iommu_config.hpp"
#endif

namespace bouncesim {
namespace {

void row(const std::string &name, const std::string &text) {
    std::string left = "  " + name;
    left.resize(std::max<std::size_t>(left.size() + 2, 24), ' ');
    std::cout << left << text << '\n';
}

void list_kernels() {
    std::cout << "kernels (--kernel):\n";
    for (std::size_t i = 0; const bounce_kernel *kernel = bounce_kernel_at(i); i++) {
        row(kernel->name, kernel->summary);
        row("", std::string("source: ") + kernel->source);
    }
    row(kernel_tree_syntax, "the swiotlb.c of a kernel tree, tarball or built plug-in of your own");
    row("", "source: kernel/dma/swiotlb.c at PATH, 6.0 and later; see docs/kernel-tree.md");
}

void list_formats() {
    std::cout << "formats (--format), each also .gz, .xz or .zst:\n";
    for (std::size_t i = 0; const bounce_format *format = bounce_format_at(i); i++)
        row(format->name, format->summary);
}

void list_stats() {
    static const char *const kinds[] = {"count", "peak", "level"};
    std::cout << "statistics (keys of the JSON result):\n";
    for (std::size_t i = 0; const bounce_stat_info *info = bounce_stat_at(i); i++)
        row(std::string(info->section) + "." + info->name,
            std::string(info->meaning) + " [" + info->unit + ", " + kinds[info->kind] + "]");
}

void list_costs() {
#ifdef BOUNCESIM_SYSTEMC
    std::cout << "costs of --engine systemc (--cost KEY=NUMBER):\n";
    const models::costs defaults;
    for (std::size_t i = 0; const models::cost_info *info = models::cost_at(i); i++) {
        row(info->key, info->value ? std::to_string(defaults.*(info->value)) + " " + info->unit +
                                         ": " + info->meaning
                                   : std::string("by size: ") + info->meaning);
        row("", std::string("source: ") + info->source);
    }
#else
    std::cout << "costs: this build has no SystemC\n";
#endif
}

void list_devices() {
#ifdef BOUNCESIM_SYSTEMC
    std::cout << "devices of --engine systemc (--device-model, platform files):\n";
    for (std::size_t i = 0; const models::device_model *model = models::device_model_at(i); i++) {
        row(model->name, model->summary);
        row("", std::string("source: ") + model->source);
    }
#else
    std::cout << "devices: this build has no SystemC\n";
#endif
}

void list_iommu() {
#ifdef BOUNCESIM_SYSTEMC
    std::cout << "parameters of --iommu (--iommu-set KEY=NUMBER):\n";
    const models::iommu_config defaults;
    for (std::size_t i = 0; const models::iommu_parameter *row_of = models::iommu_parameter_at(i);
         i++) {
        row(row_of->key, row_of->value ? std::to_string(defaults.*(row_of->value)) + " " +
                                             row_of->unit + ": " + row_of->meaning
                                       : std::string("by size: ") + row_of->meaning);
        row("", std::string("source: ") + row_of->source);
    }
#else
    std::cout << "iommu: this build has no SystemC\n";
#endif
}

const struct {
    const char *name;
    void (*print)();
} lists[] = {{"kernels", list_kernels}, {"formats", list_formats}, {"stats", list_stats},
             {"costs", list_costs},     {"devices", list_devices}, {"iommu", list_iommu}};

} // namespace

int cmd_list(const arguments &args) {
    po::options_description own("Options");
    own.add_options()("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, "list [kernels|formats|stats|costs|devices|iommu]", own, "what", -1,
                       values))
        return exit_done;
    arguments wanted;
    if (values.count("what"))
        wanted = values["what"].as<arguments>();
    if (wanted.empty())
        for (const auto &list : lists)
            wanted.emplace_back(list.name);
    for (const std::string &name : wanted) {
        bool found = false;
        for (const auto &list : lists) {
            if (name != list.name)
                continue;
            list.print();
            found = true;
        }
        if (!found)
            throw refused_error("list " + name +
                                ": kernels, formats, stats, costs or devices was expected");
    }
    return exit_done;
}

} // namespace bouncesim
