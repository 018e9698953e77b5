/* SPDX-License-Identifier: Apache-2.0 */
/* One area for all CPUs: what swiotlb was before it was split into areas (Linux 6.0, commit
 * 20347fca71a3). The search is that of 6.12, so that areas are the only difference. */
#include "sized_config.h"
#include "sized_pool.h"

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    (void)cpu;
    sized_search_6_12(pool, 0, slots, found);
}

static const struct sized_policy policy = {.find = find, .one_area = true};

static enum bounce_status create(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error)
{
    (void)context;
    return sized_create(&policy, config, counts, backend, state, error);
}

const struct bounce_backend_factory factory_global = {.create = create};
