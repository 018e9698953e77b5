/* SPDX-License-Identifier: Apache-2.0 */
/* Where records are missing, the pool goes on without us: cursors move, mappings are made whose
 * unmaps come later without a map, or never. */
#include "order_state.h"

#include <stdlib.h>
#include <string.h>

#define HIDDEN_AT_ONCE 1024u
#define HIDDEN_MOST    8192u
#define SLOT_BYTES     (UINT64_C(1) << BOUNCE_SLOT_SHIFT)

void order_begin_gap(struct bounce_order *order)
{
    size_t words = (size_t)(order->default_nslabs / 64 + 1);

    order->gap = true;
    order->nknown = 0;
    order->hidden_credit =
        (int64_t)(order->default_nslabs < HIDDEN_MOST ? order->default_nslabs : HIDDEN_MOST);
    if (order->seen)
        memset(order->seen, 0, words * sizeof(*order->seen));
    else
        order->seen = calloc(words, sizeof(*order->seen)); /* without it, less is explained */
}

/* ---- slots of which nothing was heard ---- */

static uint64_t slot_of(const struct bounce_order *order, uint64_t addr)
{
    return addr < order->first_start ? UINT64_MAX
                                     : (addr - order->first_start) >> BOUNCE_SLOT_SHIFT;
}

void order_note_slots(struct bounce_order *order, uint64_t from, uint64_t to)
{
    if (!order->gap || !order->seen)
        return;
    for (uint64_t slot = slot_of(order, from);
         slot < order->default_nslabs && (slot << BOUNCE_SLOT_SHIFT) + order->first_start < to;
         slot++)
        order->seen[slot / 64] |= UINT64_C(1) << slot % 64;
}

static bool covers(const struct bounce_event *event, uint64_t addr)
{
    return event->kind == BOUNCE_EVENT_MAP && event->recorded == BOUNCE_RECORDED_ADDRESS &&
           event->tlb_addr < addr + SLOT_BYTES && event->tlb_addr + event->size > addr;
}

/* Whether a map that may have come before `map` takes it: then the order is to blame. */
static bool is_taken_before(struct bounce_order *order, const struct bounce_event *map,
                            uint64_t addr)
{
    for (size_t i = 0; i < order->nput_off; i++)
        if (covers(&held_at(order, order->put_off[i])->event, addr))
            return true;
    for (uint64_t place = order->head; place < order->tail; place++) {
        const struct bounce_event *event = &held_at(order, place)->event;

        if (event->kind == BOUNCE_EVENT_RESTART || event->seq > map->bound_seq)
            break;
        if (covers(event, addr))
            return true;
    }
    return false;
}

/* The first slot of [from, to) that somebody may hold of whom no record tells; 0: none. */
static uint64_t hidden_slot(struct bounce_order *order, const struct bounce_event *map,
                            uint64_t from, uint64_t to)
{
    for (uint64_t addr = from; addr < to; addr += SLOT_BYTES) {
        uint64_t slot = slot_of(order, addr);

        if (slot < order->default_nslabs && !(order->seen[slot / 64] >> slot % 64 & 1) &&
            !is_taken_before(order, map, addr))
            return addr;
    }
    return 0;
}

static bool is_known(const struct bounce_order *order, uint64_t area)
{
    for (uint32_t i = 0; i < order->nknown; i++)
        if (order->known_areas[i] == area)
            return true;
    return order->nknown == KNOWN_AREAS;
}

void order_note_area(struct bounce_order *order, uint64_t tlb_addr)
{
    struct bounce_area_state area;

    if (bounce_swiotlb_area_at(order->mem, tlb_addr, &area) && !is_known(order, area.start))
        order->known_areas[order->nknown++] = area.start;
}

/* With the cursor right there, the search would end there. */
static bool explain_by_cursor(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    struct bounce_map_request request = order_request(order, map);
    struct bounce_area_state area;
    bool explains;

    if (map->recorded != BOUNCE_RECORDED_ADDRESS || !order->gap ||
        !bounce_swiotlb_area_at(order->mem, map->tlb_addr, &area) || is_known(order, area.start))
        return false;
    bounce_swiotlb_aim(order->mem, &request, map->tlb_addr);
    explains = order_answers(order, map);
    bounce_swiotlb_set_cursor_at(order->mem, map->tlb_addr, area.cursor);
    if (explains)
        order->stats.cursors++;
    return explains;
}

/* An unmap without a map, at hand, whose slots the allocator would give away now. */
static uint64_t find_unmatched(struct bounce_order *order, uint64_t from, uint64_t to)
{
    for (uint64_t place = order->head; place < order->tail; place++) {
        const struct held *held = held_at(order, place);
        const struct bounce_event *event = &held->event;

        if (event->kind == BOUNCE_EVENT_RESTART)
            break;
        if (!held->done && (event->flags & BOUNCE_EVENT_UNMATCHED) &&
            event->handle >= BOUNCE_HELD_MAX && event->tlb_addr < to &&
            event->tlb_addr + event->size > from)
            return place;
    }
    return NO_PLACE;
}

static bool find_handle(struct bounce_order *order, uint32_t *handle)
{
    for (uint32_t i = BOUNCE_HELD_TOLD; i < BOUNCE_HELD_MAX; i++) {
        *handle = order->next_held;
        order->next_held =
            order->next_held + 1 < BOUNCE_HELD_MAX ? order->next_held + 1 : BOUNCE_HELD_TOLD;
        if (!order->placed[*handle].live)
            return true;
    }
    return false;
}

/* What the allocator would give away although its unmap is still to come was mapped all the time.
 */
static bool find_out(struct bounce_order *order, const struct bounce_event *map)
{
    struct bounce_map_result result;
    uint64_t from, place;
    uint32_t handle;
    struct step *step;

    if (!order->unmatched)
        return false;
    order_peek(order, map, &result);
    if (result.outcome != BOUNCE_MAP_OK)
        return false;
    from = result.tlb_addr & ~UINT64_C(0x7ff);
    place = find_unmatched(order, from, from + ((uint64_t)result.slots << BOUNCE_SLOT_SHIFT));
    if (place == NO_PLACE || !find_handle(order, &handle))
        return false;
    held_at(order, place)->event.handle = handle;
    step = step_at(order, order->log_tail++);
    *step = (struct step){.place = place, .kind = STEP_HOLD, .handle = handle, .fixed = true};
    order_do(order, step);
    order->log_base = order->log_tail;
    if (!order->placed[handle].live)
        return false;
    order->stats.found_out++;
    return true;
}

static bool take_hidden(struct bounce_order *order, const struct bounce_event *map, uint64_t addr,
                        uint32_t *handle)
{
    struct bounce_map_request request = {.device = &order->devices[map->device],
                                         .size = SLOT_BYTES};
    struct placed *p;

    if (!find_handle(order, handle) || !bounce_swiotlb_place(order->mem, &request, addr, false))
        return false;
    p = &order->placed[*handle];
    *p = (struct placed){.tlb_addr = addr,
                         .size = SLOT_BYTES,
                         .list_last = NO_PLACE,
                         .device = map->device,
                         .live = true,
                         .hidden = true};
    return true;
}

/* Free slots that the search passed over on its way to the recorded address were not free: they
 * belong to mappings from before the gap that have not ended since. */
static bool explain_by_hidden(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    uint64_t from = order->log_tail, room = ORDER_LOG - ORDER_LOG / 8;
    struct bounce_map_result result;
    bool explains = false;

    if (!order->gap || !order->seen || order->hidden_credit <= 0 ||
        map->recorded != BOUNCE_RECORDED_ADDRESS)
        return false;
    while (!explains && order->log_tail - from < HIDDEN_AT_ONCE &&
           order->log_tail - order->log_head < room) {
        uint64_t addr, hidden;
        uint32_t handle;

        order_peek(order, map, &result);
        if (result.outcome != BOUNCE_MAP_OK)
            break;
        explains = result.tlb_addr == map->tlb_addr;
        if (explains)
            break;
        addr = result.tlb_addr & ~(SLOT_BYTES - 1);
        hidden =
            hidden_slot(order, map, addr, addr + ((uint64_t)result.slots << BOUNCE_SLOT_SHIFT));
        if (!hidden || !take_hidden(order, map, hidden, &handle))
            break;
        *step_at(order, order->log_tail++) = (struct step){.place = place,
                                                           .kind = STEP_HIDDEN,
                                                           .handle = handle,
                                                           .tlb_addr = hidden,
                                                           .fixed = true};
    }
    if (!explains) {
        order->hidden_credit -= (int64_t)(order->log_tail - from) + 1;
        order_rewind(order, from);
        return false;
    }
    for (uint64_t i = from; i < order->log_tail; i++) {
        uint64_t addr = step_at(order, i)->tlb_addr;

        order_note_slots(order, addr, addr + SLOT_BYTES);
    }
    order->stats.hidden += order->log_tail - from;
    order->stats.by_hidden++;
    order->log_base = order->log_tail;
    return true;
}

bool order_explain_gap(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    bool explains = false, by_cursor = false;

    /* What has their slots now tells that they have ended without a record. */
    if (order->gap && map->recorded == BOUNCE_RECORDED_ADDRESS)
        order_clear_slots(order, place, true);
    do {
        explains = order_answers(order, map);
        by_cursor = !explains && explain_by_cursor(order, place);
    } while (!explains && !by_cursor && find_out(order, map));
    explains = explains || (!by_cursor && explain_by_hidden(order, place));
    if (!explains && !by_cursor)
        return false;
    order->stats.explained++;
    order_log(order, place, by_cursor ? BOUNCE_EVENT_CURSOR : 0);
    if (by_cursor)
        order->log_base = order->log_tail;
    return true;
}
