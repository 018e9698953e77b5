/* SPDX-License-Identifier: Apache-2.0 */
/* Where records are missing, the pool goes on without us: cursors move, mappings are made whose
 * unmaps come later without a map, or never. */
#include "order_state.h"

void order_begin_gap(struct bounce_order *order)
{
    order->gap = true;
    order->nknown = 0;
    order_forget_slots(order);
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

bool order_find_handle(struct bounce_order *order, uint32_t *handle)
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
    if (place == NO_PLACE || !order_find_handle(order, &handle))
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
    explains = explains || (!by_cursor && order_explain_hidden(order, place));
    if (!explains && !by_cursor)
        return false;
    order->stats.explained++;
    order_log(order, place, by_cursor ? BOUNCE_EVENT_CURSOR : 0);
    if (by_cursor)
        order->log_base = order->log_tail;
    return true;
}
