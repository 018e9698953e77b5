/* SPDX-License-Identifier: Apache-2.0 */
/* Best fit: of all free runs in an area that can take the request, the shortest one, the lowest of
 * equals; within it the first start that keeps the alignment rules. The textbook's policy (Knuth,
 * The Art of Computer Programming, volume 1, 2.5); nobody has proposed it for swiotlb that we know
 * of. Areas in Linux 6.12's order. A probe is one free run looked at. */
#include "sized_config.h"
#include "sized_pool.h"

static void search(struct sized_pool *pool, uint32_t area, const struct slot_request *slots,
                   struct sized_found *found)
{
    uint32_t base = area * pool->area_nslabs, end = base + pool->area_nslabs;
    uint32_t from = base, first, count, best = UINT32_MAX;
    struct run_shape run;

    found->locks++;
    if (slots->nslots > sized_area_free(pool, area))
        return;
    sized_run_shape(pool, area, slots, &run);
    while (best > run.nslots && sized_pool_next_run(pool, from, end, run.nslots, &first, &count)) {
        from = first + count;
        found->probes++;
        if (count < run.nslots || count >= best)
            continue;
        first = sized_place_in_run(&run, first - base, count);
        if (first == NO_SLOT)
            continue;
        best = count;
        found->slot = base + first;
    }
    if (found->slot == NO_SLOT)
        return;
    found->area = area;
    found->first = found->slot;
    found->taken = slots->nslots;
    found->next = 0; /* every search looks at the whole area */
}

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    sized_search_areas(pool, cpu, slots, found, search);
}

static const struct sized_policy policy = {.find = find};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    (void)context;
    return sized_create(&policy, config, counts, backend, state, error);
}

const struct bounce_backend_factory factory_best_fit = {.create = create};
