// SPDX-License-Identifier: Apache-2.0
// The words of platform files that stand for a choice, for who reads and who writes them.
#pragma once

#include "platform.hpp"

#include <utility>
#include <vector>

namespace bouncesim::platform_names {

template <class T> using names = std::vector<std::pair<const char *, T>>;

inline const names<bounce_guest> guests = {
    {"none", BOUNCE_GUEST_NONE}, {"sev-snp", BOUNCE_GUEST_SEV_SNP}, {"tdx", BOUNCE_GUEST_TDX}};
inline const names<bounce_arch> arches = {{"x86", BOUNCE_ARCH_X86}, {"arm64", BOUNCE_ARCH_ARM64}};
inline const names<models::arrival_mode> arrivals = {{"trace", models::arrival_mode::trace},
                                                     {"open", models::arrival_mode::open},
                                                     {"closed", models::arrival_mode::closed}};
inline const names<bool> completions = {{"recorded", true}, {"model", false}};
inline const names<models::on_full> fulls = {{"requeue", models::on_full::requeue},
                                             {"drop", models::on_full::drop},
                                             {"fail", models::on_full::fail}};

} // namespace bouncesim::platform_names
