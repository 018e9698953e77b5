// SPDX-License-Identifier: Apache-2.0
#include "requests.hpp"

#include <tuple>

using namespace bouncesim::models;

request_stream::request_stream(const char *model_name, uint64_t nslabs, uint32_t nareas,
                               uint32_t cpus)
    : model(*find_device_model(model_name)) {
    config.replay.pool.kernel = bounce_kernel_find("linux-6.12");
    config.replay.pool.nslabs = nslabs;
    config.replay.pool.nareas = nareas;
    config.replay.pool.cpus = config.cpus = cpus;
    config.replay.pool.start = 0x7c000000;
    config.replay.force = true;
    config.timing = costs::zero();
    devices.resize(1);
    bounce_device_init(&devices[0], "disk");
}

bounce_event &request_stream::issue(uint64_t time_ns, uint32_t handle, uint64_t size, uint16_t cpu,
                                    bounce_dir dir) {
    bounce_event event = {};
    event.kind = BOUNCE_EVENT_ISSUE;
    event.time_ns = time_ns;
    event.handle = handle;
    event.size = size;
    event.cpu = cpu;
    event.dir = static_cast<uint8_t>(dir);
    event.list = BOUNCE_NO_LIST;
    event.offset = 4096 * events.size();
    events.push_back(event);
    return events.back();
}

bounce_event &request_stream::complete(uint64_t time_ns, uint32_t handle, uint16_t cpu) {
    bounce_event event = {};
    event.kind = BOUNCE_EVENT_COMPLETE;
    event.time_ns = time_ns;
    event.handle = handle;
    event.cpu = cpu;
    event.list = BOUNCE_NO_LIST;
    events.push_back(event);
    return events.back();
}

bool mapping_row::operator==(const mapping_row &o) const {
    return std::tie(time_ns, id, tlb_addr, size, slots, cpu, dir, outcome) ==
           std::tie(o.time_ns, o.id, o.tlb_addr, o.size, o.slots, o.cpu, o.dir, o.outcome);
}

request_outcome run_requests(const request_stream &of) {
    request_outcome out = {};
    std::vector<bounce_device> devices = of.devices;
    request_config config = of.config;
    config.model = [&](uint32_t) { return of.model; };
    for (bounce_device &device : devices)
        of.model.shape(device);
    bounce_replay_hooks hooks = {};
    hooks.context = &out.maps;
    hooks.mapped = [](void *maps, const bounce_event *event, const bounce_map_result *result) {
        static_cast<std::vector<mapping_row> *>(maps)->push_back(
            {event->time_ns, event->id, result->tlb_addr, event->size, event->orig_addr,
             result->slots, event->cpu, event->dir, result->outcome});
    };
    request_engine engine(config, &hooks);
    std::size_t at = 0;
    engine.run([&]() -> event_batch {
        std::size_t count = std::min<std::size_t>(100, of.events.size() - at);
        at += count;
        return {of.events.data() + at - count, count, devices.data(), devices.size()};
    });
    out.stats = engine.stats();
    out.timing = engine.timing();
    out.requests = engine.requests();
    out.path = engine.path();
    return out;
}
