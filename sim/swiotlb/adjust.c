/* SPDX-License-Identifier: Apache-2.0 */
/* Setting the allocator's state by hand: for those who reconstruct what a recorded kernel did. */
#include "growth.h"
#include "linux_6_12.h"
#include "map_slots.h"

static struct pool *pool_at(struct bounce_swiotlb *mem, uint64_t addr)
{
    if (!mem->pool || mem->backend)
        return NULL;
    if (pool_holds(mem->pool, addr))
        return mem->pool;
    return mem->growth ? growth_pool_of(mem->growth, addr) : NULL;
}

bool bounce_swiotlb_peek(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                         struct bounce_map_result *result)
{
    struct slot_found found = {.slot = NO_SLOT};
    struct slot_request slots;

    if (mem->backend || !mem->policy->find)
        return false;
    mem->policy->describe(request, false, &slots);
    if (mem->pool)
        mem->policy->find(mem, request, &slots, &found);
    *result = (struct bounce_map_result){
        .alloc_size = slots.alloc_size,
        .probes = found.probes,
        .locks = found.locks,
        .outcome = found.slot != NO_SLOT ? BOUNCE_MAP_OK
                   : found.lockup        ? BOUNCE_MAP_LOCKUP
                                         : BOUNCE_MAP_FULL,
    };
    if (found.slot == NO_SLOT)
        return true;
    result->slots = slots.nslots;
    result->tlb_addr = pool_address_of(found.pool, found.slot + slots.pad_slots) + slots.offset;
    return true;
}

bool bounce_swiotlb_place(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                          uint64_t tlb_addr, bool move_cursor)
{
    struct pool *pool = pool_at(mem, tlb_addr);
    struct bounce_map_result ignored;
    struct slot_found found = {0};
    struct slot_request slots;
    uint32_t holder, index;

    if (!pool)
        return false;
    mem->policy->describe(request, false, &slots);
    holder = pool_slot_of(pool, tlb_addr);
    if (slots.nslots > SET_SLOTS || holder < slots.pad_slots ||
        (tlb_addr & (SLOT_SIZE - 1)) != slots.offset)
        return false;
    found.pool = pool;
    found.slot = holder - slots.pad_slots;
    if (found.slot + slots.nslots > pool->nslabs ||
        !pool_run_is_free(pool, found.slot, slots.nslots))
        return false;
    found.area = pool_area_of(pool, found.slot);
    index = found.slot - found.area * pool->area_nslabs + slots.nslots;
    found.next =
        move_cursor ? (index < pool->area_nslabs ? index : 0) : pool->areas[found.area].index;
    map_found(mem, request, false, mem->growth != NULL, &slots, &found, &ignored);
    return true;
}

bool bounce_swiotlb_area_at(const struct bounce_swiotlb *mem, uint64_t tlb_addr,
                            struct bounce_area_state *out)
{
    /* Reads only; the pool is looked up in the same way for both. */
    const struct pool *pool = pool_at((struct bounce_swiotlb *)mem, tlb_addr);
    uint32_t area;

    if (!pool)
        return false;
    area = pool_area_of(pool, pool_slot_of(pool, tlb_addr));
    out->start = pool_address_of(pool, area * pool->area_nslabs);
    out->cursor = pool->areas[area].index;
    return true;
}

void bounce_swiotlb_set_cursor_at(struct bounce_swiotlb *mem, uint64_t tlb_addr, uint32_t cursor)
{
    struct pool *pool = pool_at(mem, tlb_addr);

    if (pool && cursor < pool->area_nslabs)
        pool->areas[pool_area_of(pool, pool_slot_of(pool, tlb_addr))].index = cursor;
}

bool bounce_swiotlb_map_as(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                           uint64_t tlb_addr, struct bounce_area_state *before)
{
    struct slot_found found = {.slot = NO_SLOT};
    struct bounce_map_result ignored;
    struct slot_request slots;

    if (!mem->policy->find || !bounce_swiotlb_area_at(mem, tlb_addr, before))
        return false;
    if (mem->policy->map_as && mem->policy->map_as(mem, request, tlb_addr))
        return true;
    mem->policy->describe(request, false, &slots);
    mem->policy->find(mem, request, &slots, &found);
    if (found.slot == NO_SLOT ||
        pool_address_of(found.pool, found.slot + slots.pad_slots) + slots.offset != tlb_addr)
        return false;
    map_found(mem, request, false, mem->growth != NULL, &slots, &found, &ignored);
    return true;
}

void bounce_swiotlb_aim(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                        uint64_t tlb_addr)
{
    struct pool *pool = pool_at(mem, tlb_addr);
    struct slot_request slots;
    uint32_t slot;

    if (!pool)
        return;
    mem->policy->describe(request, false, &slots);
    slot = pool_slot_of(pool, tlb_addr);
    if (slot < slots.pad_slots)
        return;
    slot -= slots.pad_slots;
    pool->areas[pool_area_of(pool, slot)].index = slot % pool->area_nslabs;
}

/* ---- pools that come and go as they were recorded to ---- */

enum bounce_status bounce_swiotlb_add_pool(struct bounce_swiotlb *mem, uint64_t start,
                                           uint64_t nslabs, uint32_t nareas, uint32_t newer)
{
    struct pool *pool;
    enum bounce_status status;

    if (!mem->growth || !nslabs || nslabs > BOUNCE_MAX_GROWN_NSLABS || start % PAGE_SIZE_4K ||
        start > UINT64_MAX / 2 || !is_power_of_2(nareas) || nslabs % nareas)
        return BOUNCE_INVALID;
    status = growth_add_pool(mem->growth, start, (uint32_t)nslabs, nareas, newer, &pool);
    if (status)
        return status;
    mem->counts.nslabs += pool->nslabs;
    mem->counts.pools++;
    mem->counts.free_segments += pool->free_sets;
    return BOUNCE_OK;
}

bool bounce_swiotlb_remove_pool(struct bounce_swiotlb *mem, uint64_t start)
{
    uint32_t nslabs, free_sets;

    if (!mem->growth || !growth_remove_pool(mem->growth, start, &nslabs, &free_sets))
        return false;
    mem->counts.nslabs -= nslabs;
    mem->counts.pools--;
    mem->counts.free_segments -= free_sets;
    return true;
}

void bounce_swiotlb_map_recorded(struct bounce_swiotlb *mem,
                                 const struct bounce_map_request *request, uint64_t transient_addr,
                                 struct bounce_map_result *result)
{
    struct slot_found found = {.slot = NO_SLOT};
    struct slot_request slots;

    mem->policy->describe(request, false, &slots);
    if (mem->pool)
        mem->policy->find(mem, request, &slots, &found);
    if (found.slot == NO_SLOT && transient_addr && slots.nslots <= SET_SLOTS && !slots.pad_slots) {
        struct pool *pool =
            growth_place_transient(mem->growth, transient_addr - slots.offset, slots.nslots);

        if (pool)
            linux_6_12_search_area(pool, 0, &slots, &found);
        if (pool && found.slot == NO_SLOT)
            growth_remove_transient(mem->growth, pool);
    }
    if (found.slot == NO_SLOT)
        map_failed(mem, &slots, &found, result);
    else
        map_found(mem, request, false, mem->growth != NULL, &slots, &found, result);
}

uint64_t bounce_swiotlb_holder(const struct bounce_swiotlb *mem, uint64_t tlb_addr)
{
    const struct pool *pool = pool_at((struct bounce_swiotlb *)mem, tlb_addr);
    uint32_t slot, holder;

    if (!pool)
        return 0;
    slot = pool_slot_of(pool, tlb_addr);
    if (pool_run_is_free(pool, slot, 1))
        return 0;
    /* Padding slots come before the slot that holds the address. */
    for (uint32_t ahead = 0; ahead < SET_SLOTS && slot + ahead < pool->nslabs; ahead++) {
        holder = pool_holder_of(pool, slot + ahead);
        if (holder != NO_SLOT)
            return pool_address_of(pool, holder) + pool->meta[holder].offset;
    }
    return 0;
}
