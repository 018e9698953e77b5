// SPDX-License-Identifier: Apache-2.0
#include "gen_dist.hpp"

#include <algorithm>

namespace bouncesim {
namespace {

// [[VALUE, WEIGHT], ...]
void read_values(const toml_table &form, const toml::node &node, const std::string &what,
                 std::uint64_t least, std::uint64_t most, std::uint64_t unit, gen_spec &spec,
                 bounce_dist &out) {
    const toml::array *rows = node.as_array();
    std::vector<bounce_bin> bins;
    std::uint64_t sum = 0;
    if (!rows || rows->empty())
        form.refuse(node, what + ".values: [[VALUE, WEIGHT], ...] was expected");
    for (const toml::node &row : *rows) {
        const toml::array *pair = row.as_array();
        if (!pair || pair->size() != 2)
            form.refuse(row, what + ".values: [VALUE, WEIGHT] was expected");
        std::uint64_t value = form.whole_of(*pair->get(0), what, least, most);
        sum += form.whole_of(*pair->get(1), what + " (weight)", 0,
                             static_cast<std::uint64_t>(INT64_MAX) - sum);
        bins.push_back({value * unit, sum});
    }
    if (!sum)
        form.refuse(node, what + ".values: weights above 0 were expected");
    spec.bins.push_back(std::move(bins));
    out = {BOUNCE_DIST_VALUES, 0, 0, 0, spec.bins.back().data(), spec.bins.back().size()};
}

void read_uniform(toml_table &form, const toml::node &node, const std::string &what,
                  std::uint64_t least, std::uint64_t most, std::uint64_t unit, bounce_dist &out) {
    const toml::array *pair = node.as_array();
    if (!pair || pair->size() != 2)
        form.refuse(node, what + ".uniform: [LOWEST, HIGHEST] was expected");
    std::uint64_t lowest = form.whole_of(*pair->get(0), what, least, most);
    std::uint64_t highest = form.whole_of(*pair->get(1), what, lowest, most);
    std::uint64_t step = 1;
    form.whole("step", step, 1, most);
    out = {BOUNCE_DIST_UNIFORM, lowest * unit, highest * unit, step * unit, nullptr, 0};
}

} // namespace

bool read_dist(toml_table &table, const char *key, std::uint64_t least, std::uint64_t most,
               std::uint64_t unit, gen_spec &spec, bounce_dist &out) {
    const toml::node *node = table.find(key);
    if (!node)
        return false;
    std::string what = table.path(key);
    out = {};
    if (!node->as_table()) {
        out.a = table.whole_of(*node, what, least, most) * unit;
        return true;
    }
    toml_table form = table.part(what, *node->as_table());
    std::uint64_t above_0 = std::max<std::uint64_t>(least, 1);
    std::uint64_t mean = 0, median = 0, p99 = 0;
    int forms = 0;
    if (const toml::node *values = form.find("values")) {
        forms++;
        read_values(form, *values, what, least, most, unit, spec, out);
    }
    if (const toml::node *range = form.find("uniform")) {
        forms++;
        read_uniform(form, *range, what, least, most, unit, out);
    }
    if (form.whole("exponential", mean, above_0, most)) {
        forms++;
        out = {BOUNCE_DIST_EXPONENTIAL, mean * unit, 0, 0, nullptr, 0};
    }
    if (form.whole("median", median, above_0, most)) {
        forms++;
        if (!form.whole("p99", p99, median, most))
            form.refuse(what + ": median and p99 were expected");
        out = {BOUNCE_DIST_LOG_NORMAL, median * unit, p99 * unit, 0, nullptr, 0};
    }
    form.finish();
    if (forms != 1)
        table.refuse(key, "a number, or one of { values = [[VALUE, WEIGHT], ...] }, { uniform = "
                          "[LOWEST, HIGHEST] }, { exponential = MEAN } and { median = N, p99 = N } "
                          "was expected");
    return true;
}

bool read_time_dist(toml_table &table, const std::string &key, gen_spec &spec, bounce_dist &out) {
    static const struct {
        const char *unit;
        std::uint64_t ns;
    } units[] = {{"_ns", 1}, {"_us", 1000}, {"_ms", 1000000}};
    int found = 0;
    for (const auto &unit : units)
        found += read_dist(table, (key + unit.unit).c_str(), 0, gen_time_most / unit.ns, unit.ns,
                           spec, out);
    if (found > 1)
        table.refuse(table.path(key) + ": one unit of _ns, _us and _ms was expected");
    return found;
}

} // namespace bouncesim
