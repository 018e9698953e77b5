/* SPDX-License-Identifier: Apache-2.0 */
/* Slots that belong to mappings from before a gap of which no record ever tells: a search of the
 * recorded kernel passed over them. */
#include "order_state.h"

#include <stdlib.h>
#include <string.h>

#define HIDDEN_AT_ONCE 1024u
#define HIDDEN_MOST    8192u
#define SLOT_BYTES     (UINT64_C(1) << BOUNCE_SLOT_SHIFT)

void order_forget_slots(struct bounce_order *order)
{
    size_t words = (size_t)(order->default_nslabs / 64 + 1);

    order->hidden_credit =
        (int64_t)(order->default_nslabs < HIDDEN_MOST ? order->default_nslabs : HIDDEN_MOST);
    if (order->seen)
        memset(order->seen, 0, words * sizeof(*order->seen));
    else
        order->seen = calloc(words, sizeof(*order->seen)); /* without it, less is explained */
}

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

static bool take_hidden(struct bounce_order *order, const struct bounce_event *map, uint64_t addr,
                        uint32_t *handle)
{
    struct bounce_map_request request = {.device = &order->devices[map->device],
                                         .size = SLOT_BYTES};
    struct placed *p;

    if (!order_find_handle(order, handle) ||
        !bounce_swiotlb_place(order->mem, &request, addr, false))
        return false;
    p = &order->placed[*handle];
    *p = (struct placed){.tlb_addr = addr,
                         .size = SLOT_BYTES,
                         .list_last = NO_PLACE,
                         .device = map->device,
                         .live = true,
                         .hidden = true};
    order_note_handle(order, addr, *handle);
    return true;
}

/* Free slots that the search passed over on its way to the recorded address were not free: they
 * belong to mappings from before the gap that have not ended since. */
bool order_explain_hidden(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    uint64_t from = order->log_tail, room = ORDER_LOG - ORDER_LOG / 8;
    struct bounce_map_result result;
    bool explains = false;

    if (!order->gap || !order->seen || order->hidden_credit <= 0 ||
        map->recorded != BOUNCE_RECORDED_ADDRESS)
        return false;
    for (;;) {
        uint64_t addr, hidden;
        uint32_t handle;

        order_peek(order, map, &result);
        explains = result.outcome == BOUNCE_MAP_OK && result.tlb_addr == map->tlb_addr;
        if (explains || result.outcome != BOUNCE_MAP_OK ||
            order->log_tail - from == HIDDEN_AT_ONCE || order->log_tail - order->log_head > room)
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
