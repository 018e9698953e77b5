/* SPDX-License-Identifier: Apache-2.0 */
/* Linux 6.12's search where slot or slot-set size are not its constants. Asked for by reports of
 * drivers that want mappings above 256 KiB: a boot option for IO_TLB_SEGSIZE was posted by Roman
 * Skakun on 2021-09-14 and not merged. */
#include "sized_config.h"
#include "sized_pool.h"

static void find(struct sized_pool *pool, uint32_t cpu, const struct slot_request *slots,
                 struct sized_found *found)
{
    sized_search_areas(pool, cpu, slots, found, sized_search_6_12);
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

const struct bounce_backend_factory factory_sized = {.create = create};
