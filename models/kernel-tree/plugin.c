// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel tree's swiotlb.c behind the interface of plugin.h.
 *
 * The tree's file is included, not linked: its pool, its boot option and the restricted-pool code
 * are static. build-plugin passes what it found out about the tree:
 *   KT_TREE_FILE            the file to include
 *   KT_RELEASE              version text
 *   KT_DYNAMIC              build with SWIOTLB_DYNAMIC
 *   KT_PROBES, KT_GUARD     candidates are counted; an endless search is left
 *   KT_PLAIN                for timing: no more than the tree's own work where it can be helped
 *   KT_MAP_TAKES_ALLOC_SIZE the map function wants the rounded size as well (before 6.10)
 *   KT_UNMAP_TAKES_POOL     the unmap and sync functions want the pool (6.11 on)
 *   KT_HAVE_IS_BUFFER       is_swiotlb_buffer() exists (before 6.11)
 *   KT_HAVE_DEV_INIT        swiotlb_dev_init() exists (6.6 on)
 *   KT_ALLOC_ALIGNS         swiotlb_alloc() aligns to the size in pages (6.9 on)
 *   KT_ALLOC_ALIGNS_NOT     it does not, and searches with four arguments (6.0 to 6.5)
 *   KT_HAVE_HIWATER, KT_HAVE_TRANSIENT   the tree has these counters
 *   KT_HAVE_POOLS           a pool is a structure of its own (6.6 on)
 *   KT_HAVE_PADDING         a slot knows the padding before its buffer (6.10 on)
 *   KT_HAVE_CURSORS         an area's cursor is its `index`
 */
#include "plugin.h"

#include "stubs.h"

#include <limits.h>
#include <stdio.h>
#include KT_TREE_FILE

struct bounce_kt {
    struct io_tlb_mem *mem;
    struct device **devices;
    uint32_t device_count;
    uint32_t device_room;
    bool restricted;
    bool natural_alloc;
    struct reserved_mem reserved;
    uint64_t used_hiwater; /* for trees that do not count it */
};
static struct bounce_kt the_instance;
static bool taken; /* the tree's statics are fresh only once */

/* ---- in and out of the kernel's code ---- */

static void enter(void)
{
    kt.probes = 0;
    kt.probe_limit = kt.search_bound;
    kt.ticks = 0;
    kt.locks = 0;
    kt.copied = false;
    kt.no_pages = false;
    kt.armed = true;
}

static void leave(void)
{
    while (unlikely(kt.rcu_pending)) {
        struct rcu_head *head = kt.rcu_pending;
        kt.rcu_pending = head->next;
        head->func(head);
    }
    kt.armed = false;
}

/* As setjmp(): 0, or why the tree's code was left. */
#ifdef KT_PLAIN
#define way_back() (kt.armed = false) /* nobody leaves: a BUG_ON ends the process */
#else
#define way_back() setjmp(kt.way_out)
#endif

/* For an argument that only the tree's own code could judge. */
static enum bounce_kt_status refuse(void)
{
    leave();
    return BOUNCE_KT_INVALID;
}

static enum bounce_kt_status left_because(int why)
{
    leave();
    /* The guard is as long as a pool, for trees that search beyond an area. It is told as what it
     * takes to see that a search of one area never ends: a candidate more than the area has. */
    if (why == KT_LEFT_SEARCH && kt.probes > kt.search_bound)
        kt.probes -= kt.search_bound - kt.area_slots;
    return why == KT_LEFT_SEARCH ? BOUNCE_KT_LOCKUP
           : why == KT_LEFT_BUG  ? BOUNCE_KT_BUG
                                 : BOUNCE_KT_NO_MEMORY;
}

static bool is_low_mask(uint64_t mask)
{
    return (mask & (mask + 1)) == 0;
}

/* The tree's own pool at `index`, or the one that holds an address; NULL when there is none. */
#ifdef KT_HAVE_POOLS
typedef struct io_tlb_pool tree_pool;
#define POOL_OF(dev, addr) swiotlb_find_pool(dev, addr)
#else
typedef struct io_tlb_mem tree_pool;
#define POOL_OF(dev, addr) (is_swiotlb_buffer(dev, addr) ? (dev)->dma_io_tlb_mem : NULL)
#endif

static tree_pool *pool_number(const struct bounce_kt *self, uint32_t index)
{
#ifdef KT_DYNAMIC
    struct io_tlb_pool *pool;
    list_for_each_entry(pool, &self->mem->pools, node)
    {
        if (index-- == 0)
            return pool;
    }
    return NULL;
#elif defined(KT_HAVE_POOLS)
    return index ? NULL : &self->mem->defpool;
#else
    return index ? NULL : self->mem;
#endif
}

/* ---- set-up ---- */

static int remap_nothing(void *tlb, unsigned long nslabs)
{
    (void)tlb;
    (void)nslabs;
    return 0;
}

static void boot_option(uint64_t slots, uint32_t areas, bool force)
{
    char text[64];
    int end = 0;
    if (slots)
        end += snprintf(text + end, sizeof(text) - (size_t)end, "%llu", (unsigned long long)slots);
    if (areas)
        end += snprintf(text + end, sizeof(text) - (size_t)end, ",%u", areas);
    if (force)
        end += snprintf(text + end, sizeof(text) - (size_t)end, "%sforce", end ? "," : "");
    if (end)
        setup_io_tlb_npages(text);
}

static void set_up_default_pool(const struct bounce_kt_config *config)
{
    int (*remap)(void *, unsigned long) = NULL;
#ifdef KT_DYNAMIC
    if (!config->dynamic)
        remap = remap_nothing; /* a pool that had to be remapped never grows */
#else
    (void)remap_nothing;
#endif
    boot_option(config->slots, config->areas, config->force);
    swiotlb_init_remap(true, 0, remap);
    the_instance.mem = &io_tlb_default_mem;
}

static struct device *new_device(void)
{
    struct device *dev = kt_allocate(1, sizeof(*dev));
    dev->dma_mask = &dev->mask;
#ifdef KT_HAVE_DEV_INIT
    swiotlb_dev_init(dev);
#else
    dev->dma_io_tlb_mem = &io_tlb_default_mem;
#endif
    if (the_instance.restricted &&
        the_instance.reserved.ops->device_init(&the_instance.reserved, dev))
        kt_leave(KT_LEFT_BUG);
    return dev;
}

static void set_up_restricted_pool(const struct bounce_kt_config *config)
{
#ifdef KT_DYNAMIC
    /* There the search's outer loop counts up to the default pool's areas. */
    boot_option(0, config->cpus, false);
#endif
    the_instance.reserved.name = "restricted";
    the_instance.reserved.base = config->pool_start;
    the_instance.reserved.size = config->slots << IO_TLB_SHIFT;
    if (rmem_swiotlb_setup(&the_instance.reserved))
        kt_leave(KT_LEFT_BUG);
    the_instance.restricted = true;
    the_instance.mem = new_device()->dma_io_tlb_mem; /* the first device sets the pool up */
}

static void kt_destroy(struct bounce_kt *self)
{
    if (!self)
        return;
    while (kt.allocations) {
        struct kt_allocation *next = kt.allocations->next;
        free(kt.allocations);
        kt.allocations = next;
    }
    free(self->devices);
    self->devices = NULL;
    self->mem = NULL;
}

static enum bounce_kt_status kt_create(const struct bounce_kt_config *config,
                                       struct bounce_kt **instance)
{
    *instance = NULL;
    bool sane = config->slots <= 1ULL << 26 && config->areas <= 65536 && config->cpus >= 1 &&
                config->cpus <= 65536 && config->pool_start > 0 &&
                config->pool_start < 1ULL << 62 && config->pool_start % PAGE_SIZE == 0;
    if (config->restricted)
        sane = sane && config->slots > 0 && config->slots % IO_TLB_SEGSIZE == 0;
    if (!sane)
        return BOUNCE_KT_INVALID;
#ifndef KT_DYNAMIC
    if (config->dynamic)
        return BOUNCE_KT_UNSUPPORTED;
#endif
#if !defined(KT_ALLOC_ALIGNS) && !defined(KT_ALLOC_ALIGNS_NOT)
    if (config->natural_alloc)
        return BOUNCE_KT_UNSUPPORTED;
#endif
    if (config->dynamic && config->restricted)
        return BOUNCE_KT_INVALID; /* restricted pools never grow */
    if (taken)
        return BOUNCE_KT_BUSY;
    taken = true;
    the_instance.natural_alloc = config->natural_alloc;
    kt.cpus = config->cpus;
    kt.pool_start = config->pool_start;
    kt.memory = config->memory;
    kt.search_bound = ~0ULL >> 8;

    enter();
    int why = way_back();
    if (why) {
        enum bounce_kt_status status = left_because(why);
        kt_destroy(&the_instance);
        return status;
    }
    if (config->restricted)
        set_up_restricted_pool(config);
    else
        set_up_default_pool(config);
    leave();
    if (!the_instance.mem->nslabs) {
        kt_destroy(&the_instance);
        return BOUNCE_KT_BUG;
    }
    kt.search_bound = the_instance.mem->nslabs;
    kt.area_slots = kt.search_bound / pool_number(&the_instance, 0)->nareas;
    *instance = &the_instance;
    return BOUNCE_KT_OK;
}

static enum bounce_kt_status kt_add_device(struct bounce_kt *self,
                                           const struct bounce_kt_device_config *config,
                                           uint32_t *device)
{
    if (!is_low_mask(config->seg_boundary) || config->seg_boundary < IO_TLB_SIZE - 1 ||
        !is_low_mask(config->min_align_mask) || config->min_align_mask > INT_MAX ||
        config->dma_mask == 0)
        return BOUNCE_KT_INVALID;
    if (self->device_count == self->device_room) {
        uint32_t room = self->device_room ? self->device_room * 2 : 8;
        struct device **more = realloc(self->devices, room * sizeof(struct device *));
        if (!more)
            return BOUNCE_KT_NO_MEMORY;
        self->devices = more;
        self->device_room = room;
    }
    enter();
    int why = way_back();
    if (why)
        return left_because(why);
    struct device *dev = new_device();
    leave();
    dev->mask = config->dma_mask;
    dev->min_align_mask = config->min_align_mask;
    dev->seg_boundary = config->seg_boundary;
    *device = self->device_count;
    self->devices[self->device_count++] = dev;
    return BOUNCE_KT_OK;
}

/* ---- mapping ---- */

/* Bytes the tree looks for, alignment included: to tell "never fits" from "no room now". */
static uint64_t bytes_needed(const struct device *dev, uint64_t orig, uint64_t size, uint32_t align)
{
#ifdef KT_MAP_TAKES_ALLOC_SIZE
    uint64_t offset = orig & dev->min_align_mask & (IO_TLB_SIZE - 1);
    return ALIGN(size, (uint64_t)align + 1) + offset;
#else
    uint64_t offset = orig & dev->min_align_mask & (align | (IO_TLB_SIZE - 1));
    return ALIGN(size + offset, (uint64_t)align + 1);
#endif
}

static enum bounce_kt_status finish_map(struct bounce_kt *self, struct bounce_kt_map_result *result,
                                        enum bounce_kt_status status, uint64_t tlb_addr)
{
#ifndef KT_HAVE_HIWATER
    if (status == BOUNCE_KT_OK) {
        uint64_t used = mem_used(self->mem);
        if (used > self->used_hiwater)
            self->used_hiwater = used;
    }
#else
    (void)self;
#endif
    result->status = status;
    result->locks = kt.locks;
#ifdef KT_PROBES
    result->probes = kt.probes;
#else
    result->probes = 0;
#endif
    result->tlb_addr = tlb_addr;
    result->alloc_size = 0;
    result->pad_slots = 0;
    result->no_pages = kt.no_pages;
    return status;
}

static void describe_pool(const tree_pool *pool, struct bounce_kt_pool *out)
{
    out->start = pool->start;
    out->nslabs = pool->nslabs;
    out->nareas = pool->nareas;
#ifdef KT_DYNAMIC
    out->transient = pool->transient;
#else
    out->transient = false;
#endif
}

static uint32_t padding_before(struct device *dev, uint64_t tlb_addr)
{
#ifdef KT_HAVE_PADDING
    const tree_pool *pool = POOL_OF(dev, tlb_addr);
    return pool ? pool->slots[(tlb_addr - pool->start) >> IO_TLB_SHIFT].pad_slots : 0;
#else
    (void)dev;
    (void)tlb_addr;
    return 0;
#endif
}

/* What a request amounts to, found out without the search. */
static void explain(struct bounce_kt_map_result *result, struct device *dev, uint64_t bytes)
{
#ifdef KT_PLAIN
    if (likely(result->status == BOUNCE_KT_OK))
        return;
#endif
    result->alloc_size = bytes;
    if (result->status == BOUNCE_KT_OK)
        result->pad_slots = padding_before(dev, result->tlb_addr);
    else if (result->status == BOUNCE_KT_FULL && bytes > IO_TLB_SEGSIZE * IO_TLB_SIZE)
        result->status = BOUNCE_KT_OVERSIZE;
}

static bool map_is_sane(const struct bounce_kt *self, uint32_t device, uint32_t cpu, uint64_t size)
{
    return device < self->device_count && cpu <= 1u << 20 && size > 0 && size <= 1ULL << 40;
}

static enum bounce_kt_status kt_map(struct bounce_kt *self, uint32_t device, uint32_t cpu,
                                    uint64_t orig, uint64_t size, uint32_t align,
                                    enum bounce_kt_dir dir, uint32_t attrs,
                                    struct bounce_kt_map_result *result)
{
    enter();
    if (!map_is_sane(self, device, cpu, size) || orig >= 1ULL << 62 || !is_low_mask(align) ||
        align > INT_MAX || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return finish_map(self, result, BOUNCE_KT_INVALID, 0);
    struct device *dev = self->devices[device];
    kt.cpu = cpu;
    int why = way_back();
    if (unlikely(why))
        return finish_map(self, result, left_because(why), 0);
#ifdef KT_MAP_TAKES_ALLOC_SIZE
    phys_addr_t tlb = swiotlb_tbl_map_single(dev, orig, size, ALIGN(size, (size_t)align + 1), align,
                                             (enum dma_data_direction)dir, attrs);
#else
    phys_addr_t tlb =
        swiotlb_tbl_map_single(dev, orig, size, align, (enum dma_data_direction)dir, attrs);
#endif
    leave();
    if (likely(tlb != DMA_MAPPING_ERROR))
        finish_map(self, result, BOUNCE_KT_OK, tlb);
    else
        finish_map(self, result, BOUNCE_KT_FULL, 0);
    explain(result, dev, bytes_needed(dev, orig, size, align));
    return result->status;
}

static struct page *allocate(const struct bounce_kt *self, struct device *dev, uint64_t size)
{
#ifdef KT_ALLOC_ALIGNS_NOT
    if (self->natural_alloc) {
        int index =
            swiotlb_find_slots(dev, 0, size, (unsigned int)(PAGE_SIZE << get_order(size)) - 1);
        if (index < 0)
            return NULL;
        return pfn_to_page(PFN_DOWN(slot_addr(self->mem->start, (phys_addr_t)index)));
    }
#else
    (void)self;
#endif
    return swiotlb_alloc(dev, size);
}

static enum bounce_kt_status kt_alloc(struct bounce_kt *self, uint32_t device, uint32_t cpu,
                                      uint64_t size, struct bounce_kt_map_result *result)
{
    enter();
    if (!map_is_sane(self, device, cpu, size) || size > 1u << 30)
        return finish_map(self, result, BOUNCE_KT_INVALID, 0);
    kt.cpu = cpu;
    int why = way_back();
    if (unlikely(why))
        return finish_map(self, result, left_because(why), 0);
    struct page *page = allocate(self, self->devices[device], size);
    leave();
    if (likely(page))
        finish_map(self, result, BOUNCE_KT_OK, page_to_phys(page));
    else
        finish_map(self, result, BOUNCE_KT_FULL, 0);
    explain(result, self->devices[device], size);
    return result->status;
}

static void tell_copy(struct bounce_kt_copy *copy, bool to_device)
{
    if (!copy)
        return;
    copy->copied = kt.copied;
    copy->orig = 0;
    copy->bytes = 0;
    if (kt.copied) {
        copy->orig = (to_device ? kt.copy_src : kt.copy_dst) & ~KT_VIRTUAL;
        copy->bytes = kt.copy_bytes;
    }
}

static enum bounce_kt_status kt_unmap(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                      uint64_t size, enum bounce_kt_dir dir, uint32_t attrs,
                                      struct bounce_kt_copy *copy)
{
    if (device >= self->device_count || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return BOUNCE_KT_INVALID;
    struct device *dev = self->devices[device];
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
#ifdef KT_UNMAP_TAKES_POOL
    struct io_tlb_pool *pool = swiotlb_find_pool(dev, tlb_addr);
    if (!pool)
        return refuse();
    __swiotlb_tbl_unmap_single(dev, tlb_addr, size, (enum dma_data_direction)dir, attrs, pool);
#else
    if (!is_swiotlb_buffer(dev, tlb_addr))
        return refuse();
    swiotlb_tbl_unmap_single(dev, tlb_addr, size, (enum dma_data_direction)dir, attrs);
#endif
    tell_copy(copy, false);
    leave();
    return BOUNCE_KT_OK;
}

static enum bounce_kt_status kt_free(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                     uint64_t size)
{
    if (device >= self->device_count || tlb_addr % PAGE_SIZE != 0)
        return BOUNCE_KT_INVALID;
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
    bool ours = swiotlb_free(self->devices[device], pfn_to_page(tlb_addr >> PAGE_SHIFT), size);
    leave();
    return ours ? BOUNCE_KT_OK : BOUNCE_KT_INVALID;
}

static enum bounce_kt_status kt_sync(struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                                     uint64_t size, enum bounce_kt_dir dir, bool for_cpu,
                                     struct bounce_kt_copy *copy)
{
    if (device >= self->device_count || (unsigned int)dir > BOUNCE_KT_FROM_DEVICE)
        return BOUNCE_KT_INVALID;
    struct device *dev = self->devices[device];
    enum dma_data_direction direction = (enum dma_data_direction)dir;
    enter();
    int why = way_back();
    if (unlikely(why))
        return left_because(why);
#ifdef KT_UNMAP_TAKES_POOL
    struct io_tlb_pool *pool = swiotlb_find_pool(dev, tlb_addr);
    if (!pool)
        return refuse();
    if (for_cpu)
        __swiotlb_sync_single_for_cpu(dev, tlb_addr, size, direction, pool);
    else
        __swiotlb_sync_single_for_device(dev, tlb_addr, size, direction, pool);
#else
    if (!is_swiotlb_buffer(dev, tlb_addr))
        return refuse();
    if (for_cpu)
        swiotlb_sync_single_for_cpu(dev, tlb_addr, size, direction);
    else
        swiotlb_sync_single_for_device(dev, tlb_addr, size, direction);
#endif
    tell_copy(copy, !for_cpu);
    leave();
    return BOUNCE_KT_OK;
}

static enum bounce_kt_status kt_run_worker(struct bounce_kt *self, bool *ran)
{
    (void)self;
    struct work_struct *work = kt.work_pending;
    *ran = work != NULL;
    if (!work)
        return BOUNCE_KT_OK;
    enter();
    int why = way_back();
    if (why)
        return left_because(why);
    kt.work_pending = NULL;
    work->func(work);
    leave();
    return BOUNCE_KT_OK;
}

static void kt_counters(const struct bounce_kt *self, struct bounce_kt_counters *out)
{
    out->nslabs = self->mem->nslabs;
    out->used = mem_used(self->mem);
#ifdef KT_HAVE_HIWATER
    out->used_hiwater = (uint64_t)atomic_long_read(&self->mem->used_hiwater);
#else
    out->used_hiwater = self->used_hiwater;
#endif
#ifdef KT_HAVE_TRANSIENT
    out->transient_nslabs = (uint64_t)atomic_long_read(&self->mem->transient_nslabs);
#else
    out->transient_nslabs = 0;
#endif
    out->warnings = kt.warnings;
    out->worker_queued = kt.work_pending != NULL;
}

static bool kt_pool_at(const struct bounce_kt *self, uint32_t index, struct bounce_kt_pool *out)
{
    const tree_pool *pool = pool_number(self, index);
    if (pool)
        describe_pool(pool, out);
    return pool != NULL;
}

static bool kt_pool_of(const struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                       struct bounce_kt_pool *out)
{
    const tree_pool *pool =
        device < self->device_count ? POOL_OF(self->devices[device], tlb_addr) : NULL;
    if (pool)
        describe_pool(pool, out);
    return pool != NULL;
}

static enum bounce_kt_status kt_restart(struct bounce_kt *self)
{
#ifdef KT_HAVE_CURSORS
    for (uint32_t i = 0; pool_number(self, i); i++) {
        tree_pool *pool = pool_number(self, i);
        for (uint32_t area = 0; area < pool->nareas; area++)
            pool->areas[area].index = 0;
    }
    kt.work_pending = NULL;
    return BOUNCE_KT_OK;
#else
    (void)self;
    return BOUNCE_KT_UNSUPPORTED;
#endif
}

__attribute__((visibility("default"))) const struct bounce_kt_plugin bounce_kernel_plugin = {
    .abi = BOUNCE_KT_ABI,
    .features = 0
#ifdef KT_DYNAMIC
                | BOUNCE_KT_DYNAMIC
#endif
#ifdef KT_PROBES
                | BOUNCE_KT_PROBES
#endif
#ifdef KT_HAVE_HIWATER
                | BOUNCE_KT_HIWATER
#endif
#ifdef KT_GUARD
                | BOUNCE_KT_GUARD
#endif
#if defined(KT_ALLOC_ALIGNS) || defined(KT_ALLOC_ALIGNS_NOT)
                | BOUNCE_KT_NATURAL
#endif
#ifdef KT_HAVE_PADDING
                | BOUNCE_KT_PADDING
#endif
    ,
    .release = KT_RELEASE,
    .struct_size = sizeof(struct bounce_kt_plugin),
    .create = kt_create,
    .destroy = kt_destroy,
    .add_device = kt_add_device,
    .map = kt_map,
    .alloc = kt_alloc,
    .unmap = kt_unmap,
    .free = kt_free,
    .sync = kt_sync,
    .run_worker = kt_run_worker,
    .counters = kt_counters,
    .pool_at = kt_pool_at,
    .pool_of = kt_pool_of,
    .restart = kt_restart,
};
