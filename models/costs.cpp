// SPDX-License-Identifier: Apache-2.0
#include "models/costs.hpp"

#include <algorithm>
#include <iterator>

namespace bouncesim::models {
namespace {

/* clang-format off */
constexpr cost_info table[] = {
#define BOUNCESIM_ROW(key, unit, value, meaning, source) {#key, unit, meaning, source, &costs::key, nullptr},
    BOUNCESIM_COSTS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
#define BOUNCESIM_ROW(key, points, meaning, source) {#key, "bytes:ps", meaning, source, nullptr, &costs::key},
    BOUNCESIM_COST_CURVES(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
};
/* clang-format on */

} // namespace

uint64_t cost_curve::at(uint64_t bytes) const {
    if (!count || !bytes)
        return 0;
    bytes = std::min(bytes, limit);
    if (bytes <= points[0].bytes)
        return points[0].ps * bytes / points[0].bytes;
    uint32_t i = 1;
    while (i + 1 < count && bytes > points[i].bytes)
        i++;
    if (i >= count) // a single point: its own slope goes on
        return points[0].ps / points[0].bytes * bytes;
    const point &a = points[i - 1], &b = points[i];
    return a.ps + (b.ps - a.ps) * (bytes - a.bytes) / (b.bytes - a.bytes);
}

costs costs::zero() {
    costs none;
    for (const cost_info &row : table) {
        if (row.value)
            none.*row.value = 0;
        else
            none.*row.curve = cost_curve{};
    }
    return none;
}

const cost_info *cost_at(std::size_t index) {
    return index < std::size(table) ? &table[index] : nullptr;
}

const cost_info *find_cost(std::string_view key) {
    for (const cost_info &row : table)
        if (key == row.key)
            return &row;
    return nullptr;
}

} // namespace bouncesim::models
