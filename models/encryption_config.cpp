// SPDX-License-Identifier: Apache-2.0
#include "models/encryption_config.hpp"

#include <algorithm>
#include <iterator>

namespace bouncesim::models {
namespace {

/* clang-format off */
constexpr encryption_parameter table[] = {
#define BOUNCESIM_ROW(key, unit, none, snp, tdx, high, meaning, source) {#key, unit, meaning, source, &encryption_config::key, high},
    BOUNCESIM_ENCRYPTION_PARAMETERS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
};
/* clang-format on */

} // namespace

encryption_config encryption_config::of(bounce_guest guest) {
    encryption_config made;
#define BOUNCESIM_FIELD(key, unit, none, snp, tdx, high, meaning, source)                          \
    if (guest == BOUNCE_GUEST_SEV_SNP)                                                             \
        made.key = snp;                                                                            \
    else if (guest == BOUNCE_GUEST_TDX)                                                            \
        made.key = tdx;
    BOUNCESIM_ENCRYPTION_PARAMETERS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
    return made;
}

void encryption_config::apply(costs &timing) const {
    uint64_t speed = std::clamp<uint64_t>(copy_speed_ppm, 1, 1000000);
    uint64_t left = 1000000 - std::min<uint64_t>(bandwidth_loss_ppm, 900000);
    timing.memory_ps += latency_ps;
    timing.memory_ps_per_kib = timing.memory_ps_per_kib * 1000000 / left;
    for (cost_curve *curve : {&timing.copy_hot, &timing.copy_cold})
        for (cost_curve::point &point : curve->points)
            point.ps = point.ps * 1000000 / speed;
}

void encryption_config::make_free() {
    page_ps = latency_ps = bandwidth_loss_ppm = doorbell_ps = interrupt_ps = 0;
    copy_speed_ppm = 1000000;
}

const encryption_parameter *encryption_parameter_at(std::size_t index) {
    return index < std::size(table) ? &table[index] : nullptr;
}

const encryption_parameter *find_encryption_parameter(std::string_view key) {
    for (const encryption_parameter &row : table)
        if (key == row.key)
            return &row;
    return nullptr;
}

} // namespace bouncesim::models
