/* SPDX-License-Identifier: Apache-2.0 */
/* How the order is found: events are taken as recorded; a map that the allocator would not answer
 * as recorded is put off, and tried again after every change, until the record by which it must
 * have happened. Then two things are tried: that it came before a map of another CPU that has been
 * placed already, and that frees recorded a little later came before it. */
#include "bounce/order.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW      8192u /* events held */
#define WINDOW_MASK (WINDOW - 1)
#define LOOKAHEAD   1024u /* events that must be known beyond the one being placed */
#define PUT_OFF_MAX 256u
#define NO_HANDLE   UINT32_MAX

struct held {
    struct bounce_event event;
    bool done; /* placed before its turn */
};

/* What has been placed, as long as its place may still change. */
struct step {
    struct bounce_event event;
    uint64_t deadline; /* record by which it had happened */
    uint32_t cursor;   /* of the area taken from, before */
    bool moves_cursor;
    bool fixed; /* cannot be undone: a list that failed, another boot */
};

/* A mapping as the recorded pool has it. */
struct placed {
    uint64_t tlb_addr;
    uint64_t orig_addr;
    uint64_t size;
    uint16_t device;
    bool live;
    uint32_t next_in_list;
    uint32_t list_head;
    uint32_t list_tail;
};

struct bounce_order {
    struct bounce_swiotlb *mem;
    const struct bounce_device *devices;
    struct held *window;
    uint64_t head; /* next to be looked at */
    uint64_t tail;
    struct step *log; /* placed, not yet fetched */
    uint64_t log_head;
    uint64_t log_tail;
    uint64_t
        put_off[PUT_OFF_MAX]; /* places in the window of maps to be tried again, oldest first */
    size_t nput_off;
    struct placed *placed; /* by handle */
    uint32_t room;
    struct bounce_order_stats stats;
};

/* ---- creation ---- */

enum bounce_status bounce_order_create(const struct bounce_swiotlb_config *recorded,
                                       struct bounce_order **out, struct bounce_error *error)
{
    struct bounce_order *order = calloc(1, sizeof(*order));
    struct bounce_map_request probe = {.size = 1};
    struct bounce_map_result ignored;
    struct bounce_device device;
    enum bounce_status status;

    if (!order)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    order->window = calloc(WINDOW, sizeof(*order->window));
    order->log = calloc(WINDOW, sizeof(*order->log));
    status = bounce_swiotlb_create(recorded, &order->mem, error);
    if (!status && (!order->window || !order->log))
        status = bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    bounce_device_init(&device, "");
    probe.device = &device;
    if (!status && !bounce_swiotlb_peek(order->mem, &probe, &ignored))
        status = bounce_refuse(error, BOUNCE_INVALID, 0, "the order of %s cannot be reconstructed",
                               recorded->kernel->name);
    if (status) {
        bounce_order_destroy(order);
        return status;
    }
    *out = order;
    return BOUNCE_OK;
}

void bounce_order_destroy(struct bounce_order *order)
{
    if (!order)
        return;
    bounce_swiotlb_destroy(order->mem);
    free(order->window);
    free(order->log);
    free(order->placed);
    free(order);
}

static bool make_room(struct bounce_order *order, uint32_t handle)
{
    uint32_t room = order->room ? order->room : 256;
    struct placed *more;

    while (room <= handle)
        room *= 2;
    more = realloc(order->placed, room * sizeof(*more));
    if (!more)
        return false;
    memset(more + order->room, 0, (room - order->room) * sizeof(*more));
    order->placed = more;
    order->room = room;
    return true;
}

/* ---- the recorded allocator ---- */

static struct held *held_at(struct bounce_order *order, uint64_t place)
{
    return &order->window[place & WINDOW_MASK];
}

static bool tells_outcome(const struct bounce_event *event)
{
    return event->kind == BOUNCE_EVENT_MAP && event->recorded >= BOUNCE_RECORDED_ADDRESS &&
           !(event->flags & BOUNCE_EVENT_HELD);
}

static struct bounce_map_request request_of(const struct bounce_order *order,
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

/* Whether the allocator, as it stands, answers the map as the recorded kernel did. */
static bool answers(struct bounce_order *order, const struct bounce_event *event)
{
    struct bounce_map_request request = request_of(order, event);
    struct bounce_map_result result;

    bounce_swiotlb_peek(order->mem, &request, &result);
    switch ((enum bounce_recorded)event->recorded) {
    case BOUNCE_RECORDED_ADDRESS:
        return result.outcome == BOUNCE_MAP_OK && result.tlb_addr == event->tlb_addr;
    case BOUNCE_RECORDED_OK:
        return result.outcome == BOUNCE_MAP_OK;
    case BOUNCE_RECORDED_FULL:
        return result.outcome != BOUNCE_MAP_OK;
    case BOUNCE_RECORDED_NOTHING:
    case BOUNCE_RECORDED_DIRECT:
    case BOUNCE_RECORDED_TRIED:
    case BOUNCE_RECORDED_BOUNCES:
        break;
    }
    return true;
}

static void free_slots(struct bounce_order *order, uint32_t handle)
{
    struct placed *p = &order->placed[handle];

    if (p->live)
        bounce_swiotlb_unmap(order->mem, &order->devices[p->device], p->tlb_addr);
    p->live = false;
}

/* A list that failed gives back what it had, at once and in order; what its records tell of goes on
 * as another attempt. */
static void follow_list(struct bounce_order *order, const struct bounce_event *event)
{
    struct placed *first = &order->placed[event->list];

    if (event->flags & BOUNCE_EVENT_LIST_FIRST)
        first->list_head = first->list_tail = NO_HANDLE;
    if (!order->placed[event->handle].live) {
        for (uint32_t h = first->list_head; h != NO_HANDLE; h = order->placed[h].next_in_list)
            free_slots(order, h);
        first->list_head = first->list_tail = NO_HANDLE;
        return;
    }
    order->placed[event->handle].next_in_list = NO_HANDLE;
    if (first->list_head == NO_HANDLE)
        first->list_head = event->handle;
    else
        order->placed[first->list_tail].next_in_list = event->handle;
    first->list_tail = event->handle;
}

/* The map takes the slots that the record gives it. */
static void take_slots(struct bounce_order *order, const struct bounce_event *event)
{
    struct bounce_map_request request = request_of(order, event);
    struct placed *p = &order->placed[event->handle];
    struct bounce_map_result result;

    p->device = event->device;
    p->orig_addr = event->orig_addr;
    p->size = event->size;
    p->live = false;
    if (event->recorded == BOUNCE_RECORDED_ADDRESS) {
        p->tlb_addr = event->tlb_addr;
        p->live = bounce_swiotlb_place(order->mem, &request, event->tlb_addr, true);
    } else if (event->recorded != BOUNCE_RECORDED_FULL) {
        bounce_swiotlb_map(order->mem, &request, &result);
        p->tlb_addr = result.tlb_addr;
        p->live = result.outcome == BOUNCE_MAP_OK;
    }
    if (event->flags & BOUNCE_EVENT_LIST_OPEN)
        follow_list(order, event);
}

static void take_back(struct bounce_order *order, uint32_t handle)
{
    struct placed *p = &order->placed[handle];
    struct bounce_map_request request = {
        .device = &order->devices[p->device], .orig_addr = p->orig_addr, .size = p->size};

    p->live = bounce_swiotlb_place(order->mem, &request, p->tlb_addr, false);
}

/* Mapped before the trace began. */
static void hold_slots(struct bounce_order *order, const struct bounce_event *event)
{
    struct placed *p = &order->placed[event->handle];

    *p = (struct placed){.tlb_addr = event->tlb_addr,
                         .orig_addr = event->orig_addr,
                         .size = event->size,
                         .device = event->device};
    take_back(order, event->handle);
}

/* ---- steps that can be undone ---- */

static struct step *step_at(struct bounce_order *order, uint64_t index)
{
    return &order->log[index & WINDOW_MASK];
}

static void do_step(struct bounce_order *order, struct step *step)
{
    const struct bounce_event *event = &step->event;

    step->moves_cursor = false;
    if (event->flags & BOUNCE_EVENT_HELD) {
        step->fixed = true;
        hold_slots(order, event);
    } else if (event->kind == BOUNCE_EVENT_UNMAP) {
        free_slots(order, event->handle);
    } else if (tells_outcome(event)) {
        step->fixed =
            event->recorded != BOUNCE_RECORDED_ADDRESS &&
            (event->recorded != BOUNCE_RECORDED_FULL || (event->flags & BOUNCE_EVENT_LIST_OPEN));
        if (event->recorded == BOUNCE_RECORDED_ADDRESS)
            step->moves_cursor =
                bounce_swiotlb_cursor_at(order->mem, event->tlb_addr, &step->cursor);
        take_slots(order, event);
    }
}

static void undo_step(struct bounce_order *order, const struct step *step)
{
    const struct bounce_event *event = &step->event;

    if (event->kind == BOUNCE_EVENT_UNMAP && step->event.size) {
        take_back(order, event->handle);
    } else if (tells_outcome(event) && event->recorded == BOUNCE_RECORDED_ADDRESS) {
        free_slots(order, event->handle);
        if (step->moves_cursor)
            bounce_swiotlb_set_cursor_at(order->mem, event->tlb_addr, step->cursor);
    }
}

/* ---- placing events ---- */

static void log_step(struct bounce_order *order, uint64_t place)
{
    struct held *held = held_at(order, place);
    uint64_t distance = place < order->head ? order->head - place : place - order->head;
    struct step *step = step_at(order, order->log_tail++);
    bool is_map = held->event.kind == BOUNCE_EVENT_MAP;

    held->done = true;
    *step = (struct step){.event = held->event,
                          .deadline = is_map ? held->event.bound_seq : held->event.seq};
    do_step(order, step);
    if (distance > 1) {
        order->stats.moved++;
        if (distance > order->stats.moved_most)
            order->stats.moved_most = distance;
    }
}

static void place_map(struct bounce_order *order, uint64_t place)
{
    order->stats.explained++;
    log_step(order, place);
}

static void forget_put_off(struct bounce_order *order, size_t index)
{
    order->nput_off--;
    memmove(order->put_off + index, order->put_off + index + 1,
            (order->nput_off - index) * sizeof(*order->put_off));
}

static void retry_put_off(struct bounce_order *order)
{
    for (size_t i = 0; i < order->nput_off;) {
        uint64_t place = order->put_off[i];

        if (!answers(order, &held_at(order, place)->event)) {
            i++;
            continue;
        }
        forget_put_off(order, i);
        place_map(order, place);
        i = 0; /* the pool has changed: the older ones again */
    }
}

/* ---- before a map that is placed already ---- */

#define REORDER_MAX 128u

/* Puts `count` steps in place of the log's from `from` on, if every map among them is answered as
 * recorded; otherwise everything is as it was. */
static bool try_steps(struct bounce_order *order, uint64_t from, struct step *steps, size_t count)
{
    size_t done = 0;
    bool good = true;

    for (uint64_t i = order->log_tail; i-- > from;)
        undo_step(order, step_at(order, i));
    while (done < count && good) {
        good = !tells_outcome(&steps[done].event) || answers(order, &steps[done].event);
        if (good)
            do_step(order, &steps[done++]);
    }
    if (good) {
        for (size_t i = 0; i < count; i++)
            *step_at(order, from + i) = steps[i];
        order->log_tail = from + count;
        return true;
    }
    while (done-- > 0)
        undo_step(order, &steps[done]);
    for (uint64_t i = from; i < order->log_tail; i++)
        do_step(order, step_at(order, i));
    return false;
}

/* Whether `map` may stand before every step from `from` on. */
static bool may_precede(struct bounce_order *order, uint64_t from, const struct bounce_event *map)
{
    for (uint64_t i = from; i < order->log_tail; i++) {
        const struct step *step = step_at(order, i);

        if (step->deadline <= map->seq || step->event.cpu == map->cpu)
            return false;
    }
    return true;
}

static bool explain_by_order(struct bounce_order *order, uint64_t place)
{
    static const size_t most = REORDER_MAX;
    struct step steps[REORDER_MAX + 1];
    const struct bounce_event *map = &held_at(order, place)->event;
    struct step inserted = {.event = *map, .deadline = map->bound_seq};

    for (uint64_t at = order->log_tail; at-- > order->log_head;) {
        const struct step *other = step_at(order, at);
        size_t after = (size_t)(order->log_tail - at - 1), n = 0;

        if (other->fixed || after + 1 > most || other->deadline <= map->seq)
            break;
        if (!tells_outcome(&other->event) || other->event.cpu == map->cpu)
            continue;
        if (may_precede(order, at, map)) { /* just before the other one */
            steps[n++] = inserted;
            for (uint64_t i = at; i < order->log_tail; i++)
                steps[n++] = *step_at(order, i);
            if (try_steps(order, at, steps, n))
                break;
        }
        n = 0; /* or the other one after this, and after what came since */
        for (uint64_t i = at + 1; i < order->log_tail; i++)
            if (step_at(order, i)->event.cpu == other->event.cpu ||
                step_at(order, i)->event.seq >= other->deadline)
                n = most;
            else if (n < most)
                steps[n++] = *step_at(order, i);
        if (n == most)
            continue;
        steps[n++] = inserted;
        steps[n++] = *other;
        if (try_steps(order, at, steps, n))
            break;
    }
    for (uint64_t i = order->log_tail; i-- > order->log_head;)
        if (step_at(order, i)->event.id == map->id &&
            step_at(order, i)->event.kind == BOUNCE_EVENT_MAP) {
            held_at(order, place)->done = true;
            order->stats.explained++;
            order->stats.moved++;
            return true;
        }
    return false;
}

/* ---- frees before their record ---- */

#define EARLY_MAX 48u

struct early {
    uint64_t place[EARLY_MAX];
    size_t count;
};

/* Unmaps within the look-ahead that may have happened before record `bound_seq`, in order. */
static void find_early(struct bounce_order *order, uint64_t bound_seq, struct early *early)
{
    uint64_t end = order->tail - order->head > LOOKAHEAD ? order->head + LOOKAHEAD : order->tail;

    early->count = 0;
    for (uint64_t place = order->head; place < end && early->count < EARLY_MAX; place++) {
        const struct held *held = held_at(order, place);

        if (!held->done && held->event.kind == BOUNCE_EVENT_UNMAP &&
            held->event.bound_seq < bound_seq && order->placed[held->event.handle].live)
            early->place[early->count++] = place;
    }
}

/* Frees the chosen ones (a bit each) in order; with `undo` takes their slots back. */
static void apply_early(struct bounce_order *order, const struct early *early, uint64_t chosen,
                        bool undo)
{
    for (size_t i = 0; i < early->count; i++) {
        uint32_t handle = held_at(order, early->place[i])->event.handle;

        if (!(chosen >> i & 1))
            continue;
        if (undo)
            take_back(order, handle);
        else
            free_slots(order, handle);
    }
}

/* Candidates 0 .. last of one CPU: what that CPU freed up to there. */
static uint64_t freed_by(struct bounce_order *order, const struct early *early, uint16_t cpu,
                         size_t last)
{
    uint64_t chosen = 0;

    for (size_t i = 0; i <= last; i++)
        if (held_at(order, early->place[i])->event.cpu == cpu)
            chosen |= UINT64_C(1) << i;
    return chosen;
}

static bool try_early(struct bounce_order *order, const struct bounce_event *map,
                      const struct early *early, uint64_t chosen)
{
    bool found;

    apply_early(order, early, chosen, false);
    found = answers(order, map);
    if (!found)
        apply_early(order, early, chosen, true);
    return found;
}

/* The fewest records are moved first: frees of one CPU up to a record, then those of a second one
 * too, then all up to there, before the next record is considered. */
static bool explain_by_early_frees(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    struct early early;
    uint64_t chosen = 0;
    bool found = false;

    if (map->recorded == BOUNCE_RECORDED_FULL)
        return false;
    find_early(order, map->bound_seq, &early);
    for (size_t last = 0; last < early.count && !found; last++) {
        uint64_t own = freed_by(order, &early, held_at(order, early.place[last])->event.cpu, last);
        uint64_t all = (UINT64_C(2) << last) - 1, tried = own;

        chosen = own;
        found = try_early(order, map, &early, chosen);
        for (size_t i = 0; i < last && !found; i++) {
            uint64_t with =
                own | freed_by(order, &early, held_at(order, early.place[i])->event.cpu, i);

            if (with == tried)
                continue;
            chosen = tried = with;
            found = try_early(order, map, &early, chosen);
        }
        if (!found && all != own) {
            chosen = all;
            found = try_early(order, map, &early, chosen);
        }
    }
    if (!found)
        return false;
    apply_early(order, &early, chosen, true); /* once more, as steps of the log */
    for (size_t i = 0; i < early.count; i++)
        if (chosen >> i & 1) {
            order->stats.early_frees++;
            log_step(order, early.place[i]);
        }
    return true;
}

/* ---- what nothing explains ---- */

/* Whoever holds slots of the recorded address must have been freed: by an unmap a little later, or
 * by one that was lost. */
static void clear_slots(struct bounce_order *order, const struct bounce_event *map)
{
    uint64_t end = map->tlb_addr + map->size;

    for (uint64_t addr = map->tlb_addr; addr < end; addr += 1u << BOUNCE_SLOT_SHIFT) {
        uint64_t holder = bounce_swiotlb_holder(order->mem, addr);

        for (uint32_t h = 0; holder && h < order->room; h++)
            if (order->placed[h].live && order->placed[h].tlb_addr == holder) {
                order->stats.conflicts++;
                free_slots(order, h);
                break;
            }
    }
}

static void force(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;

    if (explain_by_order(order, place))
        return;
    if (explain_by_early_frees(order, place)) {
        place_map(order, place);
        return;
    }
    if (!order->stats.unexplained++)
        order->stats.first_unexplained_id = map->id;
    if (map->recorded == BOUNCE_RECORDED_ADDRESS) {
        clear_slots(order, map);
        held_at(order, place)->event.flags |= BOUNCE_EVENT_PLACED;
    }
    log_step(order, place);
    step_at(order, order->log_tail - 1)->fixed = true;
}

static void force_due(struct bounce_order *order, uint64_t seq)
{
    for (size_t i = 0; i < order->nput_off;) {
        uint64_t place = order->put_off[i];

        if (held_at(order, place)->event.bound_seq > seq) {
            i++;
            continue;
        }
        forget_put_off(order, i);
        force(order, place);
        retry_put_off(order);
        i = 0;
    }
}

/* ---- the window ---- */

static void restart(struct bounce_order *order)
{
    bounce_swiotlb_restart(order->mem);
    for (uint32_t h = 0; h < order->room; h++)
        order->placed[h].live = false;
}

static void look_at_next(struct bounce_order *order)
{
    struct held *held = held_at(order, order->head);
    const struct bounce_event *event = &held->event;
    uint64_t place = order->head;

    if (held->done) { /* freed early */
        order->head++;
        return;
    }
    force_due(order, event->kind == BOUNCE_EVENT_RESTART ? UINT64_MAX : event->seq);
    if (held->done) {
        order->head++;
        return;
    }
    order->head++;
    if (tells_outcome(event)) {
        order->stats.maps++;
        if (answers(order, event)) {
            place_map(order, place);
            retry_put_off(order);
            return;
        }
        if (order->nput_off == PUT_OFF_MAX)
            force_due(order, UINT64_MAX);
        order->put_off[order->nput_off++] = place;
        return;
    }
    log_step(order, place);
    if (event->kind == BOUNCE_EVENT_RESTART) {
        restart(order);
        step_at(order, order->log_tail - 1)->fixed = true;
    } else if (event->kind == BOUNCE_EVENT_UNMAP) {
        retry_put_off(order);
    }
}

static uint64_t oldest(const struct bounce_order *order)
{
    return order->nput_off && order->put_off[0] < order->head ? order->put_off[0] : order->head;
}

/* Steps that had happened by this record keep their place. */
static uint64_t settled_seq(struct bounce_order *order)
{
    uint64_t seq = order->head < order->tail ? held_at(order, order->head)->event.seq : UINT64_MAX;

    for (size_t i = 0; i < order->nput_off; i++) {
        uint64_t put_off = held_at(order, order->put_off[i])->event.seq;

        if (put_off < seq)
            seq = put_off;
    }
    return seq;
}

size_t bounce_order_push(struct bounce_order *order, const struct bounce_device *devices,
                         const struct bounce_event *events, size_t count)
{
    size_t taken = 0;

    order->devices = devices;
    while (taken < count && order->tail - oldest(order) < WINDOW) {
        const struct bounce_event *event = &events[taken];

        if (event->handle >= order->room && !make_room(order, event->handle))
            break;
        *held_at(order, order->tail++) = (struct held){*event, false};
        taken++;
    }
    return taken;
}

size_t bounce_order_pop(struct bounce_order *order, struct bounce_event *events, size_t capacity,
                        bool last)
{
    size_t got = 0;

    for (;;) {
        uint64_t settled = settled_seq(order);
        bool full = order->log_tail - order->log_head > WINDOW - PUT_OFF_MAX - EARLY_MAX;

        while (got < capacity && order->log_head < order->log_tail &&
               (full || step_at(order, order->log_head)->deadline <= settled))
            events[got++] = step_at(order, order->log_head++)->event;
        if (got == capacity)
            return got;
        if (order->head < order->tail && (last || order->tail - order->head > LOOKAHEAD ||
                                          order->tail - oldest(order) == WINDOW))
            look_at_next(order);
        else if (last && order->nput_off)
            force_due(order, UINT64_MAX);
        else
            return got;
    }
}

void bounce_order_get_stats(const struct bounce_order *order, struct bounce_order_stats *stats)
{
    *stats = order->stats;
}
