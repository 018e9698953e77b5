/* SPDX-License-Identifier: Apache-2.0 */
/* SWIOTLB_DYNAMIC: pools that a worker adds, and transient pools of one buffer each. */
#ifndef SWIOTLB_GROWTH_H
#define SWIOTLB_GROWTH_H

#include "atomic_pool.h"
#include "pages.h"
#include "policy.h"

struct growth {
    struct pool **grown; /* oldest first; the default pool is not among them */
    uint32_t ngrown;
    struct pool **transient; /* by address */
    uint32_t ntransient;
    uint32_t transient_room;
    struct pool *spare; /* a transient pool that is not in use */
    uint64_t default_nslabs;
    uint32_t default_nareas;
    uint64_t worker_limit; /* highest address a grown pool may use */
    struct pages pages;
    struct atomic_pool atomic; /* no chunks unless memory is encrypted */
    bool encrypted;
    bool worker_queued;
};

enum bounce_status growth_create(struct growth **out, const struct bounce_swiotlb_config *config);
void growth_destroy(struct growth *growth);

/* Transient pools and queued work are gone, and grown pools that were recorded; those that a worker
 * of ours added stay, empty. Returns the slots that are gone for good. */
uint64_t growth_restart(struct growth *growth);

/* The pool, other than the default one, that holds the address; NULL when there is none. */
struct pool *growth_pool_of(const struct growth *growth, uint64_t addr);

/* A pool of exactly that many slots for one buffer at or below `limit`; NULL when there are no
 * pages (or no memory for our own book-keeping). */
struct pool *growth_add_transient(struct growth *growth, uint32_t nslots, uint64_t limit);
void growth_remove_transient(struct growth *growth, struct pool *pool);

/* The same with pages that were not asked of the page allocator. NULL too where they overlap those
 * of another pool. */
struct pool *growth_place_transient(struct growth *growth, uint64_t address, uint32_t nslots);

/* A pool that was not asked for either, under the `newer` newest. BOUNCE_NO_MEMORY, or
 * BOUNCE_INVALID where it overlaps another. */
enum bounce_status growth_add_pool(struct growth *growth, uint64_t start, uint32_t nslabs,
                                   uint32_t nareas, uint32_t newer, struct pool **out);

/* An empty one goes again; says what went. */
bool growth_remove_pool(struct growth *growth, uint64_t start, uint32_t *nslabs,
                        uint32_t *free_sets);

/* The queued worker adds a pool; NULL when none was queued or there are no pages. */
struct pool *growth_run_worker(struct growth *growth);

#endif
