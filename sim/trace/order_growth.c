/* SPDX-License-Identifier: Apache-2.0 */
/* A map to an address where no pool is known: it got a transient pool, or the worker has added a
 * pool just before. Both may fit that map; what follows tells. So each is tried on the events at
 * hand, and the one under which more of them come out as recorded is taken.
 *
 * Source: swiotlb_alloc_pool(), swiotlb_dyn_alloc(), swiotlb_find_slots() of kernel/dma/swiotlb.c,
 * 6.12.117: a pool has the default size, at most 4 MiB, halved down to 1 MiB when memory is
 * fragmented; it begins on a multiple of its size, as blocks of the page allocator do. */
#include "order_state.h"

#include <string.h>

#define MIN_SLABS   512u
#define TRIAL_MAPS  400u
#define QUICK_MAPS  60u
#define QUICK_MOST  64u /* trials of a quick order */
#define TRIAL_WRONG 12u
#define NEWER_MAX   2u /* pools above which a pool may turn up late */

struct trial {
    uint64_t matched; /* by a pool, not by a transient one, which fits nearly anything */
    uint64_t wrong;
};

static int64_t score(const struct trial *trial)
{
    return (int64_t)trial->matched - 4 * (int64_t)trial->wrong;
}

/* ---- trying ---- */

static void remove_put_off(struct bounce_order *order, uint64_t place)
{
    for (size_t i = 0; i < order->nput_off; i++)
        if (order->put_off[i] == place) {
            order->nput_off--;
            memmove(order->put_off + i, order->put_off + i + 1,
                    (order->nput_off - i) * sizeof(*order->put_off));
            return;
        }
}

/* The greedy pass over the events at hand, from the state as it is; then back. With `placed` the
 * map at that place comes first. */
static struct trial run_trial(struct bounce_order *order, uint64_t place, bool placed)
{
    uint64_t put_off[PUT_OFF_MAX], head = order->head, mark = order->log_tail;
    uint64_t base = order->log_base;
    size_t nput_off = order->nput_off;
    struct bounce_order_stats before = order->stats;
    uint64_t most = order->quick ? QUICK_MAPS : TRIAL_MAPS;
    bool quick = order->quick, gap = order->gap;
    uint32_t nknown = order->nknown;
    struct trial trial;

    memcpy(put_off, order->put_off, nput_off * sizeof(*put_off));
    order->quick = order->trial = true;
    order->trials++;
    if (placed) {
        remove_put_off(order, place);
        order_log(order, place, 0);
    }
    while (order->head < order->tail && order->stats.maps - before.maps < most &&
           order->stats.unexplained - before.unexplained < TRIAL_WRONG) {
        uint8_t kind = held_at(order, order->head)->event.kind;

        if (kind == BOUNCE_EVENT_RESTART || kind == BOUNCE_EVENT_LOST)
            break;
        order_look_at_next(order);
    }
    trial.wrong = order->stats.unexplained - before.unexplained;
    trial.matched =
        order->stats.explained - before.explained - (order->stats.transients - before.transients);
    order_rewind(order, mark);
    order->head = head;
    order->log_base = base;
    memcpy(order->put_off, put_off, nput_off * sizeof(*put_off));
    order->nput_off = nput_off;
    order->stats = before;
    order->quick = quick;
    order->trial = false;
    order->gap = gap;
    order->nknown = nknown;
    return trial;
}

/* ---- pools that may have come ---- */

static bool pool_shape(const struct bounce_order *order, uint64_t nslabs, uint32_t *nareas)
{
    uint64_t most = order->default_nslabs < BOUNCE_MAX_GROWN_NSLABS ? order->default_nslabs
                                                                    : BOUNCE_MAX_GROWN_NSLABS;

    if (nslabs > most || (nslabs < most && nslabs < MIN_SLABS))
        return false;
    *nareas = order->default_nareas;
    if (nslabs < order->default_nslabs && nslabs < (uint64_t)*nareas * BOUNCE_SEGMENT_SLOTS)
        *nareas = (uint32_t)(nslabs / BOUNCE_SEGMENT_SLOTS);
    return true;
}

static bool overlaps(const struct bounce_order *order, uint64_t start, uint64_t end)
{
    uint64_t first = order->first_start;

    if (start < first + (order->default_nslabs << BOUNCE_SLOT_SHIFT) && first < end)
        return true;
    for (uint32_t i = 0; i < order->ngrown; i++) {
        const struct bounce_order_grown *what = &order->grown[i].what;

        if (order->grown[i].added && start < what->start + (what->nslabs << BOUNCE_SLOT_SHIFT) &&
            what->start < end)
            return true;
    }
    return false;
}

/* Adds to the table the pool of that many slots in which the map may lie, if it would be answered
 * as recorded with that pool under the `newer` newest. */
static bool suppose(struct bounce_order *order, const struct bounce_event *map, uint64_t nslabs,
                    uint32_t newer)
{
    uint64_t bytes = nslabs << BOUNCE_SLOT_SHIFT, start = map->tlb_addr & ~(bytes - 1);
    struct grown *grown = &order->grown[order->ngrown];
    uint32_t nareas;

    if (!pool_shape(order, nslabs, &nareas) || overlaps(order, start, start + bytes))
        return false;
    *grown = (struct grown){.what = {.start = start,
                                     .nslabs = nslabs,
                                     .before_id = map->id,
                                     .before_record = map->seq,
                                     .time_ns = map->time_ns,
                                     .nareas = nareas,
                                     .newer = newer}};
    order->ngrown++;
    if (order_answers(order, map))
        return true;
    order->ngrown--;
    return false;
}

/* Pools of earlier searches that were undone for good leave no entry behind. */
static void drop_unused(struct bounce_order *order)
{
    while (order->ngrown && !order->grown[order->ngrown - 1].added &&
           !order->grown[order->ngrown - 1].gone)
        order->ngrown--;
}

static uint32_t pools_there(const struct bounce_order *order)
{
    uint32_t there = 0;

    for (uint32_t i = 0; i < order->ngrown; i++)
        there += order->grown[i].added;
    return there;
}

bool order_explain_elsewhere(struct bounce_order *order, uint64_t place, bool due)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    bool transient = order_answers(order, map), found = false, compared = false;
    struct bounce_order_grown best = {0};
    struct trial without = {0, 0}, with;
    int64_t best_score = 0;
    uint32_t there = pools_there(order);

    if (!order->trial && order->ngrown < GROWN_MAX && (!order->quick || order->trials < QUICK_MOST))
        for (uint64_t nslabs = BOUNCE_MAX_GROWN_NSLABS; nslabs >= BOUNCE_SEGMENT_SLOTS; nslabs /= 2)
            for (uint32_t newer = 0; newer <= NEWER_MAX && newer <= there; newer++) {
                drop_unused(order);
                if (!suppose(order, map, nslabs, newer))
                    continue;
                if (!compared) {
                    order->ngrown--;
                    without = run_trial(order, place, transient);
                    order->ngrown++;
                    compared = true;
                }
                with = run_trial(order, place, true);
                if (!found || score(&with) > best_score) {
                    best = order->grown[order->ngrown - 1].what;
                    best_score = score(&with);
                    found = true;
                }
                order->ngrown--;
            }
    if (found && (best_score > score(&without) || (due && !transient)))
        order->grown[order->ngrown++] = (struct grown){.what = best};
    else if (!transient)
        return false;
    else
        order->stats.transients++;
    order->stats.explained++;
    order_log(order, place, 0);
    return true;
}

/* ---- transient pools among what comes out ---- */

static struct bounce_event end_of(const struct bounce_event *map, uint64_t time_ns)
{
    return (struct bounce_event){.time_ns = time_ns,
                                 .id = map->id,
                                 .size = map->size,
                                 .handle = map->handle,
                                 .list = BOUNCE_NO_LIST,
                                 .device = map->device,
                                 .cpu = map->cpu,
                                 .kind = BOUNCE_EVENT_UNMAP,
                                 .dir = map->dir,
                                 .flags = BOUNCE_EVENT_IMPLIED | BOUNCE_EVENT_MADE};
}

size_t order_end_transients(struct bounce_order *order, const struct bounce_event *event,
                            struct bounce_event *events, size_t room)
{
    bool is_map = event->kind == BOUNCE_EVENT_MAP, comes = event->flags & BOUNCE_EVENT_TRANSIENT;
    size_t made = 0;

    if (event->kind == BOUNCE_EVENT_RESTART)
        order->ntransients = 0;
    for (uint32_t i = 0; i < order->ntransients;) {
        const struct bounce_event *map = &order->transients[i];
        bool over = comes && map->tlb_addr < event->tlb_addr + event->size &&
                    event->tlb_addr < map->tlb_addr + map->size;

        if (over && made < room)
            events[made++] = end_of(map, event->time_ns);
        if (over || (event->handle == map->handle && (is_map || event->kind == BOUNCE_EVENT_UNMAP)))
            order->transients[i] = order->transients[--order->ntransients];
        else
            i++;
    }
    if (is_map && comes && order->ntransients < TRANSIENTS_MAX)
        order->transients[order->ntransients++] = *event;
    return made;
}
