/* SPDX-License-Identifier: Apache-2.0 */
/* The search for an order: depth first over what has been placed lately and is undone for it. The
 * first way down is the greedy one; where it does not end well, the latest choice that leaves
 * another is taken back. The choices: a map that the allocator would answer as recorded is placed
 * or waits, an unmap whose slots a waiting map needs comes before its record. A free that no map
 * needs may as well happen at its record, a map that blocks nothing at its last moment; so these
 * are all there are. States are remembered: which events have happened says which slots are taken,
 * and besides that only cursors differ. */
#include "order_state.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX  (ORDER_HISTORY + PUT_OFF_MAX + 1u)
#define FREES_MAX  48u
#define SEEN_SIZE  (1u << 16)
#define FRAMES_MAX (4u * ITEMS_MAX)
#define NONE       UINT32_MAX

struct item {
    uint64_t place;
    uint64_t seq;
    uint32_t next; /* among those that wait */
    uint32_t previous;
    uint64_t frees[FREES_MAX]; /* places of unmaps that it may need */
    uint8_t nfrees;
    bool frees_known;
    bool map;
};

enum phase { GIVE_BACK, PLACE_WAITING, GO_ON, FREE_EARLY };

struct frame {
    uint64_t log_mark; /* what led here is undone down to it */
    uint64_t hash;     /* before it */
    uint32_t at;       /* item to go on with */
    uint32_t waiting;  /* where the phase stands */
    uint32_t free;
    uint32_t unlinked; /* item that was placed, or NONE */
    uint32_t linked;   /* item that began to wait, or NONE */
    uint8_t phase;
};

struct seen {
    uint64_t key;
    uint32_t generation;
};

struct order_search {
    struct item items[ITEMS_MAX];
    uint32_t count;
    uint32_t first; /* waiting */
    uint32_t last;
    struct frame frames[FRAMES_MAX];
    uint32_t depth;
    struct step saved[ORDER_HISTORY];
    uint32_t nsaved;
    struct seen seen[SEEN_SIZE];
    uint32_t generation;
    uint64_t hash;
    uint64_t end_seq; /* of the record before which all this has happened */
    uint64_t wanted;  /* the map that is due */
};

void order_search_free(struct bounce_order *order)
{
    free(order->scratch);
    order->scratch = NULL;
}

/* ---- states ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);

    h ^= b * UINT64_C(0x94d049bb133111eb) ^ h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static bool seen_before(struct order_search *s, uint32_t at)
{
    uint64_t key = mix(s->hash, at);
    struct seen *place = &s->seen[key & (SEEN_SIZE - 1)];

    for (unsigned i = 0; i < 8; i++, place = &s->seen[(key + i) & (SEEN_SIZE - 1)]) {
        if (place->generation != s->generation)
            break;
        if (place->key == key)
            return true;
    }
    *place = (struct seen){key, s->generation};
    return false;
}

/* ---- waiting maps ---- */

static void link_item(struct order_search *s, uint32_t item)
{
    s->items[item].previous = s->last;
    s->items[item].next = NONE;
    if (s->last == NONE)
        s->first = item;
    else
        s->items[s->last].next = item;
    s->last = item;
}

static void unlink_item(struct order_search *s, uint32_t item)
{
    struct item *it = &s->items[item];

    *(it->previous == NONE ? &s->first : &s->items[it->previous].next) = it->next;
    *(it->next == NONE ? &s->last : &s->items[it->next].previous) = it->previous;
}

static void relink_item(struct order_search *s, uint32_t item)
{
    struct item *it = &s->items[item];

    *(it->previous == NONE ? &s->first : &s->items[it->previous].next) = item;
    *(it->next == NONE ? &s->last : &s->items[it->next].previous) = item;
}

static uint64_t seq_at(const struct order_search *s, uint32_t at)
{
    return at < s->count ? s->items[at].seq : s->end_seq;
}

static bool any_due(struct bounce_order *order, const struct order_search *s, uint32_t at)
{
    uint64_t seq = seq_at(s, at);

    for (uint32_t w = s->first; w != NONE; w = s->items[w].next)
        if (held_at(order, s->items[w].place)->event.bound_seq <= seq)
            return true;
    for (uint32_t i = 0; i < order->nreleasing; i++)
        if (held_at(order, order->releasing[i])->event.bound_seq <= seq)
            return true;
    return false;
}

/* ---- moves ---- */

static void do_place(struct bounce_order *order, struct order_search *s, uint64_t place, bool early)
{
    struct step *step = order_log(order, place, 0);
    struct bounce_area_state area;

    step->early = early;
    s->hash ^= mix(place, step->tlb_addr);
    if (step->moves_cursor && bounce_swiotlb_area_at(order->mem, step->tlb_addr, &area))
        s->hash ^= mix(area.start, step->cursor) ^ mix(area.start, area.cursor);
}

static void enter(struct bounce_order *order, struct order_search *s, uint32_t at)
{
    s->frames[s->depth++] = (struct frame){.log_mark = order->log_tail,
                                           .hash = s->hash,
                                           .at = at,
                                           .waiting = s->first,
                                           .unlinked = NONE,
                                           .linked = NONE};
}

static void leave(struct bounce_order *order, struct order_search *s)
{
    const struct frame *frame = &s->frames[--s->depth];

    order_rewind(order, frame->log_mark);
    s->hash = frame->hash;
    if (frame->unlinked != NONE)
        relink_item(s, frame->unlinked);
    if (frame->linked != NONE)
        unlink_item(s, frame->linked);
}

static void consider_free(struct bounce_order *order, struct item *item, uint64_t place)
{
    const struct held *map = held_at(order, item->place), *unmap = held_at(order, place);
    uint64_t low, high, begin, end;

    if (item->nfrees == FREES_MAX || unmap->event.kind != BOUNCE_EVENT_UNMAP || !unmap->tlb_addr ||
        unmap->event.bound_seq >= map->event.bound_seq)
        return;
    low = map->event.tlb_addr & ~UINT64_C(0xfff);
    high = map->event.tlb_addr + map->event.size;
    begin = unmap->tlb_addr & ~UINT64_C(0xfff);
    end = (unmap->tlb_addr + unmap->event.size + 0x7ff) & ~UINT64_C(0x7ff);
    if (begin < high && low < end)
        item->frees[item->nfrees++] = place;
}

/* The unmaps that a waiting map may need before their record. */
static void find_frees(struct bounce_order *order, struct order_search *s, uint32_t waiting)
{
    struct item *item = &s->items[waiting];
    uint64_t end =
        order->tail - order->head > ORDER_LOOKAHEAD ? order->head + ORDER_LOOKAHEAD : order->tail;

    item->frees_known = true;
    if (held_at(order, item->place)->event.recorded != BOUNCE_RECORDED_ADDRESS)
        return;
    for (uint32_t i = waiting + 1; i < s->count; i++)
        if (!s->items[i].map)
            consider_free(order, item, s->items[i].place);
    for (uint64_t place = order->head; place < end; place++)
        consider_free(order, item, place);
}

/* Those of one record are freed in order. */
static void free_early(struct bounce_order *order, struct order_search *s, uint64_t place)
{
    uint64_t seq = held_at(order, place)->event.seq, first = place;

    while (first > order->base && held_at(order, first - 1)->event.seq == seq &&
           held_at(order, first - 1)->event.kind == BOUNCE_EVENT_UNMAP)
        first--;
    for (; first <= place; first++)
        if (!held_at(order, first)->done)
            do_place(order, s, first, true);
}

/* Every move makes a frame whose undoing takes it back; false: none left in this phase. */
static bool place_waiting(struct bounce_order *order, struct order_search *s, struct frame *frame)
{
    while (frame->waiting != NONE) {
        uint32_t w = frame->waiting;

        frame->waiting = s->items[w].next;
        if (!order_answers(order, &held_at(order, s->items[w].place)->event))
            continue;
        enter(order, s, frame->at);
        s->frames[s->depth - 1].unlinked = w;
        unlink_item(s, w);
        do_place(order, s, s->items[w].place, false);
        s->frames[s->depth - 1].waiting = s->first;
        return true;
    }
    return false;
}

static bool go_on(struct bounce_order *order, struct order_search *s, struct frame *frame)
{
    uint32_t at = frame->at;

    if (at == s->count || any_due(order, s, at))
        return false;
    enter(order, s, at + 1);
    if (s->items[at].map) {
        s->frames[s->depth - 1].linked = at;
        link_item(s, at);
        s->frames[s->depth - 1].waiting = s->first;
    } else if (!held_at(order, s->items[at].place)->done) {
        do_place(order, s, s->items[at].place, false);
    }
    return true;
}

static bool free_one(struct bounce_order *order, struct order_search *s, struct frame *frame)
{
    uint64_t now = seq_at(s, frame->at);

    for (; frame->waiting != NONE;
         frame->waiting = s->items[frame->waiting].next, frame->free = 0) {
        struct item *item = &s->items[frame->waiting];

        if (!item->frees_known)
            find_frees(order, s, frame->waiting);
        while (frame->free < item->nfrees) {
            uint64_t place = item->frees[frame->free++];
            const struct held *unmap = held_at(order, place);

            if (unmap->done || unmap->event.bound_seq >= now ||
                !order->placed[unmap->event.handle].live)
                continue;
            enter(order, s, frame->at);
            free_early(order, s, place);
            return true;
        }
    }
    return false;
}

/* The next entry of a list that failed; of the lists, one after the other. */
static bool give_back(struct bounce_order *order, struct order_search *s, struct frame *frame)
{
    uint64_t fail, entry;

    if (frame->free >= order->nreleasing)
        return false;
    fail = order->releasing[frame->free++];
    entry = order_next_release(order, fail);
    if (entry == NO_PLACE)
        return false;
    enter(order, s, frame->at);
    order_release(order, fail, entry);
    s->hash ^= mix(entry, fail);
    return true;
}

static bool move(struct bounce_order *order, struct order_search *s)
{
    struct frame *frame = &s->frames[s->depth - 1];

    if (frame->phase == GIVE_BACK) {
        if (give_back(order, s, frame))
            return true;
        frame->phase = PLACE_WAITING;
    }

    if (frame->phase == PLACE_WAITING && !place_waiting(order, s, frame)) {
        frame->phase = GO_ON;
    } else if (frame->phase == PLACE_WAITING) {
        return true;
    }
    if (frame->phase == GO_ON) {
        frame->phase = FREE_EARLY;
        frame->waiting = s->first;
        frame->free = 0;
        if (go_on(order, s, frame))
            return true;
    }
    return frame->phase == FREE_EARLY && free_one(order, s, frame);
}

/* ---- the search ---- */

static bool few_wait(const struct order_search *s)
{
    uint32_t count = 0;

    for (uint32_t w = s->first; w != NONE; w = s->items[w].next)
        count++;
    return count < PUT_OFF_MAX;
}

static bool reached(struct bounce_order *order, const struct order_search *s)
{
    return s->frames[s->depth - 1].at == s->count && held_at(order, s->wanted)->done &&
           !any_due(order, s, s->count) && few_wait(s);
}

static bool descend(struct bounce_order *order, struct order_search *s, int64_t nodes)
{
    s->depth = 0;
    s->hash = 0;
    if (++s->generation == 0) {
        memset(s->seen, 0, sizeof(s->seen));
        s->generation = 1;
    }
    enter(order, s, 0);
    while (s->depth) {
        if (reached(order, s))
            return true;
        if (s->depth + 1 < FRAMES_MAX && nodes > 0 && move(order, s)) {
            nodes--;
            order->credit--;
            if (seen_before(s, s->frames[s->depth - 1].at))
                leave(order, s);
            continue;
        }
        if (nodes <= 0)
            break;
        leave(order, s);
    }
    while (s->depth)
        leave(order, s);
    return false;
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->place, y = ((const struct item *)b)->place;

    return x < y ? -1 : x > y;
}

static void add_item(struct bounce_order *order, struct order_search *s, uint64_t place)
{
    const struct bounce_event *event = &held_at(order, place)->event;

    s->items[s->count++] =
        (struct item){.place = place, .seq = event->seq, .map = tells_outcome(event)};
}

/* Takes back the steps from log index `from` on; what is to be ordered are their events and those
 * that wait. */
static void begin(struct bounce_order *order, struct order_search *s, uint64_t from)
{
    uint64_t seq = 0;

    s->count = s->nsaved = 0;
    for (uint64_t i = from; i < order->log_tail; i++) {
        s->saved[s->nsaved++] = *step_at(order, i);
        if (step_at(order, i)->kind == STEP_EVENT && step_at(order, i)->place < order->head)
            add_item(order, s, step_at(order, i)->place);
    }
    for (size_t i = 0; i < order->nput_off; i++)
        add_item(order, s, order->put_off[i]);
    add_item(order, s, s->wanted);
    qsort(s->items, s->count, sizeof(s->items[0]), by_place);
    for (uint32_t i = 0; i < s->count; i++) { /* events without a place among the records */
        if (s->items[i].seq < seq)
            s->items[i].seq = seq;
        seq = s->items[i].seq;
    }
    s->end_seq = order->head < order->tail ? held_at(order, order->head)->event.seq : UINT64_MAX;
    if (s->end_seq < seq)
        s->end_seq = seq;
    if (s->end_seq < held_at(order, s->wanted)->event.bound_seq)
        s->end_seq = held_at(order, s->wanted)->event.bound_seq;
    s->first = s->last = NONE;
    order_rewind(order, from);
}

static void redo(struct bounce_order *order, const struct order_search *s)
{
    for (uint32_t i = 0; i < s->nsaved; i++) {
        struct step *step = step_at(order, order->log_tail++);

        *step = s->saved[i];
        order_do(order, step);
    }
}

static bool is_told_map(struct bounce_order *order, const struct step *step)
{
    return step->kind == STEP_EVENT && tells_outcome(&held_at(order, step->place)->event);
}

/* The new order stands: what waits now is put off, and the counts follow. */
static void settle(struct bounce_order *order, struct order_search *s, uint64_t from)
{
    struct bounce_order_stats *stats = &order->stats;

    for (uint32_t i = 0; i < s->nsaved; i++) {
        stats->explained -= is_told_map(order, &s->saved[i]);
        stats->transients -= (s->saved[i].flags & BOUNCE_EVENT_TRANSIENT) != 0;
    }
    for (uint64_t i = from; i < order->log_tail; i++) {
        stats->explained += is_told_map(order, step_at(order, i));
        stats->transients += (step_at(order, i)->flags & BOUNCE_EVENT_TRANSIENT) != 0;
    }
    while (order->nreleasing)
        order_release_all(order, order->releasing[0]);
    order->nput_off = 0;
    for (uint32_t w = s->first; w != NONE; w = s->items[w].next)
        order->put_off[order->nput_off++] = s->items[w].place;
}

bool order_search(struct bounce_order *order, uint64_t place)
{
    static const struct {
        uint32_t steps;
        int64_t nodes;
    } efforts[] = {{24, 3000}, {96, 10000}, {384, 30000}, {ORDER_HISTORY, 60000}};
    struct order_search *s = order->scratch;

    if (!s)
        s = order->scratch = calloc(1, sizeof(*s));
    if (!s)
        return false;
    s->wanted = place;
    order->stats.searched++;
    for (size_t i = 0; i < sizeof(efforts) / sizeof(efforts[0]) && order->credit > 0; i++) {
        uint64_t from = order->log_tail - order->log_base > efforts[i].steps
                            ? order->log_tail - efforts[i].steps
                            : order->log_base;

        order->searching = true;
        begin(order, s, from);
        if (descend(order, s,
                    efforts[i].nodes < order->credit ? efforts[i].nodes : order->credit)) {
            order->searching = false;
            settle(order, s, from);
            return true;
        }
        redo(order, s);
        order->searching = false;
        if (from == order->log_base)
            break;
    }
    return false;
}
