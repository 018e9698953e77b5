/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of its own for each device, with one area, as a device tree's restricted-dma-pool gives
 * (Linux 5.15). Pools follow one another from the configured start on, in the order in which the
 * devices first map. What is proposed as a per-device or child pool (Tianyu Lan's RFC of 2022,
 * which areas replaced; WSL's apertures of 2026) differs in who makes the pools, not in where
 * buffers go.
 *
 * Each pool is an allocator of the configured kernel; the counts are the sums. */
#include "allocator.h"
#include "sized_config.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 16u

struct device_pool {
    char name[BOUNCE_DEVICE_NAME_MAX];
    struct bounce_swiotlb *mem;
};

struct per_device {
    struct bounce_swiotlb_counts *counts;
    struct bounce_swiotlb_config config; /* of each pool */
    uint64_t bytes;                      /* of each pool */
    struct device_pool *pools;
    uint32_t npools;
    uint32_t *buckets; /* of a hash table by name: number of the pool + 1, 0 for none */
    uint32_t nbuckets; /* a power of two, at least twice npools */
};

static uint32_t bucket_of(const struct per_device *all, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash & (all->nbuckets - 1);
}

/* The bucket of that name, or the free one where it would go. */
static uint32_t *find_bucket(struct per_device *all, const char *name)
{
    uint32_t at = bucket_of(all, name);

    while (all->buckets[at] && strcmp(all->pools[all->buckets[at] - 1].name, name) != 0)
        at = (at + 1) & (all->nbuckets - 1);
    return &all->buckets[at];
}

/* Room for one more pool; false without memory. */
static bool make_room(struct per_device *all)
{
    uint32_t wanted = all->nbuckets ? all->nbuckets * 2 : FIRST_BUCKETS;
    struct device_pool *pools;
    uint32_t *buckets;

    if (all->npools < all->nbuckets / 2)
        return true;
    pools = realloc(all->pools, wanted / 2 * sizeof(*pools));
    if (!pools)
        return false;
    all->pools = pools;
    buckets = calloc(wanted, sizeof(*buckets));
    if (!buckets)
        return false;
    free(all->buckets);
    all->buckets = buckets;
    all->nbuckets = wanted;
    for (uint32_t i = 0; i < all->npools; i++)
        *find_bucket(all, all->pools[i].name) = i + 1;
    return true;
}

/* What changed in one pool changes in the sums. */
static void add_change(struct bounce_swiotlb_counts *sum,
                       const struct bounce_swiotlb_counts *before,
                       const struct bounce_swiotlb_counts *after)
{
    sum->nslabs += after->nslabs - before->nslabs;
    sum->pools += after->pools - before->pools;
    sum->used += after->used - before->used;
    sum->free_segments += after->free_segments - before->free_segments;
    sum->internal_bytes += after->internal_bytes - before->internal_bytes;
    sum->converted_bytes += after->converted_bytes - before->converted_bytes;
    sum->probes += after->probes - before->probes;
    sum->locks += after->locks - before->locks;
    if (sum->used > sum->used_hiwater)
        sum->used_hiwater = sum->used;
    if (sum->internal_bytes > sum->internal_bytes_hiwater)
        sum->internal_bytes_hiwater = sum->internal_bytes;
    if (sum->free_segments < sum->free_segments_min)
        sum->free_segments_min = sum->free_segments;
}

/* The device's pool, made now if it is its first call; NULL without memory or address space. */
static struct bounce_swiotlb *pool_for(struct per_device *all, const struct bounce_device *device)
{
    static const struct bounce_swiotlb_counts nothing = {0};
    struct bounce_swiotlb_config config = all->config;
    struct device_pool *pool;
    uint32_t *bucket;

    if (!make_room(all))
        return NULL;
    bucket = find_bucket(all, device->name);
    if (*bucket)
        return all->pools[*bucket - 1].mem;
    pool = &all->pools[all->npools];
    config.start += all->npools * all->bytes;
    if (bounce_swiotlb_create(&config, &pool->mem, NULL))
        return NULL;
    memcpy(pool->name, device->name, sizeof(pool->name));
    *bucket = ++all->npools;
    add_change(all->counts, &nothing, &pool->mem->counts);
    /* A pool that comes with its device is no shortage before. */
    all->counts->free_segments_min += pool->mem->counts.free_segments;
    return pool->mem;
}

static struct bounce_swiotlb *pool_at(const struct per_device *all, uint64_t addr)
{
    uint64_t number = (addr - all->config.start) / all->bytes;

    return addr >= all->config.start && number < all->npools ? all->pools[number].mem : NULL;
}

static void map(void *state, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    struct per_device *all = state;
    struct bounce_swiotlb *mem = pool_for(all, request->device);
    struct bounce_swiotlb_counts before;

    if (!mem) {
        *result =
            (struct bounce_map_result){.alloc_size = request->size, .outcome = BOUNCE_MAP_FULL};
        return;
    }
    before = mem->counts;
    if (alloc)
        bounce_swiotlb_alloc(mem, request, result);
    else
        bounce_swiotlb_map(mem, request, result);
    add_change(all->counts, &before, &mem->counts);
}

static uint32_t unmap(void *state, const struct bounce_device *device, uint64_t tlb_addr)
{
    struct per_device *all = state;
    struct bounce_swiotlb *mem = pool_at(all, tlb_addr);
    struct bounce_swiotlb_counts before;
    uint32_t nslots;

    if (!mem)
        return 0;
    before = mem->counts;
    nslots = bounce_swiotlb_unmap(mem, device, tlb_addr);
    add_change(all->counts, &before, &mem->counts);
    return nslots;
}

static struct bounce_copy sync(void *state, const struct bounce_device *device, uint64_t tlb_addr,
                               uint64_t size)
{
    const struct bounce_swiotlb *mem = pool_at(state, tlb_addr);

    return mem ? bounce_swiotlb_sync(mem, device, tlb_addr, size) : (struct bounce_copy){0, 0};
}

static void restart(void *state)
{
    struct per_device *all = state;

    for (uint32_t i = 0; i < all->npools; i++) {
        struct bounce_swiotlb_counts before = all->pools[i].mem->counts;

        bounce_swiotlb_restart(all->pools[i].mem);
        add_change(all->counts, &before, &all->pools[i].mem->counts);
    }
}

static bool no_worker(void *state)
{
    (void)state;
    return false;
}

static void pressure(void *state, const struct bounce_map_request *request, bool alloc,
                     struct bounce_pressure *pressure)
{
    struct bounce_swiotlb *mem = pool_for(state, request->device);

    if (mem)
        bounce_swiotlb_pressure(mem, request, alloc, pressure);
    else
        *pressure = (struct bounce_pressure){.cause = BOUNCE_CAUSE_NO_POOL};
}

/* Pools come and go unseen by who asks for areas: they are shown as one. */
static uint32_t nareas(void *state)
{
    (void)state;
    return 1;
}

static uint64_t area_used(void *state, uint32_t area)
{
    const struct per_device *all = state;

    return area == 0 ? all->counts->used : 0;
}

static void destroy(void *state)
{
    struct per_device *all = state;

    for (uint32_t i = 0; i < all->npools; i++)
        bounce_swiotlb_destroy(all->pools[i].mem);
    free(all->pools);
    free(all->buckets);
    free(all);
}

static const struct bounce_backend table = {
    .map = map,
    .unmap = unmap,
    .sync = sync,
    .restart = restart,
    .run_worker = no_worker,
    .worker_queued = no_worker,
    .pressure = pressure,
    .nareas = nareas,
    .area_used = area_used,
    .destroy = destroy,
};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    struct per_device *all = calloc(1, sizeof(*all));

    (void)context;
    if (!all)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    all->counts = counts;
    all->config = *config;
    all->config.nslabs = config->device_nslabs;
    all->config.nareas = 1;
    all->config.device_nslabs = 0;
    all->bytes = config->device_nslabs * bounce_config_slot_size(config);
    *backend = &table;
    *state = all;
    return BOUNCE_OK;
}

const struct bounce_backend_factory factory_per_device = {.create = create};
