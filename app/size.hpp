// SPDX-License-Identifier: Apache-2.0
// The smallest pool that is enough: judged from a sweep over every size that a kernel can make.
#pragma once

#include "sweep.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

// Failures that a larger pool can cure: full events but those too large for any pool, and lockups.
std::uint64_t curable_failures(const bounce_stats &stats);

// One kernel and number of areas. The pointers are into the points judged.
struct size_answer {
    const bounce_kernel *kernel = nullptr;
    std::vector<const sweep_point *> points; // from the smallest that those areas allow, doubling
    const sweep_point *least = nullptr;      // smallest with at most the failures allowed, or null
    const sweep_point *below = nullptr;      // its neighbours; null at the ends
    const sweep_point *above = nullptr;
    const sweep_point *fails_again = nullptr; // largest one above it that does not do
    const sweep_point *recommended = nullptr;
    std::string reason; // for what is recommended
};

// Points of one kernel and number of areas, in the order of size, are next to each other.
std::vector<size_answer> judge_sizes(const std::vector<sweep_point> &points, std::uint64_t allowed);

// Whether to say ",force": only where the recorded or the given option did.
bool is_forced(const trace_session &session);

// What of the options has no say, or a say of its own, where sizes are tried.
std::vector<std::string> notes_on_sizes(const trace_session &session);

// "4096,4,force": what follows swiotlb= for that pool.
std::string boot_option(const sweep_point &point, bool force);

// What a machine whose memory sizes the pool makes of that option, when it looks to it as if no
// size was asked for; empty when it takes it as it is.
std::string option_overruled(const trace_session &session, const sweep_point &point);

// A size that a kernel would choose by itself, held against an answer.
struct platform_rule {
    const char *name;
    std::string text;         // the rule in words
    std::uint64_t nslabs = 0; // with the memory told, or with any; 0: depends on memory not told
    bool enough = false;      // of nslabs
    std::uint64_t memory = 0; // bytes from which on it is enough; 0: whatever the memory
    bool never = false;       // not with any memory
};

std::vector<platform_rule> platform_rules(const trace_session &session, const size_answer &answer,
                                          std::uint64_t allowed);

} // namespace bouncesim
