/* SPDX-License-Identifier: Apache-2.0 */
#include "atomic_pool.h"

#include "pool.h"

#include <stdlib.h>

#define KIB_128 (UINT64_C(128) << 10)

uint64_t atomic_pool_size(uint64_t memory_bytes)
{
    uint64_t size = memory_bytes / (8192 * PAGE_SIZE_4K) * PAGE_SIZE_4K;
    uint64_t most = (uint64_t)ATOMIC_CHUNK_PAGES << PAGE_SHIFT;

    return size > most ? most : size < KIB_128 ? KIB_128 : size;
}

/* Another chunk of at most `bytes`, smaller when memory is fragmented; 0 when there is none. */
static uint64_t expand(struct atomic_pool *pool, struct pages *pages, uint64_t bytes)
{
    unsigned order = pages_order(bytes);
    struct atomic_chunk *more;
    uint64_t address = 0;

    if (order > PAGES_MAX_ORDER)
        order = PAGES_MAX_ORDER;
    for (order++; !address && order-- > 0;)
        address = pages_alloc(pages, (uint64_t)PAGE_SIZE_4K << order, UINT64_MAX);
    more = address ? realloc(pool->chunks, (pool->nchunks + 1) * sizeof(*more)) : NULL;
    if (!more)
        return 0;
    pool->chunks = more;
    pool->chunks[pool->nchunks++] = (struct atomic_chunk){.start = address, .npages = 1u << order};
    bytes = (uint64_t)PAGE_SIZE_4K << order;
    pool->size += bytes;
    pool->available += bytes;
    return bytes;
}

enum bounce_status atomic_pool_init(struct atomic_pool *pool, struct pages *pages,
                                    uint64_t memory_bytes)
{
    *pool = (struct atomic_pool){.wanted = atomic_pool_size(memory_bytes)};
    return expand(pool, pages, pool->wanted) ? BOUNCE_OK : BOUNCE_NO_MEMORY;
}

void atomic_pool_destroy(struct atomic_pool *pool)
{
    free(pool->chunks);
    pool->chunks = NULL;
}

static bool pages_are_free(const struct atomic_chunk *chunk, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++)
        if (chunk->used[page / 64] >> (page % 64) & 1)
            return false;
    return true;
}

static void mark(struct atomic_chunk *chunk, uint32_t first, uint32_t count, bool used)
{
    for (uint32_t page = first; page < first + count; page++) {
        uint64_t bit = UINT64_C(1) << (page % 64);

        chunk->used[page / 64] =
            used ? chunk->used[page / 64] | bit : chunk->used[page / 64] & ~bit;
    }
}

static uint32_t page_count(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE_SIZE_4K - 1) >> PAGE_SHIFT);
}

uint64_t atomic_pool_alloc(struct atomic_pool *pool, uint64_t bytes, uint64_t limit)
{
    uint32_t count = page_count(bytes), step = 1u << pages_order(bytes);

    /* The newest first, as gen_pool_add() puts it at the head of the list. */
    for (uint32_t i = pool->nchunks; i-- > 0;) {
        struct atomic_chunk *chunk = &pool->chunks[i];

        for (uint32_t first = 0; first + count <= chunk->npages; first += step) {
            uint64_t address = chunk->start + ((uint64_t)first << PAGE_SHIFT);

            if (!pages_are_free(chunk, first, count))
                continue;
            if (address + bytes - 1 > limit)
                return 0;
            mark(chunk, first, count, true);
            pool->available -= (uint64_t)count << PAGE_SHIFT;
            if (pool->available < pool->wanted)
                pool->worker_queued = true;
            return address;
        }
    }
    return 0;
}

void atomic_pool_free(struct atomic_pool *pool, uint64_t address, uint64_t bytes)
{
    uint32_t count = page_count(bytes);

    for (uint32_t i = 0; i < pool->nchunks; i++) {
        struct atomic_chunk *chunk = &pool->chunks[i];

        if (address - chunk->start >= (uint64_t)chunk->npages << PAGE_SHIFT)
            continue;
        mark(chunk, (uint32_t)((address - chunk->start) >> PAGE_SHIFT), count, false);
        pool->available += (uint64_t)count << PAGE_SHIFT;
        return;
    }
}

uint64_t atomic_pool_run_worker(struct atomic_pool *pool, struct pages *pages)
{
    bool queued = pool->worker_queued;

    pool->worker_queued = false;
    if (!queued || pool->available >= pool->wanted)
        return 0;
    return expand(pool, pages, pool->size);
}
