/* SPDX-License-Identifier: Apache-2.0 */
/* The atomic coherent pool of a guest with encrypted memory: already shared pages, from which
 * transient buffers come because converting pages may sleep.
 * Source: kernel/dma/pool.c of 6.12.117. */
#ifndef SWIOTLB_ATOMIC_POOL_H
#define SWIOTLB_ATOMIC_POOL_H

#include "pages.h"

#define ATOMIC_CHUNK_PAGES (1u << PAGES_MAX_ORDER)

struct atomic_chunk {
    uint64_t start;
    uint32_t npages;
    uint64_t used[ATOMIC_CHUNK_PAGES / 64];
};

struct atomic_pool {
    struct atomic_chunk *chunks;
    uint32_t nchunks;
    uint64_t wanted; /* bytes that the worker keeps available */
    uint64_t size;
    uint64_t available;
    bool worker_queued;
};

/* 128 KiB a GiB of memory, at least 128 KiB, at most 4 MiB. */
uint64_t atomic_pool_size(uint64_t memory_bytes);

/* BOUNCE_NO_MEMORY. */
enum bounce_status atomic_pool_init(struct atomic_pool *pool, struct pages *pages,
                                    uint64_t memory_bytes);
void atomic_pool_destroy(struct atomic_pool *pool);

/* Pages for `bytes` at or below `limit`, aligned to the next power of two, or 0. Queues the worker
 * when less than the wanted size is left. */
uint64_t atomic_pool_alloc(struct atomic_pool *pool, uint64_t bytes, uint64_t limit);
void atomic_pool_free(struct atomic_pool *pool, uint64_t address, uint64_t bytes);

/* Doubles the pool if the worker was queued and it is still short; returns the bytes added. */
uint64_t atomic_pool_run_worker(struct atomic_pool *pool, struct pages *pages);

#endif
