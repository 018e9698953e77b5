/* SPDX-License-Identifier: Apache-2.0 */
/* The search of Linux 6.0 to 6.5, read in kernel/dma/swiotlb.c of 6.1.192: swiotlb_do_find_slots(),
 * swiotlb_tbl_map_single(), swiotlb_release_slots(). No padding slots; the cursor is rounded up to
 * the stride before the search; the search ends only where it began, and there are requests for
 * which it never comes back there. */
#include "map_slots.h"

#define max_u32(a, b) ((a) > (b) ? (a) : (b))

static void describe(const struct bounce_map_request *request, bool alloc,
                     struct slot_request *slots)
{
    uint32_t align = request->alloc_align_mask;

    slots->boundary_mask = request->device->seg_boundary;
    slots->min_align_mask = request->device->min_align_mask;
    if (alloc) {
        request_describe_alloc(request, slots);
        return;
    }
    /* The IOMMU layer has rounded the size; the offset within a slot comes on top. */
    slots->orig_addr = request->orig_addr;
    slots->alloc_align_mask = align;
    slots->pad_slots = 0;
    slots->offset = (uint32_t)request->orig_addr & slots->min_align_mask & (SLOT_SIZE - 1);
    slots->alloc_size = ((request->size + align) & ~(uint64_t)align) + slots->offset;
    slots->nslots = request_nslots(slots->alloc_size);
}

/* What is fixed for one request in one pool. */
struct search {
    uint32_t nslots;
    uint32_t stride;
    uint32_t keep; /* slot-number bits that must equal the original's */
    uint32_t keep_value;
    uint64_t boundary_slots;
    uint64_t dma_base; /* DMA slot number of the pool's first slot, counted from a boundary */
};

static void prepare(const struct pool *pool, const struct slot_request *slots, struct search *s)
{
    uint32_t align = slots->alloc_align_mask | (SLOT_SIZE - 1);
    uint32_t keep = slots->min_align_mask & ~align;

    s->nslots = slots->nslots;
    s->stride = (keep >> BOUNCE_SLOT_SHIFT) + 1;
    if (slots->alloc_size >= PAGE_SIZE_4K)
        s->stride <<= PAGE_SHIFT - BOUNCE_SLOT_SHIFT;
    s->stride = max_u32(s->stride, (align >> BOUNCE_SLOT_SHIFT) + 1);
    s->keep = slots->orig_addr ? keep >> BOUNCE_SLOT_SHIFT : 0;
    s->keep_value = (uint32_t)(slots->orig_addr >> BOUNCE_SLOT_SHIFT) & s->keep;
    s->boundary_slots = pool_boundary_slots(slots->boundary_mask);
    s->dma_base = pool_dma_base(pool, slots->boundary_mask);
}

static bool spans_boundary(const struct search *s, uint64_t dma_slot)
{
    return (dma_slot & (s->boundary_slots - 1)) + s->nslots > s->boundary_slots;
}

/* A free run is there and no boundary within it. */
static bool serves(const struct pool *pool, uint32_t slot, const struct search *s)
{
    return s->nslots <= SET_SLOTS && !spans_boundary(s, s->dma_base + slot) &&
           pool_run_is_free(pool, slot, s->nslots);
}

/* Step by step, as there. Where a step leads depends on where it starts alone, so a walk that has
 * taken more steps than the area has slots without coming back never will. */
static void search_area(struct pool *pool, uint32_t area, const struct slot_request *slots,
                        struct slot_found *found)
{
    uint32_t n = pool->area_nslabs, base = area * n, index, wrap;
    struct search s;

    found->locks++;
    if (slots->nslots > n - pool->areas[area].used)
        return;
    prepare(pool, slots, &s);
    /* As ALIGN() does it there, also when the stride is no power of two. */
    index = (pool->areas[area].index + s.stride - 1) & ~(s.stride - 1);
    index = wrap = index < n ? index : 0;
    for (uint32_t steps = 0; steps <= n; steps++) {
        uint32_t step = 1;

        found->probes++;
        if (((uint32_t)(s.dma_base + base + index) & s.keep) == s.keep_value) {
            if (serves(pool, base + index, &s)) {
                found->pool = pool;
                found->area = area;
                found->slot = base + index;
                found->next = index + s.nslots < n ? index + s.nslots : 0;
                return;
            }
            step = s.stride;
        }
        index = index + step < n ? index + step : 0;
        if (index == wrap)
            return;
    }
    found->lockup = true;
}

static void run_shape(struct pool *pool, uint32_t area, const struct slot_request *slots,
                      struct run_shape *run)
{
    struct search s;

    prepare(pool, slots, &s);
    run->nslots = s.nslots;
    run->period = s.keep ? 2u << log2_floor(s.keep) : 1;
    run->phase = s.dma_base + (uint64_t)area * pool->area_nslabs;
    run->residue = (uint32_t)(s.keep_value - run->phase) & (run->period - 1);
    run->boundary_slots = pool_is_spanned(pool, slots->boundary_mask) ? s.boundary_slots : 0;
}

static void find(struct bounce_swiotlb *mem, const struct bounce_map_request *request,
                 const struct slot_request *slots, struct slot_found *found)
{
    struct pool *pool = mem->pool;
    uint32_t start = request->cpu & (pool->nareas - 1), area = start;

    do {
        search_area(pool, area, slots, found);
        if (found->slot != NO_SLOT || found->lockup)
            return;
        area = (area + 1) & (pool->nareas - 1);
    } while (area != start);
}

static void map(struct bounce_swiotlb *mem, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result)
{
    struct slot_request slots;

    describe(request, alloc, &slots);
    map_slots(mem, request, alloc, false, &slots, find, result);
}

const struct bounce_policy policy_linux_6_1 = {
    .map = map,
    .find = find,
    .describe = describe,
    .run_shape = run_shape,
    .strict_sync = true,
};
