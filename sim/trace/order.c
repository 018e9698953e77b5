/* SPDX-License-Identifier: Apache-2.0 */
/* How the order is found: events are taken as recorded; a map that the allocator would not answer
 * as recorded is put off, and tried again after every change, until the record by which it must
 * have happened. What is due then and still not answered is searched for (order_search.c), or
 * explained by a pool that came (order_growth.c) or by a gap in the record (order_gaps.c). */
#include "order_state.h"

#include <stdlib.h>
#include <string.h>

#define CREDIT_AN_EVENT 48
#define CREDIT_MAX      400000
#define QUICK_PUT_OFF   16u

/* ---- creation ---- */

static bool make_room(struct bounce_order *order, uint32_t handle)
{
    uint32_t room = order->room ? order->room : BOUNCE_HELD_MAX;
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

enum bounce_status bounce_order_create(const struct bounce_order_config *config,
                                       struct bounce_order **out, struct bounce_error *error)
{
    struct bounce_order *order = calloc(1, sizeof(*order));
    struct bounce_map_request probe = {.size = 1};
    struct bounce_map_result ignored;
    struct bounce_device device;
    enum bounce_status status;

    if (!order)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    order->window = calloc(ORDER_WINDOW, sizeof(*order->window));
    order->log = calloc(ORDER_LOG, sizeof(*order->log));
    order->newest = calloc(config->pool.nslabs + 1, sizeof(*order->newest));
    status = bounce_swiotlb_create(&config->pool, &order->mem, error);
    if (!status && (!order->window || !order->log || !order->newest || !make_room(order, 0)))
        status = bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    bounce_device_init(&device, "");
    probe.device = &device;
    if (!status && !bounce_swiotlb_peek(order->mem, &probe, &ignored))
        status = bounce_refuse(error, BOUNCE_INVALID, 0, "the order of %s cannot be reconstructed",
                               config->pool.kernel->name);
    if (status) {
        bounce_order_destroy(order);
        return status;
    }
    order->growing = bounce_kernel_grows(config->pool.kernel);
    order->first_start = config->pool.start;
    order->default_nslabs = config->pool.nslabs;
    order->default_nareas = config->pool.nareas;
    order->quick = config->quick;
    order->next_held = BOUNCE_HELD_TOLD;
    order->credit = CREDIT_MAX;
    if (config->in_use)
        order_begin_gap(order);
    *out = order;
    return BOUNCE_OK;
}

void bounce_order_destroy(struct bounce_order *order)
{
    if (!order)
        return;
    order_search_free(order);
    bounce_swiotlb_destroy(order->mem);
    free(order->window);
    free(order->log);
    free(order->placed);
    free(order->newest);
    free(order->seen);
    free(order);
}

/* ---- placing events ---- */

static void place_map(struct bounce_order *order, uint64_t place)
{
    struct step *step = order_log(order, place, 0);

    order->stats.explained++;
    order->stats.transients += (step->flags & BOUNCE_EVENT_TRANSIENT) != 0;
}

static void forget_put_off(struct bounce_order *order, size_t index)
{
    order->nput_off--;
    memmove(order->put_off + index, order->put_off + index + 1,
            (order->nput_off - index) * sizeof(*order->put_off));
}

/* As the allocator stands, or with a pool that came just now. */
static bool explain_now(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *event = &held_at(order, place)->event;

    if (event->recorded == BOUNCE_RECORDED_ADDRESS && !order->growing) {
        bool explains = order_map_as_recorded(order, place);

        order->stats.explained += explains;
        return explains;
    }
    if (event->recorded == BOUNCE_RECORDED_ADDRESS && order_is_elsewhere(order, event))
        return order_explain_elsewhere(order, place, false);
    if (!order_answers(order, event))
        return false;
    place_map(order, place);
    return true;
}

static void retry_put_off(struct bounce_order *order)
{
    for (size_t i = 0; i < order->nput_off;) {
        uint64_t place = order->put_off[i];

        if (!explain_now(order, place)) {
            i++;
            continue;
        }
        for (i = 0; order->put_off[i] != place;)
            i++;
        forget_put_off(order, i);
        i = 0; /* the pool has changed: the older ones again */
    }
}

static void report(struct bounce_order *order, const struct bounce_event *map)
{
    struct bounce_map_result result;

    if (order->stats.unexplained < BOUNCE_ORDER_REPORTS) {
        order_peek(order, map, &result);
        order->reports[order->stats.unexplained] = (struct bounce_order_unexplained){
            .id = map->id,
            .record = map->seq,
            .time_ns = map->time_ns,
            .recorded = map->recorded == BOUNCE_RECORDED_ADDRESS ? map->tlb_addr : 0,
            .expected = result.outcome == BOUNCE_MAP_OK ? result.tlb_addr : 0,
            .device = map->device,
            .cpu = map->cpu,
            .told = map->recorded != BOUNCE_RECORDED_OK,
        };
    }
    if (!order->stats.unexplained++)
        order->stats.first_unexplained_id = map->id;
}

/* The recorded state is taken over. */
static void take_over(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    uint16_t flags = 0;

    report(order, map);
    if (map->recorded == BOUNCE_RECORDED_ADDRESS) {
        order_clear_slots(order, place, false);
        flags = BOUNCE_EVENT_PLACED;
    } else if (map->recorded == BOUNCE_RECORDED_FULL) {
        flags = BOUNCE_EVENT_DENIED;
    }
    order_log(order, place, flags);
    order->log_base = order->log_tail;
}

static void force(struct bounce_order *order, uint64_t place)
{
    const struct bounce_event *event = &held_at(order, place)->event;

    if (order_explain_gap(order, place))
        return;
    if (order->growing && event->recorded == BOUNCE_RECORDED_ADDRESS &&
        order_is_elsewhere(order, event) && order_explain_elsewhere(order, place, true))
        return;
    if (!order->quick && order_search(order, place))
        return;
    take_over(order, place);
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

void order_look_at_next(struct bounce_order *order)
{
    struct held *held = held_at(order, order->head);
    const struct bounce_event *event = &held->event;
    uint64_t place = order->head;

    if (order->nput_off && !held->done)
        force_due(order, event->kind == BOUNCE_EVENT_RESTART ? UINT64_MAX : event->seq);
    order->head++;
    if (held->done) /* freed early */
        return;
    if (tells_outcome(event)) {
        order->stats.maps++;
        if (explain_now(order, place)) {
            if (order->nput_off)
                retry_put_off(order);
            return;
        }
        if (order->nput_off == (order->quick && !order->trial ? QUICK_PUT_OFF : PUT_OFF_MAX))
            force_due(order, UINT64_MAX);
        order->put_off[order->nput_off++] = place;
        return;
    }
    order_log(order, place, 0);
    if (event->kind == BOUNCE_EVENT_LOST)
        order_begin_gap(order);
    else if (event->kind == BOUNCE_EVENT_UNMAP && order->nput_off)
        retry_put_off(order);
}

/* ---- the window ---- */

size_t bounce_order_push(struct bounce_order *order, const struct bounce_device *devices,
                         const struct bounce_event *events, size_t count)
{
    size_t taken = 0;

    order->devices = devices;
    while (taken < count && order->tail - order->base < ORDER_WINDOW &&
           order->tail - order->head < ORDER_AHEAD) {
        const struct bounce_event *event = &events[taken];
        struct held *held = held_at(order, order->tail);
        struct placed *p;

        if (event->handle >= order->room && !make_room(order, event->handle))
            break;
        held->event = *event;
        held->tlb_addr = 0;
        held->list_prev = held->released_by = NO_PLACE;
        held->done = held->emitted = held->failed = held->slowly = false;
        p = &order->placed[event->handle];
        if (event->kind == BOUNCE_EVENT_MAP) {
            p->pushed_addr = event->recorded == BOUNCE_RECORDED_ADDRESS ? event->tlb_addr : 0;
            if (event->flags & BOUNCE_EVENT_LIST_OPEN) {
                struct placed *list = &order->placed[event->list];

                held->list_prev =
                    event->flags & BOUNCE_EVENT_LIST_FIRST ? NO_PLACE : list->list_last;
                list->list_last = order->tail;
            }
        } else if (event->kind == BOUNCE_EVENT_UNMAP) {
            order->unmatched += (event->flags & BOUNCE_EVENT_UNMATCHED) != 0;
            held->tlb_addr = p->pushed_addr;
        }
        order->tail++;
        taken++;
    }
    order->credit += (int64_t)taken * CREDIT_AN_EVENT;
    if (order->credit > CREDIT_MAX)
        order->credit = CREDIT_MAX;
    return taken;
}

static struct bounce_event grow_event(const struct bounce_order *order, const struct step *step,
                                      const struct bounce_event *map)
{
    const struct bounce_order_grown *grown = &order->grown[step->grown - 1].what;

    return (struct bounce_event){.time_ns = map->time_ns,
                                 .tlb_addr = grown->start,
                                 .size = grown->nslabs,
                                 .offset = grown->newer,
                                 .list = BOUNCE_NO_LIST,
                                 .cpu = map->cpu,
                                 .kind = BOUNCE_EVENT_GROW,
                                 .segments = (uint16_t)grown->nareas};
}

/* Of what its own unmap tells, or of a slot that `told` passed over. */
static struct bounce_event held_event(const struct step *step, const struct bounce_event *told,
                                      uint64_t time_ns)
{
    bool hidden = step->kind == STEP_HIDDEN;
    uint64_t tlb_addr = hidden ? step->tlb_addr : told->tlb_addr;

    return (struct bounce_event){.time_ns = time_ns,
                                 .id = UINT64_MAX,
                                 .orig_addr = hidden ? 0 : tlb_addr,
                                 .tlb_addr = tlb_addr,
                                 .size = hidden ? UINT64_C(1) << BOUNCE_SLOT_SHIFT : told->size,
                                 .handle = step->handle,
                                 .list = BOUNCE_NO_LIST,
                                 .device = told->device,
                                 .cpu = told->cpu,
                                 .kind = BOUNCE_EVENT_MAP,
                                 .dir = hidden ? BOUNCE_FROM_DEVICE : told->dir,
                                 .recorded = BOUNCE_RECORDED_ADDRESS,
                                 .flags = hidden ? BOUNCE_EVENT_HELD | BOUNCE_EVENT_IMPLIED
                                                 : BOUNCE_EVENT_HELD};
}

static struct bounce_event release_event(const struct bounce_order *order, const struct step *step,
                                         const struct bounce_event *event)
{
    bool drop = step->kind == STEP_DROP;

    return (struct bounce_event){.time_ns = order->last_ns,
                                 .id = drop ? UINT64_MAX : event->id,
                                 .size = event->size,
                                 .handle = drop ? step->handle : event->handle,
                                 .list = BOUNCE_NO_LIST,
                                 .device = event->device,
                                 .cpu = event->cpu,
                                 .kind = BOUNCE_EVENT_UNMAP,
                                 .dir = event->dir,
                                 .attrs = BOUNCE_ATTR_SKIP_CPU_SYNC,
                                 .flags = BOUNCE_EVENT_IMPLIED | BOUNCE_EVENT_MADE};
}

/* Whether anything came between the failure, which was fetched, and the last entry given back. */
static bool released_slowly(struct bounce_order *order, uint64_t fail)
{
    bool other = false;

    for (uint64_t i = order->log_head; i < order->log_tail; i++) {
        const struct step *step = step_at(order, i);
        bool ours = step->kind == STEP_RELEASE && step->fail == fail;

        if (ours && other)
            return true;
        if (!ours && other && i - order->log_head > ORDER_HISTORY)
            break;
        other |= !ours;
    }
    return false;
}

static void count_move(struct bounce_order *order, const struct step *step)
{
    uint64_t distance = 0;

    if (step->early) {
        order->stats.early_frees++;
        distance = step->place - order->base;
    } else if (step->place < order->emitted_most) {
        distance = order->emitted_most - step->place;
    } else {
        order->emitted_most = step->place;
    }
    order->stats.moved += distance != 0;
    if (distance > order->stats.moved_most)
        order->stats.moved_most = distance;
}

/* The oldest step, as at most 1 + MADE_MAX events; returns how many. */
static size_t fetch(struct bounce_order *order, struct bounce_event *events)
{
    const struct step *step = step_at(order, order->log_head++);
    struct held *held = held_at(order, step->place);
    size_t got = 0;

    if (order->log_base < order->log_head)
        order->log_base = order->log_head;
    if (step->kind == STEP_HOLD || step->kind == STEP_HIDDEN) {
        events[got++] = held_event(step, &held->event, order->last_ns);
        return got;
    }
    if (step->kind != STEP_EVENT) {
        if (step->kind == STEP_DROP || held_at(order, step->fail)->slowly)
            events[got++] = release_event(order, step, &held->event);
        return got;
    }
    if (step->released)
        held->slowly = released_slowly(order, step->place);
    if (step->grown) {
        order->grown[step->grown - 1].settled = true;
        events[got++] = grow_event(order, step, &held->event);
    }
    if (held->event.kind != BOUNCE_EVENT_LOST) {
        struct bounce_event *out = &events[got];

        *out = held->event;
        out->flags |= step->flags | (held->slowly ? BOUNCE_EVENT_SLOWLY : 0);
        if (order->growing) { /* what ends by it comes before it */
            struct bounce_event own = *out;

            got += order_end_transients(order, &own, out, MADE_MAX - got);
            events[got] = own;
        }
        got++;
        order->last_ns = held->event.time_ns;
    }
    count_move(order, step);
    order->unmatched -= (held->event.flags & BOUNCE_EVENT_UNMATCHED) != 0;
    held->emitted = true;
    while (order->base < order->tail && held_at(order, order->base)->emitted)
        order->base++;
    return got;
}

size_t bounce_order_pop(struct bounce_order *order, struct bounce_event *events, size_t capacity,
                        bool last)
{
    size_t got = 0;

    for (;;) {
        bool crowded = order->tail - order->base > ORDER_WINDOW - ORDER_WINDOW / 4 ||
                       order->log_tail - order->log_head > ORDER_LOG - ORDER_LOG / 4;
        bool done = last && order->head == order->tail && !order->nput_off;

        while (got + MADE_MAX < capacity && order->log_head < order->log_tail &&
               (crowded || done || order->log_tail - order->log_head > ORDER_HISTORY))
            got += fetch(order, events + got);
        if (got + MADE_MAX >= capacity)
            return got;
        if (order->head < order->tail &&
            (last || crowded || order->tail - order->head > ORDER_LOOKAHEAD))
            order_look_at_next(order);
        else if (order->nput_off && (last || crowded))
            force_due(order, UINT64_MAX);
        else if (order->log_head == order->log_tail || !(crowded || done))
            return got;
    }
}

void bounce_order_get_stats(const struct bounce_order *order, struct bounce_order_stats *stats)
{
    *stats = order->stats;
}

size_t bounce_order_get_unexplained(const struct bounce_order *order,
                                    const struct bounce_order_unexplained **reports)
{
    *reports = order->reports;
    return order->stats.unexplained < BOUNCE_ORDER_REPORTS ? (size_t)order->stats.unexplained
                                                           : BOUNCE_ORDER_REPORTS;
}

bool bounce_order_get_grown(const struct bounce_order *order, size_t index,
                            struct bounce_order_grown *grown)
{
    if (index >= order->ngrown)
        return false;
    *grown = order->grown[index].what;
    return true;
}
