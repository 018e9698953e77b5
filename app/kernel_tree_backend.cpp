// SPDX-License-Identifier: Apache-2.0
#include "kernel_tree_backend.hpp"

#include "errors.hpp"
#include "kernel_tree_memory.hpp"
#include "kernel_tree_slots.hpp"
#include "load.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace bouncesim {
namespace {

// The plug-in's own limits (plugin.h); nothing that can succeed lies beyond them.
constexpr std::uint64_t most_orig = (std::uint64_t{1} << 62) - 1;
constexpr std::uint64_t most_size = std::uint64_t{1} << 30;

std::mutex trouble_lock;
std::string trouble; // the first one of any tree

class kernel_tree_backend {
  public:
    kernel_tree_backend(const kernel_tree_plugin &plugin, const bounce_swiotlb_config &config,
                        bounce_swiotlb_counts &counts)
        : name_(plugin.name), counts_(counts), memory_(config), grows_(plugin.dynamic),
          encrypted_(config.encrypted) {
        char why[256];
        if (!bounce_kt_load(plugin.file.c_str(), &library_, why, sizeof(why)))
            throw refused_error(plugin.name + ": " + why);
        try {
            set_up(plugin, config);
        } catch (...) {
            clear();
            throw;
        }
    }
    kernel_tree_backend(const kernel_tree_backend &) = delete;
    kernel_tree_backend &operator=(const kernel_tree_backend &) = delete;
    ~kernel_tree_backend() {
        clear();
    }

    void map(const bounce_map_request &request, bool alloc, bounce_map_result &result);
    std::uint32_t unmap(std::uint64_t tlb_addr);
    bounce_copy sync(const bounce_device &device, std::uint64_t tlb_addr, std::uint64_t size);
    void restart();
    bool run_worker();
    bool worker_queued() const;
    void pressure(const bounce_map_request &request, bool alloc, bounce_pressure &pressure);
    std::uint32_t nareas() const {
        return pools_.empty() ? 0 : pools_.front().nareas();
    }
    std::uint64_t area_used(std::uint32_t area) const {
        return pools_.empty() ? 0 : pools_.front().area_used(area);
    }

  private:
    struct known_device {
        bounce_kt_device_config masks;
        std::uint32_t number;
    };
    struct buffer {
        std::uint64_t size;
        std::uint64_t slots;
        std::uint64_t wasted;
        std::uint32_t device;
        std::uint32_t pad_slots;
        bool alloc;
        slot_map *pool; // NULL: a transient one
    };

    void set_up(const kernel_tree_plugin &plugin, const bounce_swiotlb_config &config);
    void clear();
    std::uint32_t device_number(const bounce_device &device);
    void find_pools();
    slot_map *pool_of(std::uint64_t tlb_addr);
    bounce_kt_counters refresh();
    void note(const char *what, bounce_kt_status status);
    void add_buffer(const bounce_map_request &request, bool alloc, std::uint32_t device,
                    const bounce_kt_map_result &answer, bounce_map_result &result);
    bool never_fits(const bounce_map_request &request, bool alloc);

    std::string name_;
    bounce_swiotlb_counts &counts_;
    kernel_tree_memory memory_;
    bounce_kt_library library_ = {};
    bounce_kt *kt_ = nullptr;           // NULL: no pool is wanted
    bounce_swiotlb *nearest_ = nullptr; // the core's allocator that is most like the tree's
    std::vector<known_device> devices_;
    std::deque<slot_map> pools_;                     // the default one first
    std::unordered_map<std::uint64_t, buffer> live_; // by tlb_addr
    std::uint64_t last_alloc_size_ = 0;
    bool last_no_pages_ = false;
    bool grows_;
    bool encrypted_;
    bool broken_ = false;
};

void kernel_tree_backend::set_up(const kernel_tree_plugin &plugin,
                                 const bounce_swiotlb_config &config) {
    const bounce_kt_plugin &kernel = *library_.plugin;
    bounce_error error = {};
    // What no pool could serve is asked of the core: of one slot set at the same place.
    bounce_swiotlb_config nearest = {};
    nearest.kernel =
        bounce_kernel_find(kernel.features & BOUNCE_KT_PADDING ? "linux-6.12" : "linux-6.1");
    nearest.nslabs = config.nslabs ? BOUNCE_SEGMENT_SLOTS : 0;
    nearest.nareas = nearest.cpus = 1;
    nearest.start = config.start;
    if (bounce_swiotlb_create(&nearest, &nearest_, &error))
        throw refused_error(error.text);
    if (!config.nslabs)
        return;

    bounce_kt_config wanted = {};
    wanted.slots = config.nslabs;
    wanted.areas = config.nareas;
    wanted.cpus = config.cpus;
    wanted.pool_start = config.start;
    wanted.dynamic = plugin.dynamic;
    wanted.natural_alloc = plugin.natural_alloc && (kernel.features & BOUNCE_KT_NATURAL);
    wanted.memory = memory_.callbacks();
    bounce_kt_status status = kernel.create(&wanted, &kt_);
    if (status == BOUNCE_KT_NO_MEMORY)
        throw std::bad_alloc();
    if (status)
        throw refused_error(plugin.name + ": its swiotlb makes no pool of " +
                            std::to_string(config.nslabs) + " slots in " +
                            std::to_string(config.nareas) + " areas (plug-in status " +
                            std::to_string(status) + ")");
    find_pools();
    refresh();
    counts_.free_segments_min = counts_.free_segments;
    if (encrypted_)
        counts_.converted_bytes =
            (counts_.nslabs << BOUNCE_SLOT_SHIFT) + (grows_ ? memory_.atomic_size() : 0);
}

void kernel_tree_backend::clear() {
    if (kt_)
        library_.plugin->destroy(kt_);
    bounce_kt_unload(&library_);
    bounce_swiotlb_destroy(nearest_);
}

// Results are still written for whoever waits for them; the command fails in the end.
void kernel_tree_backend::note(const char *what, bounce_kt_status status) {
    std::lock_guard<std::mutex> hold(trouble_lock);
    broken_ = broken_ || status == BOUNCE_KT_BUG || status == BOUNCE_KT_NO_MEMORY;
    if (trouble.empty())
        trouble =
            name_ + ": " +
            (status == BOUNCE_KT_BUG ? std::string("a BUG_ON of its swiotlb.c came "
                                                   "true in a ") +
                                           what
             : status == BOUNCE_KT_NO_MEMORY ? std::string("out of memory in a ") + what
                                             : std::string("its plug-in cannot do this ") + what +
                                                   " (status " + std::to_string(status) + ")");
}

std::uint32_t kernel_tree_backend::device_number(const bounce_device &device) {
    for (const known_device &known : devices_)
        if (known.masks.dma_mask == device.dma_mask &&
            known.masks.seg_boundary == device.seg_boundary &&
            known.masks.min_align_mask == device.min_align_mask)
            return known.number;
    known_device more = {{device.dma_mask, device.seg_boundary, device.min_align_mask}, UINT32_MAX};
    if (bounce_kt_status status = library_.plugin->add_device(kt_, &more.masks, &more.number)) {
        note("device's masks", status);
        more.number = UINT32_MAX; // every map of it is refused
    }
    devices_.push_back(more);
    return more.number;
}

void kernel_tree_backend::find_pools() {
    bounce_kt_pool found = {};
    for (std::uint32_t i = 0; library_.plugin->pool_at(kt_, i, &found); i++) {
        if (pool_of(found.start))
            continue;
        pools_.emplace_back(found.start, found.nslabs, found.nareas);
        counts_.free_segments += pools_.back().free_sets();
        counts_.pools++;
    }
}

slot_map *kernel_tree_backend::pool_of(std::uint64_t tlb_addr) {
    for (slot_map &pool : pools_)
        if (pool.holds(tlb_addr))
            return &pool;
    return nullptr;
}

bounce_kt_counters kernel_tree_backend::refresh() {
    bounce_kt_counters now = {};
    library_.plugin->counters(kt_, &now);
    counts_.nslabs = now.nslabs;
    counts_.used = now.used;
    counts_.used_hiwater = now.used_hiwater;
    counts_.transient_nslabs = now.transient_nslabs;
    return now;
}

bool kernel_tree_backend::never_fits(const bounce_map_request &request, bool alloc) {
    bounce_pressure pressure = {};
    bounce_swiotlb_pressure(nearest_, &request, alloc, &pressure);
    return pressure.cause == BOUNCE_CAUSE_OVERSIZE;
}

void kernel_tree_backend::map(const bounce_map_request &request, bool alloc,
                              bounce_map_result &result) {
    const bounce_kt_plugin &kernel = *library_.plugin;
    bounce_kt_map_result answer = {};
    result = {};
    result.outcome = BOUNCE_MAP_FULL;
    if (!kt_) {
        alloc ? bounce_swiotlb_alloc(nearest_, &request, &result)
              : bounce_swiotlb_map(nearest_, &request, &result);
        return;
    }
    if (broken_)
        return;
    std::uint32_t device = device_number(*request.device);
    std::uint64_t size = std::min(request.size, most_size);
    if (alloc)
        kernel.alloc(kt_, device, request.cpu, size, &answer);
    else
        kernel.map(kt_, device, request.cpu, request.orig_addr & most_orig, size,
                   request.alloc_align_mask, BOUNCE_KT_TO_DEVICE, 0, &answer);
    result.alloc_size = last_alloc_size_ = answer.alloc_size + (request.size - size);
    last_no_pages_ = answer.no_pages;
    result.probes = answer.probes;
    result.locks = answer.locks;
    counts_.probes += answer.probes;
    counts_.locks += answer.locks;
    if (answer.status == BOUNCE_KT_OK)
        add_buffer(request, alloc, device, answer, result);
    else if (answer.status == BOUNCE_KT_LOCKUP)
        result.outcome = BOUNCE_MAP_LOCKUP;
    else if (answer.status != BOUNCE_KT_FULL && answer.status != BOUNCE_KT_OVERSIZE)
        note("map", answer.status);
    else if (answer.status == BOUNCE_KT_OVERSIZE || never_fits(request, alloc))
        result.outcome = BOUNCE_MAP_OVERSIZE;
}

void kernel_tree_backend::add_buffer(const bounce_map_request &request, bool alloc,
                                     std::uint32_t device, const bounce_kt_map_result &answer,
                                     bounce_map_result &result) {
    std::uint64_t used = counts_.used;
    refresh();
    slot_map *pool = pool_of(answer.tlb_addr);
    buffer made = {};
    made.size = request.size;
    made.slots = counts_.used > used ? counts_.used - used : 0;
    made.wasted = std::max(made.slots << BOUNCE_SLOT_SHIFT, request.size) - request.size;
    made.device = device;
    made.pad_slots = answer.pad_slots;
    made.alloc = alloc;
    made.pool = pool;
    if (pool) {
        std::uint64_t sets = pool->free_sets();
        pool->take(answer.tlb_addr, made.pad_slots, made.slots);
        counts_.free_segments -= sets - pool->free_sets();
        counts_.free_segments_min = std::min(counts_.free_segments_min, counts_.free_segments);
    } else {
        counts_.transient_maps++;
        counts_.transient_nslabs_hiwater =
            std::max(counts_.transient_nslabs_hiwater, counts_.transient_nslabs);
    }
    counts_.internal_bytes += made.wasted;
    counts_.internal_bytes_hiwater =
        std::max(counts_.internal_bytes_hiwater, counts_.internal_bytes);
    live_[answer.tlb_addr] = made;
    result.outcome = BOUNCE_MAP_OK;
    result.tlb_addr = answer.tlb_addr;
    result.slots = static_cast<std::uint32_t>(made.slots);
}

std::uint32_t kernel_tree_backend::unmap(std::uint64_t tlb_addr) {
    auto found = live_.find(tlb_addr);
    if (found == live_.end() || broken_)
        return 0;
    const buffer gone = found->second;
    live_.erase(found);
    bounce_kt_status status = gone.alloc
                                  ? library_.plugin->free(kt_, gone.device, tlb_addr, gone.size)
                                  : library_.plugin->unmap(kt_, gone.device, tlb_addr, gone.size,
                                                           BOUNCE_KT_TO_DEVICE, 0, nullptr);
    if (status) {
        note("unmap", status);
        return 0;
    }
    refresh();
    if (gone.pool) {
        std::uint64_t sets = gone.pool->free_sets();
        gone.pool->give(tlb_addr, gone.pad_slots, gone.slots);
        counts_.free_segments += gone.pool->free_sets() - sets;
    }
    counts_.internal_bytes -= gone.wasted;
    return static_cast<std::uint32_t>(gone.slots);
}

bounce_copy kernel_tree_backend::sync(const bounce_device &device, std::uint64_t tlb_addr,
                                      std::uint64_t size) {
    bounce_kt_copy copy = {};
    if (!kt_ || broken_)
        return {0, 0};
    bounce_kt_status status = library_.plugin->sync(kt_, device_number(device), tlb_addr, size,
                                                    BOUNCE_KT_BIDIRECTIONAL, true, &copy);
    if (status == BOUNCE_KT_BUG || status == BOUNCE_KT_NO_MEMORY)
        note("sync", status);
    return copy.copied && !status ? bounce_copy{copy.orig, copy.bytes} : bounce_copy{0, 0};
}

void kernel_tree_backend::restart() {
    std::vector<std::uint64_t> addresses;
    if (!kt_)
        return;
    for (const auto &item : live_)
        addresses.push_back(item.first);
    // Freed pages are handed out again in an order that this one decides.
    std::sort(addresses.rbegin(), addresses.rend());
    for (std::uint64_t address : addresses)
        unmap(address);
    if (bounce_kt_status status = library_.plugin->restart(kt_))
        note("restart of a joined recording", status);
    memory_.restart();
}

bool kernel_tree_backend::run_worker() {
    bool ran = false;
    if (!kt_ || !grows_ || broken_)
        return false;
    std::uint64_t nslabs = counts_.nslabs, added = memory_.run_worker();
    if (bounce_kt_status status = library_.plugin->run_worker(kt_, &ran))
        note("run of its growth worker", status);
    find_pools();
    refresh();
    if (encrypted_)
        counts_.converted_bytes += added + ((counts_.nslabs - nslabs) << BOUNCE_SLOT_SHIFT);
    return counts_.nslabs > nslabs;
}

bool kernel_tree_backend::worker_queued() const {
    bounce_kt_counters now = {};
    if (kt_ && grows_)
        library_.plugin->counters(kt_, &now);
    return now.worker_queued || (grows_ && memory_.worker_queued());
}

void kernel_tree_backend::pressure(const bounce_map_request &request, bool alloc,
                                   bounce_pressure &pressure) {
    if (!kt_) {
        bounce_swiotlb_pressure(nearest_, &request, alloc, &pressure);
        return;
    }
    pressure = {};
    pressure.nslabs = counts_.nslabs;
    pressure.slots_needed = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        (last_alloc_size_ + (1u << BOUNCE_SLOT_SHIFT) - 1) >> BOUNCE_SLOT_SHIFT, UINT32_MAX));
    for (const slot_map &pool : pools_) {
        pressure.free += pool.free_slots();
        pressure.best_area_free = std::max(pressure.best_area_free, pool.best_area_free());
        pressure.largest_run = std::max(pressure.largest_run, pool.longest_free_run());
    }
    if (never_fits(request, alloc))
        pressure.cause = BOUNCE_CAUSE_OVERSIZE;
    else if (grows_ && encrypted_ && last_no_pages_)
        pressure.cause = BOUNCE_CAUSE_ATOMIC_POOL;
    else if (grows_ && !last_no_pages_) // it had a pool of its own
        pressure.cause = BOUNCE_CAUSE_ALIGNMENT;
    else if (pressure.free < pressure.slots_needed)
        pressure.cause = BOUNCE_CAUSE_EXHAUSTED;
    else if (pressure.best_area_free < pressure.slots_needed)
        pressure.cause = BOUNCE_CAUSE_AREA_LIMITED;
    else if (pressure.largest_run < pressure.slots_needed)
        pressure.cause = BOUNCE_CAUSE_FRAGMENTED;
    else
        pressure.cause = BOUNCE_CAUSE_ALIGNMENT;
}

kernel_tree_backend &self(void *state) {
    return *static_cast<kernel_tree_backend *>(state);
}

const bounce_backend functions = {
    [](void *state, const bounce_map_request *request, bool alloc, bounce_map_result *result) {
        self(state).map(*request, alloc, *result);
    },
    [](void *state, const bounce_device *, std::uint64_t tlb_addr) {
        return self(state).unmap(tlb_addr);
    },
    [](void *state, const bounce_device *device, std::uint64_t tlb_addr, std::uint64_t size) {
        return self(state).sync(*device, tlb_addr, size);
    },
    [](void *state) { self(state).restart(); },
    [](void *state) { return self(state).run_worker(); },
    [](void *state) { return self(state).worker_queued(); },
    [](void *state, const bounce_map_request *request, bool alloc, bounce_pressure *pressure) {
        self(state).pressure(*request, alloc, *pressure);
    },
    [](void *state) { return self(state).nareas(); },
    [](void *state, std::uint32_t area) { return self(state).area_used(area); },
    [](void *state) { delete &self(state); },
};

} // namespace

bounce_status create_kernel_tree(void *context, const bounce_swiotlb_config *config,
                                 bounce_swiotlb_counts *counts, const bounce_backend **backend,
                                 void **state, bounce_error *error) {
    try {
        *state = new kernel_tree_backend(*static_cast<const kernel_tree_plugin *>(context), *config,
                                         *counts);
    } catch (const refused_error &e) {
        return bounce_refuse(error, BOUNCE_INVALID, 0, "%s", e.what());
    } catch (const std::bad_alloc &) {
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    }
    *backend = &functions;
    return BOUNCE_OK;
}

void check_kernel_trees() {
    std::lock_guard<std::mutex> hold(trouble_lock);
    if (!trouble.empty())
        throw run_error(trouble);
}

} // namespace bouncesim
