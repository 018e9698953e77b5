/* SPDX-License-Identifier: Apache-2.0 */
/* The rarer ends of map_slots(). */
#include "map_slots.h"

void map_count_transient(struct bounce_swiotlb_counts *counts, const struct pool *pool)
{
    counts->transient_maps++;
    counts->transient_nslabs += pool->nslabs;
    if (counts->transient_nslabs > counts->transient_nslabs_hiwater)
        counts->transient_nslabs_hiwater = counts->transient_nslabs;
}

void map_failed(struct bounce_swiotlb *mem, const struct slot_request *slots,
                const struct slot_found *found, struct bounce_map_result *result)
{
    mem->last_no_pages = found->no_pages;
    mem->counts.probes += found->probes;
    mem->counts.locks += found->locks;
    result->alloc_size = slots->alloc_size;
    result->probes = found->probes;
    result->locks = found->locks;
    result->tlb_addr = 0;
    result->slots = 0;
    if (found->lockup)
        result->outcome = BOUNCE_MAP_LOCKUP;
    else
        result->outcome = allocator_never_fits(mem, slots) ? BOUNCE_MAP_OVERSIZE : BOUNCE_MAP_FULL;
}
