/* SPDX-License-Identifier: Apache-2.0 */
/* Source: swiotlb_alloc_pool(), swiotlb_dyn_alloc() of kernel/dma/swiotlb.c, 6.12.117. */
#include "growth.h"

#include <stdlib.h>
#include <string.h>

#define MIN_SLABS      512u /* IO_TLB_MIN_SLABS: 1 MiB */
#define MAX_POOL_SLABS BOUNCE_MAX_GROWN_NSLABS
#define BLOCK_4M       (UINT64_C(4) << 20)

enum bounce_status growth_create(struct growth **out, const struct bounce_swiotlb_config *config)
{
    struct growth *growth = calloc(1, sizeof(*growth));
    uint64_t end = config->start + (config->nslabs << BOUNCE_SLOT_SHIFT);

    if (!growth)
        return BOUNCE_NO_MEMORY;
    growth->default_nslabs = config->default_nslabs ? config->default_nslabs : config->nslabs;
    growth->default_nareas = config->default_nareas ? config->default_nareas : config->nareas;
    growth->worker_limit = config->grow_limit ? config->grow_limit : UINT32_MAX;
    growth->encrypted = config->encrypted;
    pages_init(&growth->pages,
               config->pages_start ? config->pages_start : (end + BLOCK_4M - 1) & ~(BLOCK_4M - 1),
               config->lost_orders < PAGES_MAX_ORDER ? PAGES_MAX_ORDER - config->lost_orders : 0,
               config->reuse_pages);
    if (growth->encrypted && atomic_pool_init(&growth->atomic, &growth->pages, config->memory)) {
        growth_destroy(growth);
        return BOUNCE_NO_MEMORY;
    }
    *out = growth;
    return BOUNCE_OK;
}

void growth_destroy(struct growth *growth)
{
    if (!growth)
        return;
    for (uint32_t i = 0; i < growth->ngrown; i++)
        pool_destroy(growth->grown[i]);
    for (uint32_t i = 0; i < growth->ntransient; i++)
        pool_destroy(growth->transient[i]);
    for (struct pool *pool = growth->spare, *next; pool; pool = next) {
        next = pool->next_spare;
        pool_destroy(pool);
    }
    free(growth->grown);
    free(growth->transient);
    atomic_pool_destroy(&growth->atomic);
    pages_free_all(&growth->pages);
    free(growth);
}

/* First transient pool that ends above the address. */
static uint32_t transient_at(const struct growth *growth, uint64_t addr)
{
    uint32_t low = 0, high = growth->ntransient;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (growth->transient[middle]->start + growth->transient[middle]->size <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct pool *growth_pool_of(const struct growth *growth, uint64_t addr)
{
    uint32_t at;

    for (uint32_t i = growth->ngrown; i-- > 0;)
        if (pool_holds(growth->grown[i], addr))
            return growth->grown[i];
    at = transient_at(growth, addr);
    if (at < growth->ntransient && pool_holds(growth->transient[at], addr))
        return growth->transient[at];
    return NULL;
}

static struct pool *take_spare(struct growth *growth)
{
    struct pool *pool = growth->spare;

    if (pool)
        growth->spare = pool->next_spare;
    else if (pool_create(0, SET_SLOTS, 1, &pool))
        return NULL;
    pool->transient = true;
    return pool;
}

static void give_spare(struct growth *growth, struct pool *pool)
{
    pool->next_spare = growth->spare;
    growth->spare = pool;
}

static uint64_t transient_pages(struct growth *growth, uint64_t bytes, uint64_t limit)
{
    return growth->encrypted ? atomic_pool_alloc(&growth->atomic, bytes, limit)
                             : pages_alloc(&growth->pages, bytes, limit);
}

static struct pool *add_transient_at(struct growth *growth, uint64_t address, uint32_t nslots)
{
    struct pool *pool = take_spare(growth);
    uint32_t at;

    if (!pool)
        return NULL;
    if (growth->ntransient == growth->transient_room) {
        uint32_t room = growth->transient_room ? 2 * growth->transient_room : 16;
        struct pool **more = realloc(growth->transient, room * sizeof(struct pool *));

        if (!more) {
            give_spare(growth, pool);
            return NULL;
        }
        growth->transient = more;
        growth->transient_room = room;
    }
    pool_reuse(pool, address, nslots);
    pool->placed = false;
    at = transient_at(growth, address);
    memmove(growth->transient + at + 1, growth->transient + at,
            (growth->ntransient - at) * sizeof(struct pool *));
    growth->transient[at] = pool;
    growth->ntransient++;
    return pool;
}

struct pool *growth_add_transient(struct growth *growth, uint32_t nslots, uint64_t limit)
{
    uint64_t address = transient_pages(growth, (uint64_t)nslots << BOUNCE_SLOT_SHIFT, limit);

    return address ? add_transient_at(growth, address, nslots) : NULL;
}

struct pool *growth_place_transient(struct growth *growth, uint64_t address, uint32_t nslots)
{
    uint64_t end = address + ((uint64_t)nslots << BOUNCE_SLOT_SHIFT);
    uint32_t at = transient_at(growth, address);
    struct pool *pool;

    if (address % PAGE_SIZE_4K || address > UINT64_MAX / 2 || growth_pool_of(growth, address) ||
        (at < growth->ntransient && growth->transient[at]->start < end))
        return NULL;
    pool = add_transient_at(growth, address, nslots);
    if (pool)
        pool->placed = true;
    return pool;
}

static void free_transient_pages(struct growth *growth, const struct pool *pool)
{
    if (growth->encrypted)
        atomic_pool_free(&growth->atomic, pool->start, pool->size);
    else
        pages_free(&growth->pages, pool->start, pool->size);
}

void growth_remove_transient(struct growth *growth, struct pool *pool)
{
    uint32_t at = transient_at(growth, pool->start);

    if (!pool->placed)
        free_transient_pages(growth, pool);
    growth->ntransient--;
    memmove(growth->transient + at, growth->transient + at + 1,
            (growth->ntransient - at) * sizeof(struct pool *));
    give_spare(growth, pool);
}

uint64_t growth_restart(struct growth *growth)
{
    uint64_t gone = 0;
    uint32_t kept = 0;

    while (growth->ntransient)
        growth_remove_transient(growth, growth->transient[growth->ntransient - 1]);
    for (uint32_t i = 0; i < growth->ngrown; i++) {
        struct pool *pool = growth->grown[i];

        if (pool->placed) {
            gone += pool->nslabs;
            pool_destroy(pool);
            continue;
        }
        pool_reset(pool);
        growth->grown[kept++] = pool;
    }
    growth->ngrown = kept;
    growth->worker_queued = growth->atomic.worker_queued = false;
    return gone;
}

static uint32_t limit_areas(uint32_t nareas, uint64_t nslabs)
{
    return nslabs < (uint64_t)nareas * SET_SLOTS ? (uint32_t)(nslabs / SET_SLOTS) : nareas;
}

static enum bounce_status insert_pool(struct growth *growth, uint64_t start, uint32_t nslabs,
                                      uint32_t nareas, uint32_t newer, struct pool **out)
{
    struct pool **more = realloc(growth->grown, (growth->ngrown + 1) * sizeof(struct pool *));
    uint32_t at;
    enum bounce_status status;

    if (!more)
        return BOUNCE_NO_MEMORY;
    growth->grown = more;
    status = pool_create(start, nslabs, nareas, out);
    if (status)
        return status;
    at = growth->ngrown - (newer < growth->ngrown ? newer : growth->ngrown);
    memmove(growth->grown + at + 1, growth->grown + at,
            (growth->ngrown - at) * sizeof(struct pool *));
    growth->grown[at] = *out;
    growth->ngrown++;
    return BOUNCE_OK;
}

enum bounce_status growth_add_pool(struct growth *growth, uint64_t start, uint32_t nslabs,
                                   uint32_t nareas, uint32_t newer, struct pool **out)
{
    uint64_t end = start + ((uint64_t)nslabs << BOUNCE_SLOT_SHIFT);
    enum bounce_status status;

    for (uint32_t i = 0; i < growth->ngrown; i++)
        if (growth->grown[i]->start < end &&
            start < growth->grown[i]->start + growth->grown[i]->size)
            return BOUNCE_INVALID;
    status = insert_pool(growth, start, nslabs, nareas, newer, out);
    if (!status)
        (*out)->placed = true;
    return status;
}

bool growth_remove_pool(struct growth *growth, uint64_t start, uint32_t *nslabs,
                        uint32_t *free_sets)
{
    for (uint32_t i = 0; i < growth->ngrown; i++) {
        struct pool *pool = growth->grown[i];

        if (pool->start != start)
            continue;
        for (uint32_t area = 0; area < pool->nareas; area++)
            if (pool->areas[area].used)
                return false;
        *nslabs = pool->nslabs;
        *free_sets = pool->free_sets;
        growth->ngrown--;
        memmove(growth->grown + i, growth->grown + i + 1,
                (growth->ngrown - i) * sizeof(struct pool *));
        pool_destroy(pool);
        return true;
    }
    return false;
}

struct pool *growth_run_worker(struct growth *growth)
{
    uint64_t nslabs = growth->default_nslabs, address;
    uint32_t nareas = growth->default_nareas;
    struct pool *pool;

    if (!growth->worker_queued)
        return NULL;
    growth->worker_queued = false;
    if (nslabs > MAX_POOL_SLABS) {
        nslabs = MAX_POOL_SLABS;
        nareas = limit_areas(nareas, nslabs);
    }
    while (!(address =
                 pages_alloc(&growth->pages, nslabs << BOUNCE_SLOT_SHIFT, growth->worker_limit))) {
        if (nslabs <= MIN_SLABS)
            return NULL;
        nslabs = ((nslabs >> 1) + SET_SLOTS - 1) / SET_SLOTS * SET_SLOTS;
        nareas = limit_areas(nareas, nslabs);
    }
    return insert_pool(growth, address, (uint32_t)nslabs, nareas, 0, &pool) ? NULL : pool;
}
