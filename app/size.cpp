// SPDX-License-Identifier: Apache-2.0
#include "size.hpp"

#include "text.hpp"

#include <algorithm>
#include <cstring>

namespace bouncesim {

std::uint64_t curable_failures(const bounce_stats &stats) {
    return stats.events_full - stats.full_by_cause_oversize + stats.events_lockups;
}

namespace {

// The share of a pool from which on another run of the same load may find it full.
constexpr std::uint64_t margin_percent = 75;

std::uint64_t share(const sweep_point &point) {
    return point.stats.swiotlb_used_hiwater * 100 / point.nslabs;
}

bool grew(const sweep_point &point) {
    return point.stats.events_transient_maps > 0 || point.stats.swiotlb_nslabs > point.nslabs;
}

void recommend(size_answer &answer) {
    const std::vector<const sweep_point *> &points = answer.points;
    auto at = std::find(points.begin(), points.end(),
                        answer.fails_again ? answer.fails_again : answer.least);
    if (answer.fails_again)
        ++at;
    if (at == points.end()) {
        answer.reason = "the largest size tried is not enough";
        return;
    }
    if (answer.fails_again)
        answer.reason = with_commas(answer.fails_again->nslabs) + " slots fail again; ";
    const bounce_stats &stats = (*at)->stats;
    auto calm = std::find_if(at, points.end(), [](const sweep_point *p) { return !grew(*p); });
    if (grew(**at) && calm != points.end()) {
        answer.reason += "smaller ones grow, and until they have, a map that finds them full waits "
                         "for pages of its own (" +
                         with_commas(stats.events_transient_maps) + " did with " +
                         with_commas((*at)->nslabs) + " slots)";
        at = calm;
    } else if (stats.recorded_full_recorded && at + 1 != points.end()) {
        answer.reason += "one size up, since " + with_commas(stats.recorded_full_recorded) +
                         " maps failed while it was recorded: drivers waited, and would have asked "
                         "for more";
        ++at;
    } else if (share(**at) >= margin_percent && at + 1 != points.end()) {
        answer.reason += "one size up, since the load filled " + std::to_string(share(**at)) +
                         " % of it: another run may need more";
        ++at;
    } else {
        answer.reason += "the load filled " + std::to_string(share(**at)) + " % of it";
    }
    answer.recommended = *at;
}

} // namespace

std::vector<size_answer> judge_sizes(const std::vector<sweep_point> &points,
                                     std::uint64_t allowed) {
    std::vector<size_answer> answers;
    for (const sweep_point &point : points) {
        if (answers.empty() || answers.back().kernel != point.kernel ||
            answers.back().points.back()->nareas != point.nareas ||
            answers.back().points.back()->nslabs >= point.nslabs) {
            answers.emplace_back();
            answers.back().kernel = point.kernel;
        }
        answers.back().points.push_back(&point);
    }
    for (size_answer &answer : answers) {
        for (std::size_t i = 0; i < answer.points.size(); i++) {
            const sweep_point *point = answer.points[i];
            bool enough = curable_failures(point->stats) <= allowed;
            if (!answer.least && enough) {
                answer.least = point;
                answer.below = i ? answer.points[i - 1] : nullptr;
                answer.above = i + 1 < answer.points.size() ? answer.points[i + 1] : nullptr;
            } else if (answer.least && !enough) {
                answer.fails_again = point;
            }
        }
        if (answer.least)
            recommend(answer);
    }
    return answers;
}

bool is_forced(const trace_session &session) {
    const simulation_options &options = session.options();
    return session.config().replay.force && options.machine.guest == BOUNCE_GUEST_NONE &&
           (!session.config().requests || (options.boot && options.boot->force));
}

std::vector<std::string> notes_on_sizes(const trace_session &session) {
    const simulation_options &options = session.options();
    std::vector<std::string> notes;
    if (options.machine.low_memory)
        notes.emplace_back("sizes up to --low-memory were tried: a larger pool would be halved to "
                           "it");
    if (options.boot && options.boot->nslabs)
        notes.emplace_back("sizes were tried whatever --swiotlb names; its areas and force hold");
    return notes;
}

std::string boot_option(const sweep_point &point, bool force) {
    return std::to_string(point.bytes >> BOUNCE_SLOT_SHIFT) + "," + std::to_string(point.nareas) +
           (force ? ",force" : "");
}

std::string option_overruled(const trace_session &session, const sweep_point &point) {
    bounce_machine machine = session.options().machine;
    bounce_boot boot = {point.bytes >> BOUNCE_SLOT_SHIFT, point.nareas, false, false};
    std::uint64_t nslabs = 0;
    std::uint32_t nareas = 0;
    machine.cpus = session.config().replay.pool.cpus;
    machine.low_memory = 0;
    if (machine.arch == BOUNCE_ARCH_ARM64 && std::strcmp(point.kernel->name, "linux-6.1") == 0)
        return ""; // 6.7 brought the rule
    bounce_boot_pool(&boot, &machine, &nslabs, &nareas);
    if (nslabs == boot.nslabs)
        return "";
    return "swiotlb=" + boot_option(point, false) +
           " looks to that machine as if no size was asked for: it makes " + with_commas(nslabs) +
           " slots (" + bytes_text(nslabs << BOUNCE_SLOT_SHIFT) + ")";
}

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

std::uint64_t slots_by_rule(const trace_session &session, bounce_guest guest, bounce_arch arch,
                            std::uint64_t memory) {
    bounce_boot boot = {};
    bounce_machine machine = {};
    std::uint64_t nslabs = 0;
    std::uint32_t nareas = 0;
    machine.cpus = session.config().replay.pool.cpus;
    machine.memory = memory;
    machine.guest = guest;
    machine.arch = arch;
    bounce_boot_pool(&boot, &machine, &nslabs, &nareas);
    return nslabs;
}

// Larger than all that was tried counts as the largest.
bool is_enough(const size_answer &answer, std::uint64_t nslabs, std::uint64_t allowed) {
    const sweep_point *found = answer.points.front();
    for (const sweep_point *point : answer.points)
        if (point->bytes >> BOUNCE_SLOT_SHIFT <= nslabs)
            found = point;
    return found->bytes >> BOUNCE_SLOT_SHIFT <= nslabs && curable_failures(found->stats) <= allowed;
}

} // namespace

std::vector<platform_rule> platform_rules(const trace_session &session, const size_answer &answer,
                                          std::uint64_t allowed) {
    std::vector<platform_rule> rules;
    std::uint64_t told = session.options().machine.memory;
    platform_rule fixed;
    fixed.name = "default";
    fixed.text = "64 MiB, as long as nothing else is asked for";
    fixed.nslabs = slots_by_rule(session, BOUNCE_GUEST_NONE, BOUNCE_ARCH_X86, 0);
    fixed.enough = is_enough(answer, fixed.nslabs, allowed);
    fixed.never = !fixed.enough;
    rules.push_back(fixed);
    const struct {
        const char *name, *text;
        bounce_guest guest;
        bounce_arch arch;
    } by_memory[] = {
        {"confidential-x86", "6 % of memory, 64 MiB to 1 GiB, in SEV-SNP and TDX guests",
         BOUNCE_GUEST_SEV_SNP, BOUNCE_ARCH_X86},
        {"arm64",
         "1 MiB for each GiB, at most 64 MiB, on arm64 without a DMA limit (6.7 and later)",
         BOUNCE_GUEST_NONE, BOUNCE_ARCH_ARM64},
    };
    for (const auto &row : by_memory) {
        platform_rule rule;
        rule.name = row.name;
        rule.text = row.text;
        if (told) {
            rule.nslabs = slots_by_rule(session, row.guest, row.arch, told);
            rule.enough = is_enough(answer, rule.nslabs, allowed);
        }
        rule.never = true;
        for (std::uint64_t memory = gib / 2; memory <= 128 * gib && rule.never; memory += gib / 2)
            if (is_enough(answer, slots_by_rule(session, row.guest, row.arch, memory), allowed)) {
                rule.never = false;
                rule.memory = memory > gib / 2 ? memory : 0;
            }
        rules.push_back(rule);
    }
    return rules;
}

} // namespace bouncesim
