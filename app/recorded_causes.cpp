// SPDX-License-Identifier: Apache-2.0
#include "recorded_causes.hpp"

#include "options.hpp"
#include "session.hpp"
#include "text.hpp"

#include "bounce/replay.h"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

namespace bouncesim {

namespace {

void add(recorded_causes::counts &to, bounce_cause cause) {
    to.failures++;
    to.by_cause[cause]++;
}

simulation_options as_run(const std::string &trace) {
    po::variables_map values;
    parse_options({"--quiet", "--", trace}, "", simulation_option_table(), "trace", 1, values);
    simulation_options options = read_simulation_options(values);
    options.traces = {trace};
    return options;
}

} // namespace

recorded_causes::recorded_causes(const std::string &trace) {
    trace_session session(as_run(trace));
    struct failure {
        std::uint16_t device;
        std::uint64_t size;
        bounce_cause cause;
    };
    std::vector<failure> failures; // of one batch
    bounce_replay_hooks hooks = {};
    hooks.context = &failures;
    hooks.full = [](void *to, const bounce_event *event, const bounce_map_result *result,
                    const bounce_pressure *pressure) {
        static_cast<std::vector<failure> *>(to)->push_back(
            {event->device, result->alloc_size, static_cast<bounce_cause>(pressure->cause)});
    };
    bounce_replay *made = nullptr;
    bounce_error error = {};
    if (bounce_replay_create(&session.config().replay, &hooks, &made, &error))
        throw std::bad_alloc();
    std::unique_ptr<bounce_replay, void (*)(bounce_replay *)> replay(made, bounce_replay_destroy);
    for (;;) {
        trace_session::batch batch = session.next();
        if (!batch.count)
            break;
        if (bounce_replay_run(made, session.devices().data(), batch.events, batch.count))
            throw std::bad_alloc();
        for (const failure &f : failures) {
            add(by_size_[{f.size, session.devices()[f.device].name}], f.cause);
            add(all_, f.cause);
        }
        failures.clear();
    }
}

recorded_causes::counts recorded_causes::find(const std::string &logged_device,
                                              std::uint64_t size) const {
    counts here, everywhere;
    auto first = by_size_.lower_bound({size, std::string()});
    for (auto at = first; at != by_size_.end() && at->first.first == size; ++at) {
        const std::string &name = at->first.second;
        bool same =
            logged_device.size() >= name.size() &&
            logged_device.compare(logged_device.size() - name.size(), name.size(), name) == 0;
        auto sum = [&](counts &to) {
            to.failures += at->second.failures;
            for (int cause = 0; cause < BOUNCE_CAUSE_COUNT; cause++)
                to.by_cause[cause] += at->second.by_cause[cause];
        };
        sum(everywhere);
        if (same)
            sum(here);
    }
    return here.failures ? here : everywhere;
}

std::string causes_text(const recorded_causes::counts &counts) {
    std::vector<int> causes;
    for (int cause = 0; cause < BOUNCE_CAUSE_COUNT; cause++)
        if (counts.by_cause[cause])
            causes.push_back(cause);
    std::stable_sort(causes.begin(), causes.end(),
                     [&](int a, int b) { return counts.by_cause[a] > counts.by_cause[b]; });
    std::string text;
    for (int cause : causes)
        text += (text.empty() ? "" : ", ") + with_commas(counts.by_cause[cause]) + " " +
                bounce_cause_name(static_cast<bounce_cause>(cause));
    return text;
}

} // namespace bouncesim
