// SPDX-License-Identifier: Apache-2.0
#include "pipeline.hpp"

#include "bounce/infer.h"
#include "bounce/kernels.h"
#include "bounce/order.h"
#include "bounce/replay.h"

#include <algorithm>
#include <memory>

namespace {

using event_list = std::vector<bounce_event>;

struct machine {
    bounce_inference inferred = {};
    std::vector<bounce_device> devices;
    event_list events; // with what was held before the trace began
};

machine find_machine(const reading::outcome &out) {
    machine m;
    std::unique_ptr<bounce_evidence, void (*)(bounce_evidence *)> evidence(bounce_evidence_create(),
                                                                           bounce_evidence_destroy);
    m.devices = out.devices;
    m.events = out.events;
    bounce_evidence_add(evidence.get(), m.events.data(), m.events.size());
    for (std::size_t i = 0; i < m.devices.size() && !out.recorded.has_header; i++)
        m.devices[i].min_align_mask =
            bounce_evidence_min_align_mask(evidence.get(), static_cast<std::uint16_t>(i));
    event_list held(BOUNCE_HELD_TOLD);
    std::uint64_t low = 0, high = 0;
    bounce_evidence_range(evidence.get(), &low, &high);
    bounce_infer_begun(evidence.get(), m.events.data(), m.events.size());
    held.resize(bounce_infer_held(low, high, m.events.data(), m.events.size(), held.data(), 0));
    m.events.insert(m.events.begin(), held.begin(), held.end());
    bounce_infer_given given = {};
    given.kernel = bounce_kernel_find("linux-6.12");
    given.cpus = out.recorded.has_header ? out.recorded.cpus : 0;
    given.start = out.recorded.start;
    given.boot = out.recorded.boot;
    bounce_infer_pool(evidence.get(), &given, &out.recorded, m.devices.data(), m.events.data(),
                      m.events.size(), &m.inferred);
    std::size_t told = held.size(), found = 0;
    event_list hidden(BOUNCE_HELD_TOLD - told);
    if (m.inferred.passed)
        bounce_infer_hidden(&m.inferred, m.devices.data(), m.events.data(), m.events.size(),
                            hidden.data(), hidden.size(), &found);
    hidden.resize(found);
    for (std::size_t i = 0; i < found; i++)
        hidden[i].handle = static_cast<std::uint32_t>(told + i);
    m.events.insert(m.events.begin(), hidden.begin(), hidden.end());
    return m;
}

bounce_swiotlb_config pool_of(const bounce_inference &inferred) {
    bounce_swiotlb_config pool = {};
    pool.kernel = bounce_kernel_find(inferred.grew ? "linux-6.12-dynamic" : "linux-6.12");
    pool.nslabs = inferred.nslabs;
    pool.nareas = inferred.nareas;
    pool.cpus = inferred.cpus;
    pool.start = inferred.start ? inferred.start : bounce_boot_default_start(inferred.nslabs);
    return pool;
}

// Events of the records: what is found out besides comes and goes.
std::size_t recorded(const event_list &events) {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [](const bounce_event &e) {
            bool made = e.flags & (BOUNCE_EVENT_HELD | BOUNCE_EVENT_IMPLIED);
            return e.kind != BOUNCE_EVENT_LOST && e.kind != BOUNCE_EVENT_GROW && !made;
        }));
}

// As many of them have to come out as went in.
std::string reorder(const machine &m, const bounce_swiotlb_config &pool, event_list &ordered) {
    bounce_order *order = nullptr;
    bounce_error error = {};
    bounce_order_config config = {};
    config.pool = pool;
    config.in_use = m.inferred.in_use;
    if (bounce_order_create(&config, &order, &error))
        return {};
    bounce_event batch[256];
    std::size_t at = 0;
    for (;;) {
        std::size_t got = bounce_order_pop(order, batch, 256, at == m.events.size());
        ordered.insert(ordered.end(), batch, batch + got);
        if (got)
            continue;
        if (at == m.events.size())
            break;
        std::size_t taken =
            bounce_order_push(order, m.devices.data(), m.events.data() + at, m.events.size() - at);
        if (!taken)
            break;
        at += taken;
    }
    bounce_order_destroy(order);
    return recorded(ordered) == recorded(m.events) ? ""
                                                   : "events lost or made while they were ordered";
}

std::string replay(const reading::outcome &out, const machine &m, const event_list &events,
                   const bounce_swiotlb_config &pool, bool as_recorded) {
    bounce_replay_config config = {};
    bounce_replay *replay = nullptr;
    bounce_error error = {};
    config.pool = pool;
    config.force = out.recorded.forced;
    config.allocator_calls = out.recorded.allocator_calls;
    config.as_recorded = config.in_step = as_recorded;
    config.recorded_growth = as_recorded && m.inferred.grew;
    if (bounce_replay_create(&config, nullptr, &replay, &error))
        return {};
    std::string broken;
    if (bounce_replay_run(replay, m.devices.data(), events.data(), events.size()) ||
        bounce_replay_finish(replay, m.devices.data()))
        broken = "the replay failed";
    bounce_stats stats = {};
    bounce_replay_stats(replay, &stats);
    if (stats.swiotlb_used > stats.swiotlb_used_hiwater)
        broken = "more in use than ever was";
    bounce_replay_destroy(replay);
    return broken;
}

} // namespace

std::string run_pipeline(const reading::outcome &out) {
    machine m;
    if (out.events.empty())
        return {};
    if (out.recorded.level == BOUNCE_LEVEL_REQUESTS) {
        m.devices = out.devices;
        m.inferred.nslabs = 1024;
        m.inferred.nareas = m.inferred.cpus = 1;
        m.events = reading::mappings(out.events, out.devices, {false, 1000, 1, 0});
        return replay(out, m, m.events, pool_of(m.inferred), false);
    }
    m = find_machine(out);
    if (!m.inferred.nslabs)
        return {};
    event_list ordered;
    bounce_swiotlb_config pool = pool_of(m.inferred);
    std::string broken;
    if (!out.recorded.has_header)
        broken = reorder(m, pool, ordered);
    if (broken.empty())
        broken = replay(out, m, ordered.empty() ? m.events : ordered, pool, true);
    return broken;
}
