/* SPDX-License-Identifier: Apache-2.0 */
/* The recorded allocator, one step forth and back. */
#include "order_state.h"

#include <string.h>

#define PAGE UINT64_C(4096)

struct bounce_map_request order_request(const struct bounce_order *order,
                                        const struct bounce_event *event)
{
    return (struct bounce_map_request){
        .device = &order->devices[event->device],
        .orig_addr = event->orig_addr,
        .size = event->size,
        .alloc_align_mask = event->alloc_align_mask,
        .cpu = event->cpu,
    };
}

void order_peek(struct bounce_order *order, const struct bounce_event *event,
                struct bounce_map_result *result)
{
    struct bounce_map_request request = order_request(order, event);

    bounce_swiotlb_peek(order->mem, &request, result);
}

/* The pool that came for another map but holds this one's address too, and is not there yet. */
static struct grown *awaited_pool(struct bounce_order *order, const struct bounce_event *event)
{
    for (uint32_t i = order->ngrown; i-- > 0;) {
        struct grown *grown = &order->grown[i];

        if (!grown->added && !grown->gone &&
            event->tlb_addr - grown->what.start < grown->what.nslabs << BOUNCE_SLOT_SHIFT)
            return grown;
    }
    return NULL;
}

bool order_is_elsewhere(struct bounce_order *order, const struct bounce_event *event)
{
    struct bounce_area_state area;

    return order->growing && !bounce_swiotlb_area_at(order->mem, event->tlb_addr, &area) &&
           !awaited_pool(order, event);
}

bool order_may_be_transient(struct bounce_order *order, const struct bounce_event *event)
{
    uint64_t mask = order->devices[event->device].min_align_mask;
    uint64_t offset = event->orig_addr & mask & SLOT_MASK;
    uint64_t slots = (event->size + offset + SLOT_MASK) >> BOUNCE_SLOT_SHIFT;
    uint64_t block = PAGE;

    if (slots > BOUNCE_SEGMENT_SLOTS || (event->orig_addr & mask) > SLOT_MASK)
        return false;
    while (block < slots << BOUNCE_SLOT_SHIFT)
        block *= 2;
    return (event->tlb_addr & (block - 1)) == offset;
}

static bool give_pool(struct bounce_order *order, struct grown *grown)
{
    const struct bounce_order_grown *what = &grown->what;

    grown->added =
        !bounce_swiotlb_add_pool(order->mem, what->start, what->nslabs, what->nareas, what->newer);
    return grown->added;
}

static void take_pool(struct bounce_order *order, struct grown *grown)
{
    bounce_swiotlb_remove_pool(order->mem, grown->what.start);
    grown->added = false;
}

/* Whatever is free, a device gets no slots that reach across its boundary: without a look at a
 * whole pool for each try of a map that contradicts its device. */
static bool is_out_of_the_question(const struct bounce_order *order,
                                   const struct bounce_event *event)
{
    uint64_t beyond = ~(order->devices[event->device].seg_boundary | SLOT_MASK);
    uint64_t last = event->tlb_addr + (event->size ? event->size - 1 : 0);

    return ((event->tlb_addr ^ last) & beyond) != 0;
}

static bool gives_address(struct bounce_order *order, const struct bounce_event *event)
{
    struct grown *grown = order->growing ? awaited_pool(order, event) : NULL;
    struct bounce_map_result result;
    bool gives;

    if (grown && !give_pool(order, grown))
        return false;
    order_peek(order, event, &result);
    gives = result.outcome == BOUNCE_MAP_OK && result.tlb_addr == event->tlb_addr;
    if (grown)
        take_pool(order, grown);
    else if (!gives && order->growing && result.outcome != BOUNCE_MAP_OK)
        gives = order_is_elsewhere(order, event) && order_may_be_transient(order, event);
    return gives;
}

bool order_answers(struct bounce_order *order, const struct bounce_event *event)
{
    struct bounce_map_result result;

    switch ((enum bounce_recorded)event->recorded) {
    case BOUNCE_RECORDED_ADDRESS:
        return !is_out_of_the_question(order, event) && gives_address(order, event);
    case BOUNCE_RECORDED_OK:
        if (order->growing)
            return true;
        order_peek(order, event, &result);
        return result.outcome == BOUNCE_MAP_OK;
    case BOUNCE_RECORDED_FULL:
        order_peek(order, event, &result);
        return result.outcome != BOUNCE_MAP_OK;
    case BOUNCE_RECORDED_NOTHING:
    case BOUNCE_RECORDED_DIRECT:
    case BOUNCE_RECORDED_TRIED:
    case BOUNCE_RECORDED_BOUNCES:
        break;
    }
    return true;
}

static struct placed *begin_mapping(struct bounce_order *order, const struct bounce_event *event,
                                    uint64_t tlb_addr)
{
    struct placed *p = &order->placed[event->handle];

    p->tlb_addr = tlb_addr;
    p->orig_addr = event->orig_addr;
    p->size = event->size;
    p->pad = (uint32_t)order_pad_of(order, event);
    p->device = event->device;
    p->live = p->hidden = false;
    order_note_handle(order, tlb_addr, event->handle);
    return p;
}

/* `cursor`: of its area, before it was taken. */
static void was_taken(struct bounce_order *order, struct step *step, struct placed *p,
                      uint32_t cursor)
{
    step->cursor = cursor;
    step->moves_cursor = true;
    if (order->gap)
        order_note_area(order, p->tlb_addr);
    if (!p->live)
        return;
    step->tlb_addr = held_at(order, step->place)->tlb_addr = p->tlb_addr;
    order_note_slots(order, p->tlb_addr - p->pad, p->tlb_addr + p->size);
}

static void take(struct bounce_order *order, struct step *step, const struct bounce_event *event,
                 uint64_t tlb_addr)
{
    struct bounce_map_request request = order_request(order, event);
    struct placed *p = begin_mapping(order, event, tlb_addr);
    struct bounce_area_state area;

    if (!bounce_swiotlb_area_at(order->mem, tlb_addr, &area))
        return;
    if (step->flags & BOUNCE_EVENT_CURSOR)
        bounce_swiotlb_aim(order->mem, &request, tlb_addr);
    p->live = bounce_swiotlb_place(order->mem, &request, tlb_addr, true);
    was_taken(order, step, p, area.cursor);
}

/* ---- lists that fail ---- */

/* They give back what they had, in order; what the records tell of goes on as another attempt. */
uint64_t order_next_release(struct bounce_order *order, uint64_t fail)
{
    uint64_t found = NO_PLACE, at = held_at(order, fail)->list_prev;

    while (at != NO_PLACE && order->tail - at < ORDER_WINDOW) {
        const struct held *entry = held_at(order, at);

        if (!entry->done || (entry->released_by != NO_PLACE && entry->released_by != fail) ||
            entry->failed)
            break;
        if (entry->released_by == NO_PLACE)
            found = at;
        at = entry->list_prev;
    }
    return found;
}

static void begin_release(struct bounce_order *order, uint64_t fail)
{
    if (order->nreleasing < RELEASING_MAX)
        order->releasing[order->nreleasing++] = fail;
}

static void end_release(struct bounce_order *order, uint64_t fail)
{
    for (uint32_t i = 0; i < order->nreleasing; i++)
        if (order->releasing[i] == fail) {
            order->nreleasing--;
            memmove(order->releasing + i, order->releasing + i + 1,
                    (order->nreleasing - i) * sizeof(*order->releasing));
            return;
        }
}

static bool is_releasing(const struct bounce_order *order, uint64_t fail)
{
    for (uint32_t i = 0; i < order->nreleasing; i++)
        if (order->releasing[i] == fail)
            return true;
    return false;
}

static void fail_list(struct bounce_order *order, struct step *step)
{
    held_at(order, step->place)->failed = true;
    step->released = order_next_release(order, step->place) != NO_PLACE;
    if (step->released)
        begin_release(order, step->place);
}

static void do_release(struct bounce_order *order, const struct step *step)
{
    struct held *entry = held_at(order, step->place);

    entry->released_by = step->fail;
    if (entry->tlb_addr)
        bounce_swiotlb_unmap(order->mem, &order->devices[entry->event.device], entry->tlb_addr);
    order->placed[entry->event.handle].live = false;
    if (order_next_release(order, step->fail) == NO_PLACE)
        end_release(order, step->fail);
}

static void undo_release(struct bounce_order *order, const struct step *step)
{
    struct held *entry = held_at(order, step->place);
    struct bounce_map_request request = order_request(order, &entry->event);

    entry->released_by = NO_PLACE;
    if (entry->tlb_addr)
        order->placed[entry->event.handle].live =
            bounce_swiotlb_place(order->mem, &request, entry->tlb_addr, false);
    if (!is_releasing(order, step->fail))
        begin_release(order, step->fail);
}

struct step *order_release(struct bounce_order *order, uint64_t fail, uint64_t entry)
{
    struct step *step = step_at(order, order->log_tail++);

    *step = (struct step){.place = entry, .fail = fail, .kind = STEP_RELEASE};
    do_release(order, step);
    return step;
}

void order_release_all(struct bounce_order *order, uint64_t fail)
{
    uint64_t entry;

    while ((entry = order_next_release(order, fail)) != NO_PLACE)
        order_release(order, fail, entry);
}

/* ---- maps ---- */

static void do_map(struct bounce_order *order, struct step *step, const struct bounce_event *event)
{
    bool of_list = event->flags & BOUNCE_EVENT_LIST_OPEN;
    struct bounce_map_result result;

    held_at(order, step->place)->tlb_addr = 0;
    held_at(order, step->place)->failed = false;
    order->placed[event->handle].live = false;
    if (event->recorded == BOUNCE_RECORDED_FULL) {
        if (of_list)
            fail_list(order, step);
        return;
    }
    if (event->recorded == BOUNCE_RECORDED_ADDRESS) {
        struct grown *grown = order->growing ? awaited_pool(order, event) : NULL;

        if (grown && give_pool(order, grown))
            step->grown = (uint16_t)(grown - order->grown + 1);
        else if (order->growing && order_is_elsewhere(order, event))
            step->flags |= BOUNCE_EVENT_TRANSIENT;
        take(order, step, event, event->tlb_addr);
        return;
    }
    order_peek(order, event, &result);
    if (result.outcome == BOUNCE_MAP_OK)
        take(order, step, event, result.tlb_addr);
    else if (of_list && !order->growing)
        fail_list(order, step);
}

static void undo_map(struct bounce_order *order, const struct step *step,
                     const struct bounce_event *event)
{
    if (step->released)
        end_release(order, step->place);
    if (step->tlb_addr) {
        bounce_swiotlb_unmap(order->mem, &order->devices[event->device], step->tlb_addr);
        order->placed[event->handle].live = false;
    }
    if (step->moves_cursor)
        bounce_swiotlb_set_cursor_at(order->mem, step->tlb_addr ? step->tlb_addr : event->tlb_addr,
                                     step->cursor);
    if (step->grown)
        take_pool(order, &order->grown[step->grown - 1]);
}

/* ---- what was mapped before its record would tell ---- */

static void hold(struct bounce_order *order, const struct bounce_event *event, uint32_t handle,
                 uint64_t tlb_addr)
{
    struct bounce_map_request request = {
        .device = &order->devices[event->device], .orig_addr = tlb_addr, .size = event->size};
    struct placed *p = &order->placed[handle];

    p->tlb_addr = p->orig_addr = tlb_addr;
    p->pad = 0;
    p->size = event->size;
    p->device = event->device;
    p->live = bounce_swiotlb_place(order->mem, &request, tlb_addr, false);
    p->hidden = event->flags & BOUNCE_EVENT_IMPLIED;
    order_note_handle(order, tlb_addr, handle);
    order_note_slots(order, tlb_addr, tlb_addr + event->size);
}

/* ---- unmaps ---- */

static void do_unmap(struct bounce_order *order, struct step *step, uint32_t handle)
{
    struct placed *p = &order->placed[handle];

    if (!p->live)
        return;
    step->tlb_addr = p->tlb_addr;
    step->orig_addr = p->orig_addr;
    step->size = p->size;
    step->hidden = p->hidden;
    bounce_swiotlb_unmap(order->mem, &order->devices[p->device], p->tlb_addr);
    p->live = false;
}

/* Puts back what the step gave back. */
static void undo_free(struct bounce_order *order, const struct step *step, uint32_t handle,
                      uint16_t device)
{
    struct bounce_map_request request = {
        .device = &order->devices[device], .orig_addr = step->orig_addr, .size = step->size};
    struct placed *p = &order->placed[handle];

    if (!step->tlb_addr)
        return;
    p->tlb_addr = step->tlb_addr;
    p->orig_addr = step->orig_addr;
    p->size = step->size;
    p->device = device;
    p->hidden = step->hidden;
    p->live = bounce_swiotlb_place(order->mem, &request, p->tlb_addr, false);
}

/* ---- steps ---- */

static void restart(struct bounce_order *order)
{
    bounce_swiotlb_restart(order->mem);
    for (uint32_t h = 0; h < order->room; h++)
        order->placed[h].live = false;
    order->gap = false;
    order->nreleasing = 0;
    for (uint32_t i = 0; i < order->ngrown; i++) {
        order->grown[i].added = false;
        order->grown[i].gone = true;
    }
}

void order_do(struct bounce_order *order, struct step *step)
{
    const struct bounce_event *event = &held_at(order, step->place)->event;

    step->tlb_addr = 0;
    step->grown = 0;
    step->moves_cursor = step->released = false;
    if (step->kind == STEP_HOLD) {
        hold(order, event, step->handle, event->tlb_addr);
        return;
    }
    if (step->kind == STEP_RELEASE) {
        do_release(order, step);
        return;
    }
    held_at(order, step->place)->done = true;
    if (event->kind == BOUNCE_EVENT_RESTART) {
        step->fixed = true;
        restart(order);
    } else if (event->kind == BOUNCE_EVENT_UNMAP) {
        do_unmap(order, step, event->handle);
        if (event->flags & BOUNCE_EVENT_UNMATCHED)
            order_note_slots(order, event->tlb_addr, event->tlb_addr + event->size);
    } else if (event->flags & BOUNCE_EVENT_HELD) {
        step->fixed = true;
        hold(order, event, event->handle, event->tlb_addr);
    } else if (tells_outcome(event)) {
        do_map(order, step, event);
    }
}

void order_undo(struct bounce_order *order, const struct step *step)
{
    const struct bounce_event *event = &held_at(order, step->place)->event;

    if (step->kind == STEP_HOLD || step->kind == STEP_HIDDEN) {
        struct placed *p = &order->placed[step->handle];

        if (p->live)
            bounce_swiotlb_unmap(order->mem, &order->devices[event->device], p->tlb_addr);
        p->live = false;
        return;
    }
    if (step->kind == STEP_RELEASE) {
        undo_release(order, step);
        return;
    }
    if (step->kind == STEP_DROP) {
        undo_free(order, step, step->handle, step->device);
        return;
    }
    held_at(order, step->place)->done = false;
    if (event->kind == BOUNCE_EVENT_UNMAP)
        undo_free(order, step, event->handle, event->device);
    else if (tells_outcome(event))
        undo_map(order, step, event);
}

struct step *order_log(struct bounce_order *order, uint64_t place, uint16_t flags)
{
    struct step *step = step_at(order, order->log_tail++);

    *step = (struct step){.place = place, .flags = flags};
    order_do(order, step);
    if (step->fixed)
        order->log_base = order->log_tail;
    if (step->released && !order->searching)
        order_release_all(order, place);
    return step;
}

bool order_map_as_recorded(struct bounce_order *order, uint64_t place)
{
    struct held *held = held_at(order, place);
    const struct bounce_event *event = &held->event;
    struct bounce_map_request request = order_request(order, event);
    struct bounce_area_state area;
    struct placed *p;
    struct step *step;

    if (is_out_of_the_question(order, event) ||
        !bounce_swiotlb_map_as(order->mem, &request, event->tlb_addr, &area))
        return false;
    step = step_at(order, order->log_tail++);
    *step = (struct step){.place = place};
    held->done = true;
    held->failed = false;
    p = begin_mapping(order, event, event->tlb_addr);
    p->live = true;
    was_taken(order, step, p, area.cursor);
    return true;
}

void order_rewind(struct bounce_order *order, uint64_t from)
{
    while (order->log_tail > from)
        order_undo(order, step_at(order, --order->log_tail));
}
