// SPDX-License-Identifier: Apache-2.0
// bouncesim's allocator against the real one: random operations through both in one process, and
// every answer compared. A difference is shrunk to a short stream and written down.
//
//   differential --kernel NAME --plugin FILE [--ops N] [--seed S] [--profile NAME]
//
// Exit status: 0 no difference, 1 a difference, 2 usage.
#include "sides.hpp"

#include <algorithm>
#include <fstream>

namespace {

using namespace kernel_test;

// Many pools are seen by short streams, rare states of one pool by long ones.
constexpr std::uint64_t short_stream = 6000, long_stream = 100000;

struct found_difference {
    std::size_t at = 0;
    const char *field = nullptr; // NULL: none
    answer core, kernel;
};

// What happened so far, so that a run that never meets a case does not go unnoticed.
struct tally {
    std::uint64_t operations = 0, full = 0, lockups = 0, syncs = 0, transient = 0, grown = 0;
};

found_difference play(const subject &who, const stream &s, tally *count) {
    core_side core(who, s);
    kernel_side kernel(who, s);
    std::vector<std::uint64_t> where(s.ids); // 0: not mapped
    std::uint64_t nslabs = 0, transient = 0;
    found_difference found;
    for (std::size_t i = 0; i < s.operations.size(); i++) {
        const operation &op = s.operations[i];
        bool is_map = op.kind == 'M' || op.kind == 'A';
        if (!is_map && op.kind != 'W' && !where[op.id])
            continue;
        std::uint64_t tlb = is_map || op.kind == 'W' ? 0 : where[op.id];
        answer a = core.apply(op, tlb), b = kernel.apply(op, tlb);
        if (std::strcmp(b.outcome, "lockup") == 0)
            a.alloc_size = 0; // the plug-in left the search before it could say
        if ((found.field = difference(a, b))) {
            found.at = i;
            found.core = a;
            found.kernel = b;
            return found;
        }
        if (is_map || op.kind == 'U')
            where[op.id] = is_map ? b.tlb_addr : 0;
        if (!count)
            continue;
        count->operations++;
        count->full += std::strcmp(b.outcome, "full") == 0;
        count->lockups += std::strcmp(b.outcome, "lockup") == 0;
        count->syncs += op.kind == 'S' && b.bytes;
        count->transient += b.transient > transient;
        count->grown += nslabs && b.nslabs > nslabs;
        nslabs = b.nslabs;
        transient = b.transient;
    }
    return found;
}

// Leaves out whatever the difference does not need: halves first, then ever smaller parts.
stream shrink(const subject &who, stream s, std::size_t at) {
    s.operations.resize(at + 1);
    for (std::size_t part = s.operations.size() / 2; part > 0; part /= 2) {
        for (std::size_t from = 0; from + part <= s.operations.size();) {
            stream less = s;
            auto begin = less.operations.begin() + static_cast<std::ptrdiff_t>(from);
            less.operations.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
            if (play(who, less, nullptr).field)
                s = less;
            else
                from += part;
        }
    }
    s.operations.resize(play(who, s, nullptr).at + 1);
    return s;
}

void report(const subject &who, const std::string &profile, std::uint64_t seed, const stream &s,
            const found_difference &found) {
    std::printf("%s, profile %s, seed %" PRIu64 ", operation %zu: %s differs\n", who.kernel->name,
                profile.c_str(), seed, found.at, found.field);
    std::printf("  core   %s\n  kernel %s\n", text_of(found.core).c_str(),
                text_of(found.kernel).c_str());
    stream less = shrink(who, s, found.at);
    std::string name = std::string("differential-") + who.kernel->name + "-" + profile + "-" +
                       std::to_string(seed) + ".ops";
    std::ofstream out(name);
    out << as_text(less);
    found_difference again = play(who, less, nullptr);
    std::printf("  shrunk to %zu operations in %s (lost orders %u, reuse %d, encrypted %d)\n"
                "  core   %s\n  kernel %s\n",
                less.operations.size(), name.c_str(), s.lost_orders, s.reuse_pages, s.encrypted,
                text_of(again.core).c_str(), text_of(again.kernel).c_str());
}

std::uint64_t number(const char *text) {
    char *end = nullptr;
    std::uint64_t value = std::strtoull(text, &end, 10);
    if (!*text || *end)
        give_up(std::string(text) + ": a number was expected");
    return value;
}

} // namespace

int main(int argc, char **argv) {
    subject who;
    std::string only;
    std::uint64_t wanted = 300000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string option = argv[i], value = argv[i + 1];
        if (option == "--kernel")
            who.kernel = bounce_kernel_find(value.c_str());
        else if (option == "--plugin")
            who.plugin = value;
        else if (option == "--profile")
            only = value;
        else if (option == "--ops")
            wanted = number(argv[i + 1]);
        else if (option == "--seed")
            seed = number(argv[i + 1]);
        else
            give_up("no option " + option);
    }
    if (!who.kernel || who.plugin.empty() || argc % 2 == 0)
        give_up("usage: differential --kernel NAME --plugin FILE [--ops N] [--seed S] "
                "[--profile NAME]");
    who.grows = std::string(who.kernel->name).find("dynamic") != std::string::npos;
    tally count;
    std::uint64_t rounds = 0, differences = 0;
    for (; count.operations < wanted && differences < 3; rounds++, seed++) {
        // Every second stream draws everything; the others take the golden kinds in turn.
        std::string profile = rounds % 2 ? "random" : profiles[rounds / 2 % profiles.size()];
        if (!only.empty())
            profile = only;
        std::uint64_t length =
            rounds % 4 > 1 ? std::clamp(wanted / 50, short_stream, long_stream) : short_stream;
        stream s = make_stream(
            profile, seed, std::min<std::uint64_t>(length, wanted - count.operations), who.grows);
        found_difference found = play(who, s, &count);
        if (!found.field)
            continue;
        differences++;
        report(who, profile, seed, s, found);
    }
    std::printf("%s: %" PRIu64 " operations in %" PRIu64 " streams, %" PRIu64
                " differences; full %" PRIu64 ", lockups %" PRIu64 ", syncs that copy %" PRIu64
                ", transient pools %" PRIu64 ", grown pools %" PRIu64 "\n",
                who.kernel->name, count.operations, rounds, differences, count.full, count.lockups,
                count.syncs, count.transient, count.grown);
    return differences ? 1 : 0;
}
