// SPDX-License-Identifier: Apache-2.0
#include "bounce_service.hpp"

#include "models/engine.hpp"

#include <algorithm>
#include <utility>

namespace bouncesim::models {
namespace {

// Times that the cache line of a buffer's slots comes over when another CPU used its neighbours
// last, read in swiotlb.c of 6.12.117: a map reads it and writes it, and once more when the lock is
// left and the next CPU reads it (orig_addr); an unmap reads it and writes it.
constexpr unsigned lines_of_map = 3, lines_of_unmap = 2;

bool is_device_to_cpu(unsigned dir) {
    return dir == BOUNCE_FROM_DEVICE || dir == BOUNCE_BIDIRECTIONAL;
}

} // namespace

bounce_service::bounce_service(const sc_core::sc_module_name &name, const costs &timing,
                               const bounce_replay_config &pool, const bounce_replay_hooks *hooks,
                               activity *watch)
    : sc_module(name), calls("calls"), memory("memory"), timing_(timing), watch_(watch),
      replay_(nullptr, bounce_replay_destroy), grows_(bounce_kernel_grows(pool.pool.kernel)),
      pool_start_(pool.pool.start) {
    calls.register_b_transport(this, &bounce_service::b_transport);
    to_memory_.extension.request = dma_request::copy;
    if (hooks)
        hooks_ = *hooks;

    bounce_replay_hooks own = {};
    own.context = this;
    own.mapped = on_mapped;
    own.full = hooks_.full || watch ? on_full : nullptr;
    own.changed = hooks_.changed || watch ? on_changed : nullptr;
    own.taken = hooks_.taken ? on_taken : nullptr;
    own.freed = hooks_.freed ? on_freed : nullptr;
    own.copied = on_copied;
    bounce_replay *replay;
    bounce_error error = {};
    if (bounce_replay_create(&pool, &own, &replay, &error))
        throw engine_config_error(error.text);
    replay_.reset(replay);

    uint32_t areas = bounce_swiotlb_nareas(bounce_replay_mem(replay));
    locks_ = std::make_unique<area_locks>(timing, areas);
    cache_ = std::make_unique<copy_cache>(timing.cache_bytes, pool.pool.nslabs);
    uint64_t bytes = pool.pool.nslabs * bounce_config_slot_size(&pool.pool);
    area_bytes_ = std::max<uint64_t>(1, bytes / locks_->size());
}

template <class Hook> void bounce_service::forward(const bounce_event *event, const Hook &hook) {
    bounce_event seen = *event;
    seen.handle = current_->trace_handle;
    seen.list = current_->trace_list;
    keep_thrown([&] { hook(&seen); });
}

// Not through the core, which is C.
template <class Body> void bounce_service::keep_thrown(const Body &body) {
    try {
        body();
    } catch (...) {
        if (!thrown_)
            thrown_ = std::current_exception();
    }
}

void bounce_service::on_mapped(void *context, const bounce_event *event,
                               const bounce_map_result *result) {
    auto &self = *static_cast<bounce_service *>(context);
    self.pooled_ = true;
    self.result_ = *result;
    if (self.hooks_.mapped)
        self.forward(event, [&](const bounce_event *seen) {
            self.hooks_.mapped(self.hooks_.context, seen, result);
        });
}

void bounce_service::on_full(void *context, const bounce_event *event,
                             const bounce_map_result *result, const bounce_pressure *pressure) {
    auto &self = *static_cast<bounce_service *>(context);
    if (self.hooks_.full)
        self.forward(event, [&](const bounce_event *seen) {
            self.hooks_.full(self.hooks_.context, seen, result, pressure);
        });
    if (self.watch_)
        self.keep_thrown([&] { self.watch_->full(self.reached_ps_, *event, *result, *pressure); });
}

void bounce_service::on_changed(void *context, const bounce_event *event,
                                const bounce_swiotlb *mem) {
    auto &self = *static_cast<bounce_service *>(context);
    if (self.hooks_.changed)
        self.forward(event, [&](const bounce_event *seen) {
            self.hooks_.changed(self.hooks_.context, seen, mem);
        });
    if (!self.watch_)
        return;
    self.keep_thrown([&] {
        if (event->kind == BOUNCE_EVENT_RESTART)
            self.watch_->restart(self.reached_ps_);
        self.watch_->pool(self.reached_ps_, *mem);
    });
}

void bounce_service::on_taken(void *context, const bounce_event *event,
                              const bounce_map_result *result, const bounce_swiotlb *mem) {
    auto &self = *static_cast<bounce_service *>(context);
    self.forward(event, [&](const bounce_event *seen) {
        self.hooks_.taken(self.hooks_.context, seen, result, mem);
    });
}

void bounce_service::on_freed(void *context, const bounce_mapping *mapping) {
    auto &self = *static_cast<bounce_service *>(context);
    self.forward(&self.current_->event,
                 [&](const bounce_event *) { self.hooks_.freed(self.hooks_.context, mapping); });
}

void bounce_service::on_copied(void *context, const bounce_mapping *mapping,
                               const bounce_copy *copy, uint64_t tlb_addr, bool to_device) {
    auto &self = *static_cast<bounce_service *>(context);
    if (self.path_)
        self.path_->copied(*self.current_, *mapping, *copy, tlb_addr, to_device);
}

const bounce_mapping *bounce_service::mapping(uint32_t handle) const {
    static const bounce_mapping unmapped = {};
    const bounce_mapping *found = bounce_replay_mapping(replay_.get(), handle);
    return found ? found : &unmapped;
}

bounce_lock bounce_service::lock_of(uint64_t tlb_addr) const {
    if (grows_)
        return bounce_swiotlb_lock_of(bounce_replay_mem(replay_.get()), tlb_addr);
    return {0, static_cast<uint32_t>((tlb_addr - pool_start_) / area_bytes_)};
}

void bounce_service::core(const operation &op, const bounce_event &event) {
    current_ = &op;
    if (bounce_replay_run(replay_.get(), devices_, &event, 1))
        throw engine_error("out of memory for the mappings of the trace");
    if (thrown_)
        std::rethrow_exception(std::exchange(thrown_, nullptr));
}

// The core sees the event at its simulated time.
void bounce_service::run(const operation &op, uint64_t &time_ps) {
    bounce_event event = op.event;
    uint64_t begin_ps = time_ps;
    pooled_ = false;
    if (path_) {
        path_->before(op, event, *mapping(event.handle), time_ps);
        on_path(op, begin_ps, time_ps);
    }
    event.time_ns = time_ps / 1000;
    reached_ps_ = time_ps;
    core(op, event);
    if (path_)
        path_->after(op, *mapping(event.handle));
}

void bounce_service::on_path(const operation &op, uint64_t begin_ps, uint64_t end_ps) {
    if (watch_ && end_ps > begin_ps)
        watch_->phase(op.cpu, cpu_phase::path, begin_ps, end_ps);
}

// Returns when the lock is left.
uint64_t bounce_service::hold_lock(const operation &op, bounce_lock which, uint64_t arrival_ps,
                                   uint64_t work_ps, unsigned slot_lines) {
    if (which.pool == BOUNCE_OWN_LOCK)
        return arrival_ps + timing_.lock_ps + work_ps;
    uint64_t waits = locks_->waits;
    uint64_t end_ps =
        locks_->hold(which.area, op.event.cpu, arrival_ps, work_ps, slot_lines, which.pool);
    if (watch_)
        watch_->lock({which.pool * locks_->size() + (which.area & (locks_->size() - 1)), op.cpu,
                      locks_->waits > waits, arrival_ps, end_ps - work_ps - timing_.lock_ps,
                      end_ps});
    return end_ps;
}

void bounce_service::copy(uint32_t cpu, uint64_t tlb_addr, uint64_t bytes, uint64_t &time_ps) {
    bool hot = cache_->touch(tlb_addr, bytes);
    uint64_t begin_ps = time_ps;
    uint64_t end_ps = begin_ps + (hot ? timing_.copy_hot : timing_.copy_cold).at(bytes);
    sc_core::sc_time delay = sc_core::sc_time::from_value(end_ps - now_ps());

    to_memory_.payload.set_address(tlb_addr);
    to_memory_.payload.set_data_length(
        static_cast<unsigned>(std::min<uint64_t>(bytes, UINT32_MAX)));
    memory->b_transport(to_memory_.payload, delay);
    time_ps = now_ps() + delay.value();
    copies_[hot]++;
    copy_ps_ += static_cast<double>(time_ps - begin_ps);
    if (watch_ && time_ps > begin_ps)
        watch_->phase(cpu, cpu_phase::copy, begin_ps, time_ps);
}

// Areas are searched from the CPU's own on. The core counts the probes of the whole search: with
// more than one area they are shared out evenly.
void bounce_service::map(dma_extension &ext, uint64_t &time_ps) {
    const bounce_event &event = ext.op->event;
    run(*ext.op, time_ps);
    if (pooled_) {
        bounce_lock_walk walk = {};
        for (uint32_t i = 0; i < result_.locks; i++) {
            bounce_lock which = {0, event.cpu + i};
            if (grows_)
                which =
                    bounce_swiotlb_next_lock(bounce_replay_mem(replay_.get()), event.cpu, &walk);
            uint64_t probes = result_.probes / result_.locks;
            uint64_t work_ps = 0;
            if (i + 1 == result_.locks) {
                probes += result_.probes % result_.locks;
                work_ps = result_.slots * timing_.slot_ps;
            }
            time_ps = hold_lock(*ext.op, which, time_ps, work_ps + probes * timing_.probe_ps,
                                lines_of_map);
        }
        time_ps += timing_.map_ps;
        if (result_.outcome == BOUNCE_MAP_OK) {
            time_ps = locks_->count(event.cpu, time_ps, locks_->begun_ps());
            if (event.kind == BOUNCE_EVENT_MAP)
                copy(ext.op->cpu, result_.tlb_addr, event.size, time_ps);
            if (timing_.dma_write_evicts && is_device_to_cpu(event.dir))
                cache_->evict(result_.tlb_addr); // from now on it is the device's
        }
    }
    const bounce_mapping &made = *mapping(event.handle);
    if (!path_ || (made.state != BOUNCE_DIRECT && made.state != BOUNCE_BOUNCED))
        return;
    uint64_t begin_ps = time_ps;
    bool opened = path_->open(*ext.op, made, time_ps);
    on_path(*ext.op, begin_ps, time_ps);
    if (opened)
        return;
    operation undo = *ext.op; // no address for the device
    undo.event.kind = BOUNCE_EVENT_UNMAP;
    undo.event.attrs = BOUNCE_ATTR_SKIP_CPU_SYNC;
    run(undo, time_ps);
    pooled_ = made.slots > 0;
}

void bounce_service::copy_back(const dma_extension &ext, uint64_t &time_ps) {
    const bounce_event &event = ext.op->event;
    const bounce_mapping &mapped = *mapping(event.handle);
    if (mapped.state == BOUNCE_BOUNCED && is_device_to_cpu(mapped.dir) &&
        !(event.attrs & BOUNCE_ATTR_SKIP_CPU_SYNC))
        copy(ext.op->cpu, mapped.dma_addr, mapped.size, time_ps);
}

void bounce_service::unmap(dma_extension &ext, uint64_t &time_ps) {
    const bounce_mapping was = *mapping(ext.op->event.handle);
    bounce_lock which = {BOUNCE_OWN_LOCK, 0};
    if (was.state == BOUNCE_BOUNCED || was.state == BOUNCE_COHERENT)
        which = lock_of(was.dma_addr); // before a transient pool is gone
    run(*ext.op, time_ps);
    pooled_ = was.state == BOUNCE_BOUNCED || was.state == BOUNCE_COHERENT;
    if (!pooled_)
        return;
    time_ps = hold_lock(*ext.op, which, time_ps, was.slots * timing_.slot_ps, lines_of_unmap);
    time_ps = locks_->count(ext.op->event.cpu, time_ps + timing_.unmap_ps, locks_->begun_ps());
}

void bounce_service::sync(dma_extension &ext, uint64_t &time_ps) {
    const bounce_event &event = ext.op->event;
    const bounce_mapping mapped = *mapping(event.handle);
    bool for_cpu = event.kind == BOUNCE_EVENT_SYNC_FOR_CPU;
    bool pooled = mapped.state == BOUNCE_BOUNCED;
    uint64_t bytes = 0;
    if (pooled) {
        if (for_cpu ? is_device_to_cpu(mapped.dir)
                    : mapped.dir == BOUNCE_TO_DEVICE || mapped.dir == BOUNCE_BIDIRECTIONAL)
            bytes = bounce_swiotlb_sync(bounce_replay_mem(replay_.get()), &devices_[event.device],
                                        mapped.dma_addr + event.offset, event.size)
                        .bytes;
    }
    run(*ext.op, time_ps);
    pooled_ = pooled;
    if (pooled)
        time_ps += timing_.sync_ps;
    if (bytes)
        copy(ext.op->cpu, mapped.dma_addr, bytes, time_ps);
    if (pooled && !for_cpu && timing_.dma_write_evicts && is_device_to_cpu(mapped.dir))
        cache_->evict(mapped.dma_addr);
}

void bounce_service::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    dma_extension &ext = *payload.get_extension<dma_extension>();
    uint64_t time_ps = now_ps() + delay.value();

    if (ext.request == dma_request::copy_back) {
        copy_back(ext, time_ps);
    } else {
        switch (static_cast<bounce_event_kind>(ext.op->event.kind)) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            map(ext, time_ps);
            break;
        case BOUNCE_EVENT_UNMAP:
            unmap(ext, time_ps);
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            sync(ext, time_ps);
            break;
        case BOUNCE_EVENT_WORKER:
        case BOUNCE_EVENT_RESTART:
        case BOUNCE_EVENT_GROW:
        case BOUNCE_EVENT_LOST:
            run(*ext.op, time_ps);
            break;
        case BOUNCE_EVENT_ISSUE: // made into mappings before they come here
        case BOUNCE_EVENT_COMPLETE:
            break;
        }
        const bounce_mapping &mapped = *mapping(ext.op->event.handle);
        ext.pooled = pooled_;
        ext.mapped = mapped.state != BOUNCE_UNMAPPED;
        ext.dir = mapped.dir;
        ext.dma_addr = mapped.dma_addr;
        ext.size = mapped.size;
        if (path_) {
            ext.dma_addr = path_->dma_addr(ext.op->event.handle, mapped);
            ext.mapping = path_->token(ext.op->event.handle);
        }
    }
    delay = sc_core::sc_time::from_value(time_ps - now_ps());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void bounce_service::report(timing_stats &t) const {
    t.copy_ns = ns_of_ps(copy_ps_);
    t.copies_hot = copies_[true];
    t.copies_cold = copies_[false];
    t.lock_wait_ns = ns_of_ps(locks_->wait_ps);
    t.lock_wait_max_ns = ns_of_ps(locks_->wait_max_ps);
    t.lock_waits = locks_->waits;
}

} // namespace bouncesim::models
