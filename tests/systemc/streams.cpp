// SPDX-License-Identifier: Apache-2.0
#include "streams.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <random>

using namespace bouncesim::models;

stream::stream(uint64_t nslabs, uint32_t nareas, uint32_t cpu_count) : cpus(cpu_count) {
    config.pool.kernel = bounce_kernel_find("linux-6.12");
    config.pool.nslabs = nslabs;
    config.pool.nareas = nareas;
    config.pool.cpus = cpu_count;
    config.pool.start = 0x40000000;
    config.force = true;
    devices.emplace_back();
    bounce_device_init(&devices.back(), "test");
}

bounce_event &stream::add(bounce_event_kind kind, uint64_t time_ns, uint16_t cpu, uint32_t handle,
                          uint64_t size, bounce_dir dir) {
    bounce_event event = {};
    event.time_ns = time_ns;
    event.id = events.size();
    event.orig_addr = 0x100000000;
    event.size = size;
    event.handle = handle;
    event.list = BOUNCE_NO_LIST;
    event.cpu = cpu;
    event.kind = static_cast<uint8_t>(kind);
    event.dir = static_cast<uint8_t>(dir);
    events.push_back(event);
    return events.back();
}

namespace {

class generator {
  public:
    generator(stream &out, uint32_t seed, uint32_t cpus) : out_(out), random_(seed), cpus_(cpus) {}

    void step() {
        if (chance(60))
            time_ += below(4000);
        unsigned what = below(1000);
        if (what < 420 || live_.empty())
            map(cpu(), nullptr);
        else if (what < 440)
            list();
        else if (what < 540)
            sync();
        else if (what < 545)
            out_.add(BOUNCE_EVENT_WORKER, time_, cpu(), 0);
        else if (what < 546)
            restart();
        else
            unmap(below(static_cast<unsigned>(live_.size())));
    }

  private:
    struct mapping {
        uint32_t handle;
        uint64_t size;
        uint16_t device;
    };

    unsigned below(unsigned limit) {
        return limit ? static_cast<unsigned>(random_() % limit) : 0;
    }
    bool chance(unsigned percent) {
        return below(100) < percent;
    }
    uint16_t cpu() {
        return static_cast<uint16_t>(below(cpus_));
    }
    uint32_t new_handle() {
        if (free_.empty())
            return handles_++;
        uint32_t handle = free_.back();
        free_.pop_back();
        return handle;
    }

    void map(uint16_t on, const bounce_event *first, bool last = false) {
        static const uint64_t sizes[] = {64, 512, 1500, 2048, 4096, 16384, 65536, 262144};
        bool alloc = !first && chance(3);
        uint32_t handle = new_handle();
        uint64_t size = chance(1) ? 300000 : 1 + below(static_cast<unsigned>(sizes[below(8)]));
        uint64_t orig = 0x100000000 + (uint64_t{below(1u << 20)} << 9);
        uint16_t device = first ? first->device : static_cast<uint16_t>(below(3));
        uint32_t list = first ? first->handle : handle;
        uint8_t open = first ? first->flags & BOUNCE_EVENT_LIST_OPEN : 0;
        bounce_event &event = out_.add(alloc ? BOUNCE_EVENT_ALLOC : BOUNCE_EVENT_MAP, time_, on,
                                       handle, size, static_cast<bounce_dir>(below(3)));
        event.orig_addr = chance(90) ? orig : orig & 0x3fffffff;
        event.device = device;
        event.attrs = chance(10) ? BOUNCE_ATTR_SKIP_CPU_SYNC : 0;
        event.recorded = static_cast<uint8_t>(below(2) ? BOUNCE_RECORDED_OK : 0);
        if (chance(2) && !first) { // a handle that comes again without an unmap
            event.recorded = BOUNCE_RECORDED_FULL;
            free_.push_back(handle);
            return;
        }
        if (first || listing_) {
            event.list = list;
            event.flags = static_cast<uint8_t>(BOUNCE_EVENT_IN_LIST | open |
                                               (first ? 0 : BOUNCE_EVENT_LIST_FIRST) |
                                               (last ? BOUNCE_EVENT_LIST_LAST : 0));
            if (!first && chance(20))
                event.flags |= BOUNCE_EVENT_LIST_OPEN;
        }
        live_.push_back({handle, size, device});
    }

    void list() {
        uint16_t on = cpu();
        unsigned entries = 2 + below(12);
        std::size_t begin = live_.size();
        bounce_event first;
        listing_ = true;
        for (unsigned i = 0; i < entries; i++) {
            if (i == 0) {
                do // one that is no ordinary event
                    map(on, nullptr);
                while (!(out_.events.back().flags & BOUNCE_EVENT_IN_LIST));
                first = out_.events.back();
                begin = live_.size() - 1;
            } else {
                map(on, &first, i + 1 == entries);
            }
        }
        listing_ = false;
        if (first.flags & BOUNCE_EVENT_LIST_OPEN) { // no unmaps; its handles come again
            for (std::size_t i = begin; i < live_.size(); i++)
                free_.push_back(live_[i].handle);
            live_.resize(begin);
        }
    }

    void sync() {
        const mapping &m = live_[below(static_cast<unsigned>(live_.size()))];
        bounce_event &event =
            out_.add(below(2) ? BOUNCE_EVENT_SYNC_FOR_CPU : BOUNCE_EVENT_SYNC_FOR_DEVICE, time_,
                     cpu(), m.handle, 1 + below(static_cast<unsigned>(m.size)));
        event.offset = below(static_cast<unsigned>(m.size));
        event.device = m.device;
    }

    void unmap(std::size_t which) {
        mapping m = live_[which];
        bounce_event &event = out_.add(BOUNCE_EVENT_UNMAP, time_, cpu(), m.handle, m.size);
        event.device = m.device;
        event.attrs = chance(10) ? BOUNCE_ATTR_SKIP_CPU_SYNC : 0;
        free_.push_back(m.handle);
        live_[which] = live_.back();
        live_.pop_back();
    }

    void restart() {
        out_.add(BOUNCE_EVENT_RESTART, time_, 0, 0);
        live_.clear();
        free_.clear();
        handles_ = 0;
    }

    stream &out_;
    std::mt19937 random_;
    uint32_t cpus_;
    uint64_t time_ = 0;
    std::vector<mapping> live_;
    std::vector<uint32_t> free_;
    uint32_t handles_ = 0;
    bool listing_ = false;
};

std::string line(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string line(const char *format, ...) {
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    return text;
}

} // namespace

stream random_stream(uint32_t seed, std::size_t count, uint64_t nslabs, uint32_t nareas,
                     uint32_t cpus) {
    stream s(nslabs, nareas, cpus);
    s.config.force = seed % 2;
    s.devices.resize(3);
    bounce_device_init(&s.devices[1], "nvme");
    s.devices[1].min_align_mask = 0xfff;
    bounce_device_init(&s.devices[2], "narrow");
    s.devices[2].dma_mask = UINT32_MAX;
    generator make(s, seed, cpus);
    while (s.events.size() < count)
        make.step();
    return s;
}

recorder::recorder() {
    hooks_.context = this;
    hooks_.mapped = [](void *context, const bounce_event *e, const bounce_map_result *r) {
        auto &self = *static_cast<recorder *>(context);
        self.map_times_ns.push_back(e->time_ns);
        self.text += line("%" PRIu64 ",%" PRIu64 ",%u,%u,%u,%u,%" PRIx64 ",%" PRIu64 ",%u,%" PRIx64
                          ",%u,%" PRIu64 ",%u,%s\n",
                          e->id, e->time_ns, e->cpu, e->device, e->handle, e->list, e->orig_addr,
                          e->size, e->dir, r->tlb_addr, r->slots, r->probes, r->locks,
                          bounce_outcome_name(r->outcome));
    };
    hooks_.full = [](void *context, const bounce_event *e, const bounce_map_result *,
                     const bounce_pressure *p) {
        static_cast<recorder *>(context)->text +=
            line("full %" PRIu64 " %s %" PRIu64 "\n", e->id, bounce_cause_name(p->cause), p->free);
    };
    hooks_.changed = [](void *context, const bounce_event *e, const bounce_swiotlb *mem) {
        static_cast<recorder *>(context)->text += line("%" PRIu64 " used %" PRIu64 "\n", e->time_ns,
                                                       bounce_swiotlb_get_counts(mem)->used);
    };
}

outcome run_replay(const stream &of) {
    recorder seen;
    bounce_replay *replay;
    bounce_error error;
    outcome result = {};
    if (bounce_replay_create(&of.config, seen.hooks(), &replay, &error)) {
        ADD_FAILURE() << error.text;
        return result;
    }
    EXPECT_EQ(BOUNCE_OK,
              bounce_replay_run(replay, of.devices.data(), of.events.data(), of.events.size()));
    bounce_replay_stats(replay, &result.stats);
    bounce_replay_destroy(replay);
    result.text = std::move(seen.text);
    result.map_times_ns = std::move(seen.map_times_ns);
    return result;
}

outcome run_systemc(const stream &of, const costs &timing, uint32_t max_pending,
                    std::size_t batch) {
    recorder seen;
    engine_config config;
    config.replay = of.config;
    config.timing = timing;
    config.cpus = of.cpus;
    config.max_pending = max_pending;
    mapping_engine engine(config, seen.hooks());
    std::size_t position = 0;
    engine.run([&] {
        event_batch next = {of.events.data() + position,
                            std::min(batch, of.events.size() - position), of.devices.data(),
                            of.devices.size()};
        position += next.count;
        return next;
    });
    outcome result;
    result.stats = engine.stats();
    result.timing = engine.timing();
    result.text = std::move(seen.text);
    result.map_times_ns = std::move(seen.map_times_ns);
    return result;
}
