/* SPDX-License-Identifier: Apache-2.0 */
/* One io_tlb_mem: its pools, its counters, and the calls that the DMA layer makes. */
#include "bounce/swiotlb.h"

#include "allocator.h"
#include "growth.h"
#include "sized_config.h"

#include <stdlib.h>

static enum bounce_status check(const struct bounce_swiotlb_config *config,
                                struct bounce_error *error)
{
    uint32_t segment_slots = bounce_config_segment_slots(config);

    if (config->nslabs > BOUNCE_MAX_NSLABS)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "a pool of %llu slots; at most %u are modelled",
                             (unsigned long long)config->nslabs, BOUNCE_MAX_NSLABS);
    if (config->start % PAGE_SIZE_4K ||
        config->start > UINT64_MAX / 2 - config->nslabs * bounce_config_slot_size(config))
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "pool start %llx; it must be page-aligned and below 2^63",
                             (unsigned long long)config->start);
    if (!is_power_of_2(config->nareas) ||
        (config->nareas > 1 && config->nslabs &&
         (config->nslabs % ((uint64_t)config->nareas * segment_slots) ||
          !is_power_of_2(config->nslabs))))
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "%u areas of a pool of %llu slots; areas are a power of two, and so "
                             "are the slots of more than one: whole slot sets of %u",
                             config->nareas, (unsigned long long)config->nslabs, segment_slots);
    return sized_config_check(config, error);
}

/* ---- allocators that are not the core ---- */

static void backend_map(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                        bool alloc, struct bounce_map_result *result)
{
    mem->backend->map(mem->backend_state, request, alloc, result);
}

static const struct bounce_policy backend_policy = {.map = backend_map};

static enum bounce_status create_backend(struct bounce_swiotlb *mem,
                                         const struct bounce_backend_factory *factory,
                                         const struct bounce_swiotlb_config *config,
                                         struct bounce_error *error)
{
    mem->policy = &backend_policy;
    return factory->create(factory->context, config, &mem->counts, &mem->backend,
                           &mem->backend_state, error);
}

/* ---- creation ---- */

enum bounce_status bounce_swiotlb_create(const struct bounce_swiotlb_config *config,
                                         struct bounce_swiotlb **out, struct bounce_error *error)
{
    const struct bounce_backend_factory *factory;
    struct bounce_swiotlb *mem;
    enum bounce_status status = check(config, error);

    if (status)
        return status;
    mem = calloc(1, sizeof(*mem));
    if (!mem)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    factory = sized_config_factory(config);
    if (factory) {
        status = create_backend(mem, factory, config, error);
        if (status)
            free(mem);
        else
            *out = mem;
        return status;
    }
    mem->policy = config->kernel->policy;
    if (config->nslabs) {
        status = pool_create(config->start, (uint32_t)config->nslabs, config->nareas, &mem->pool);
        if (status) {
            free(mem);
            return bounce_refuse(error, status, 0, "out of memory for a pool of %llu slots",
                                 (unsigned long long)config->nslabs);
        }
        mem->counts.nslabs = config->nslabs;
        mem->counts.pools = 1;
        mem->counts.free_segments = mem->pool->free_sets;
        mem->counts.free_segments_min = mem->pool->free_sets;
    }
    if (mem->pool && mem->policy->grows && growth_create(&mem->growth, config)) {
        bounce_swiotlb_destroy(mem);
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    }
    if (config->encrypted)
        mem->counts.converted_bytes =
            (config->nslabs << BOUNCE_SLOT_SHIFT) + (mem->growth ? mem->growth->atomic.size : 0);
    *out = mem;
    return BOUNCE_OK;
}

void bounce_swiotlb_destroy(struct bounce_swiotlb *mem)
{
    if (!mem)
        return;
    if (mem->backend)
        mem->backend->destroy(mem->backend_state);
    growth_destroy(mem->growth);
    pool_destroy(mem->pool);
    free(mem);
}

void bounce_swiotlb_map(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                        struct bounce_map_result *result)
{
    mem->policy->map(mem, request, false, result);
}

void bounce_swiotlb_alloc(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          struct bounce_map_result *result)
{
    mem->policy->map(mem, request, true, result);
}

/* The pool that holds an address, or NULL. */
static inline struct pool *pool_of(const struct bounce_swiotlb *mem, uint64_t addr)
{
    if (mem->pool && pool_holds(mem->pool, addr))
        return mem->pool;
    return mem->growth ? growth_pool_of(mem->growth, addr) : NULL;
}

static inline void count_release(struct bounce_swiotlb *mem, struct slot_meta meta)
{
    mem->counts.used -= meta.nslots;
    mem->counts.internal_bytes -= ((uint64_t)meta.nslots << BOUNCE_SLOT_SHIFT) - meta.size;
}

/* Whatever is not the common case of bounce_swiotlb_unmap(). */
static __attribute__((noinline)) uint32_t
unmap_rarely(struct bounce_swiotlb *mem, const struct bounce_device *device, uint64_t tlb_addr)
{
    struct slot_meta meta;
    struct pool *pool;
    uint32_t slot;
    bool whole;

    if (mem->backend)
        return mem->backend->unmap(mem->backend_state, device, tlb_addr);
    pool = pool_of(mem, tlb_addr);
    if (!pool)
        return 0;
    slot = pool_slot_of(pool, tlb_addr);
    meta = pool->meta[slot];
    if (!pool_is_mapped(pool, slot) || meta.offset != (tlb_addr & (SLOT_SIZE - 1)))
        return 0;
    whole = pool_mark(pool, slot - meta.pad_slots, meta.nslots, true);
    pool->free_sets += whole;
    pool_forget(pool, slot, meta.nslots);
    count_release(mem, meta);
    if (pool->transient) {
        mem->counts.transient_nslabs -= pool->nslabs;
        growth_remove_transient(mem->growth, pool);
    } else {
        mem->counts.free_segments += whole;
    }
    return meta.nslots;
}

/* A buffer in one word of the default pool. Half of what an allocator does is this, so it calls
 * nothing and keeps everything in registers. */
uint32_t bounce_swiotlb_unmap(struct bounce_swiotlb *mem, const struct bounce_device *device,
                              uint64_t tlb_addr)
{
    struct pool *pool = mem->pool;
    struct slot_word *word;
    struct slot_meta meta;
    uint32_t slot, bit;

    if (!pool || !pool_holds(pool, tlb_addr)) /* other allocators have no pool */
        return unmap_rarely(mem, device, tlb_addr);
    slot = pool_slot_of(pool, tlb_addr);
    bit = slot % WORD_SLOTS;
    word = &pool->words[slot / WORD_SLOTS];
    meta = pool->meta[slot];
    if (!(word->mapped >> bit & 1) || meta.offset != (tlb_addr & (SLOT_SIZE - 1)) ||
        meta.pad_slots > bit || (uint32_t)meta.nslots - meta.pad_slots > WORD_SLOTS - bit)
        return unmap_rarely(mem, device, tlb_addr);
    word->free |= ones(meta.nslots) << (bit - meta.pad_slots);
    if (word->free == ~UINT64_C(0) && pool->words[slot / WORD_SLOTS ^ 1].free == ~UINT64_C(0)) {
        pool->free_sets++;
        mem->counts.free_segments++;
    }
    pool_forget(pool, slot, meta.nslots);
    count_release(mem, meta);
    return meta.nslots;
}

struct bounce_copy bounce_swiotlb_sync(const struct bounce_swiotlb *mem,
                                       const struct bounce_device *device, uint64_t tlb_addr,
                                       uint64_t size)
{
    const struct pool *pool = pool_of(mem, tlb_addr);
    struct bounce_copy copy = {0, 0};
    const struct slot_meta *meta;
    uint64_t into, left, offset, slot_left;
    uint32_t holder;

    if (mem->backend)
        return mem->backend->sync(mem->backend_state, device, tlb_addr, size);
    if (!pool)
        return copy;
    holder = pool_holder_of(pool, pool_slot_of(pool, tlb_addr));
    if (holder == NO_SLOT)
        return copy;
    meta = &pool->meta[holder];
    if (meta->orig_addr == NO_ORIG_ADDR)
        return copy;
    /* The offset that the kernel takes off is the device's, so it may reach before the buffer. */
    into = tlb_addr - pool->start - ((uint64_t)holder << BOUNCE_SLOT_SHIFT);
    offset = meta->orig_addr & device->min_align_mask & (SLOT_SIZE - 1);
    /* Both wrap past the end, as the kernel's size_t does. */
    left = pool_meta_alloc_size(meta) - ((uint64_t)meta->pad_slots << BOUNCE_SLOT_SHIFT) - into;
    slot_left = left + (into & (SLOT_SIZE - 1)) - offset;
    if (mem->policy->strict_sync &&
        ((into & (SLOT_SIZE - 1)) < offset || (into & (SLOT_SIZE - 1)) - offset > slot_left))
        return copy;
    copy.orig_addr = meta->orig_addr + into - offset;
    copy.bytes = size < left ? size : left;
    return copy;
}

static void recount_free_segments(struct bounce_swiotlb *mem)
{
    mem->counts.free_segments = mem->pool->free_sets;
    for (uint32_t i = 0; mem->growth && i < mem->growth->ngrown; i++)
        mem->counts.free_segments += mem->growth->grown[i]->free_sets;
}

void bounce_swiotlb_restart(struct bounce_swiotlb *mem)
{
    if (mem->backend)
        mem->backend->restart(mem->backend_state);
    if (!mem->pool)
        return;
    pool_reset(mem->pool);
    if (mem->growth) {
        uint32_t gone = mem->growth->ngrown;

        mem->counts.nslabs -= growth_restart(mem->growth);
        mem->counts.pools -= gone - mem->growth->ngrown;
    }
    mem->counts.used = 0;
    mem->counts.transient_nslabs = 0;
    mem->counts.internal_bytes = 0;
    recount_free_segments(mem);
}

bool bounce_swiotlb_run_worker(struct bounce_swiotlb *mem)
{
    struct growth *growth = mem->growth;
    struct pool *pool;
    uint64_t added;

    if (mem->backend)
        return mem->backend->run_worker(mem->backend_state);
    if (!growth)
        return false;
    added = atomic_pool_run_worker(&growth->atomic, &growth->pages);
    pool = growth_run_worker(growth);
    if (pool) {
        mem->counts.nslabs += pool->nslabs;
        mem->counts.pools++;
        mem->counts.free_segments += pool->free_sets;
        added += pool->size;
    }
    if (growth->encrypted)
        mem->counts.converted_bytes += added;
    return pool != NULL;
}

bool bounce_swiotlb_worker_queued(const struct bounce_swiotlb *mem)
{
    if (mem->backend)
        return mem->backend->worker_queued(mem->backend_state);
    return mem->growth && (mem->growth->worker_queued || mem->growth->atomic.worker_queued);
}

const struct bounce_swiotlb_counts *bounce_swiotlb_get_counts(const struct bounce_swiotlb *mem)
{
    return &mem->counts;
}

uint32_t bounce_swiotlb_nareas(const struct bounce_swiotlb *mem)
{
    if (mem->backend)
        return mem->backend->nareas(mem->backend_state);
    return mem->pool ? mem->pool->nareas : 0;
}

uint64_t bounce_swiotlb_area_used(const struct bounce_swiotlb *mem, uint32_t area)
{
    if (mem->backend)
        return mem->backend->area_used(mem->backend_state, area);
    return area < bounce_swiotlb_nareas(mem) ? mem->pool->areas[area].used : 0;
}

bool bounce_swiotlb_is_transient(const struct bounce_swiotlb *mem, uint64_t tlb_addr)
{
    const struct pool *pool = mem->growth ? pool_of(mem, tlb_addr) : NULL;

    return pool && pool->transient;
}

uint32_t bounce_swiotlb_slots(const struct bounce_map_request *request, bool alloc)
{
    struct slot_request slots;

    policy_linux_6_12.describe(request, alloc, &slots);
    return slots.nslots;
}

uint64_t bounce_swiotlb_max_mapping_size(uint32_t min_align_mask)
{
    uint64_t lost = ((uint64_t)min_align_mask + SLOT_SIZE - 1) & ~(uint64_t)(SLOT_SIZE - 1);
    uint64_t most = (uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT;

    return lost < most ? most - lost : 0;
}
