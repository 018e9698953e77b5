/* SPDX-License-Identifier: Apache-2.0 */
/* As "[RFC 0/7] Introduce swiotlb throttling" (Michael Kelley, 2024-08-22) has it: a semaphore that
 * a map of a device that may wait must have while more than `high` slots are in use, or more than
 * `low` while another has it; the unmap gives it on, in the order in which they came. Of a scatter
 * list only the first entry asks.
 *
 * The trace is recorded, so a map that waits takes all that belongs to it along (groups.h): it
 * happens as much later as the map does, and the buffer lives as long as it did. */
#include "throttle.h"

#include "groups.h"

#include <stdlib.h>
#include <string.h>

#define NONE GROUP_NONE

struct throttle {
    struct bounce_replay *replay;
    uint64_t high; /* slots */
    uint64_t low;
    char **names; /* of devices that may wait; none: all may */
    size_t nnames;
    int8_t *may; /* a device: 1 it may, -1 it may not, 0 not asked yet */
    size_t nmay;
    uint32_t holder; /* handle that has the semaphore, or NONE */
    uint32_t first;  /* the queue of groups */
    uint32_t last;
    uint64_t waiting; /* groups in it */
    struct groups groups;
    struct bounce_stats stats; /* its section throttle */
};

enum bounce_status throttle_create(const struct bounce_throttle_config *config, uint64_t nslabs,
                                   struct bounce_replay *replay, struct throttle **out,
                                   struct bounce_error *error)
{
    struct throttle *t;

    if (config->low_percent > config->high_percent || config->high_percent > 100)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "throttling from %u %% down to %u %%; LOW <= HIGH <= 100 was expected",
                             config->high_percent, config->low_percent);
    t = calloc(1, sizeof(*t));
    if (!t)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    t->replay = replay;
    t->high = nslabs * config->high_percent / 100;
    t->low = nslabs * config->low_percent / 100;
    t->holder = t->first = t->last = NONE;
    groups_init(&t->groups);
    t->names = calloc(config->ndevices + 1, sizeof(*t->names));
    while (t->names && t->nnames < config->ndevices) {
        t->names[t->nnames] = strdup(config->devices[t->nnames]);
        if (!t->names[t->nnames])
            break;
        t->nnames++;
    }
    if (!t->names || t->nnames < config->ndevices) {
        throttle_destroy(t);
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    }
    *out = t;
    return BOUNCE_OK;
}

void throttle_destroy(struct throttle *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->names && i < t->nnames; i++)
        free(t->names[i]);
    free(t->names);
    free(t->may);
    groups_free(&t->groups);
    free(t);
}

/* ---- the semaphore ---- */

static bool may_wait(struct throttle *t, const struct bounce_device *devices, uint16_t device)
{
    if (!t->nnames)
        return true;
    if (device >= t->nmay) {
        int8_t *more = realloc(t->may, device + 1u);

        if (!more)
            return false; /* the next allocation says so */
        memset(more + t->nmay, 0, device + 1u - t->nmay);
        t->may = more;
        t->nmay = device + 1u;
    }
    if (!t->may[device]) {
        t->may[device] = -1;
        for (size_t i = 0; i < t->nnames; i++)
            if (strcmp(t->names[i], devices[device].name) == 0)
                t->may[device] = 1;
    }
    return t->may[device] > 0;
}

/* Whether the map needs the semaphore. */
static bool is_throttled(struct throttle *t, const struct bounce_device *devices,
                         const struct bounce_event *event)
{
    bool inner = (event->flags & BOUNCE_EVENT_IN_LIST) && !(event->flags & BOUNCE_EVENT_LIST_FIRST);
    uint64_t used = bounce_swiotlb_get_counts(bounce_replay_mem(t->replay))->used;

    if (event->kind != BOUNCE_EVENT_MAP || inner || used <= t->low ||
        !may_wait(t, devices, event->device) ||
        !replay_bounces(t->replay, &devices[event->device], event))
        return false;
    if (used > t->high)
        t->stats.throttle_above_high++;
    else if (t->holder != NONE)
        t->stats.throttle_above_low++;
    else
        return false;
    return true;
}

static bool is_unmapped(const struct throttle *t, uint32_t handle)
{
    const struct bounce_mapping *mapping = bounce_replay_mapping(t->replay, handle);

    return !mapping || mapping->state == BOUNCE_UNMAPPED;
}

static enum bounce_status apply(struct throttle *t, const struct bounce_device *devices,
                                struct bounce_event *event, uint64_t now)
{
    enum bounce_status status;

    event->time_ns = now;
    status = replay_apply(t->replay, devices, event);
    if (event->kind == BOUNCE_EVENT_UNMAP)
        groups_give_handle(&t->groups, event->handle);
    return status;
}

/* The first of the queue has the semaphore. */
static enum bounce_status grant(struct throttle *t, const struct bounce_device *devices,
                                uint64_t now)
{
    uint32_t g = t->first;
    struct bounce_event event;
    enum bounce_status status;
    uint64_t waited;

    t->first = t->groups.groups[g].next;
    if (t->first == NONE)
        t->last = NONE;
    t->waiting--;
    groups_release(&t->groups, g, now, &event);
    waited = t->groups.groups[g].delay;
    t->stats.throttle_wait_ns += waited;
    if (waited > t->stats.throttle_wait_ns_max)
        t->stats.throttle_wait_ns_max = waited;
    t->holder = event.handle;
    status = apply(t, devices, &event, now);
    groups_leave(&t->groups, g);
    return status;
}

/* After whatever may have unmapped the holder's buffer, its own failure included. */
static enum bounce_status settle(struct throttle *t, const struct bounce_device *devices,
                                 uint64_t now)
{
    enum bounce_status status = BOUNCE_OK;

    while (!status && t->holder != NONE && is_unmapped(t, t->holder)) {
        t->holder = NONE;
        if (t->first != NONE)
            status = grant(t, devices, now);
    }
    return status;
}

static enum bounce_status happen(struct throttle *t, const struct bounce_device *devices,
                                 struct bounce_event *event, uint64_t now)
{
    enum bounce_status status = apply(t, devices, event, now);

    return status ? status : settle(t, devices, now);
}

/* What was put off to `until` or before. */
static enum bounce_status run_until(struct throttle *t, const struct bounce_device *devices,
                                    uint64_t until)
{
    struct later *later = &t->groups.later;
    enum bounce_status status = BOUNCE_OK;

    while (!status && !later_is_empty(later) && later_due(later) <= until) {
        uint64_t now = later_due(later);
        struct bounce_event event;
        uint32_t g;

        later_take(later, &event, &g);
        status = happen(t, devices, &event, now);
        groups_leave(&t->groups, g);
    }
    return status;
}

/* ---- events of the trace ---- */

/* The map has to wait: it and all that belongs to it goes to the end of the queue. */
static enum bounce_status queue(struct throttle *t, struct group_slot *slot,
                                const struct bounce_event *event)
{
    uint32_t g = groups_begin(&t->groups, slot, event->time_ns);

    if (g == NONE)
        return BOUNCE_NO_MEMORY;
    if (t->last == NONE)
        t->first = g;
    else
        t->groups.groups[t->last].next = g;
    t->last = g;
    t->stats.throttle_waited++;
    if (++t->waiting > t->stats.throttle_waiting_hiwater)
        t->stats.throttle_waiting_hiwater = t->waiting;
    return groups_put_off(&t->groups, g, event);
}

/* A handle used again although the trace has no unmap of what it was: that ends when it may. */
static enum bounce_status end_late(struct throttle *t, struct group_slot *slot,
                                   const struct bounce_event *event)
{
    struct bounce_event unmap = *event;
    enum bounce_status status;

    unmap.kind = BOUNCE_EVENT_UNMAP;
    unmap.handle = slot->handle;
    unmap.attrs = BOUNCE_ATTR_SKIP_CPU_SYNC;
    status = groups_put_off(&t->groups, slot->group, &unmap);
    groups_forget(&t->groups, slot);
    return status;
}

/* Puts our handles in place of the trace's; *group becomes that of the scatter list whose first
 * entry waits or is late. */
static enum bounce_status translate(struct throttle *t, struct bounce_event *event,
                                    struct group_slot **slot, uint32_t *group)
{
    bool in_list = event->flags & BOUNCE_EVENT_IN_LIST;
    uint32_t own = event->handle, list = event->list;
    struct group_slot *of_list;

    *group = NONE;
    if (in_list && !groups_slot(&t->groups, list))
        return BOUNCE_NO_MEMORY;
    *slot = groups_slot(&t->groups, own);
    if (!*slot)
        return BOUNCE_NO_MEMORY;
    if ((*slot)->group != NONE && end_late(t, *slot, event))
        return BOUNCE_NO_MEMORY;
    if (!groups_take_handle(&t->groups, *slot))
        return BOUNCE_NO_MEMORY;
    event->handle = (*slot)->handle;
    if (!in_list)
        return BOUNCE_OK;
    of_list = groups_slot(&t->groups, list);
    if (!groups_take_handle(&t->groups, of_list))
        return BOUNCE_NO_MEMORY;
    event->list = of_list->handle;
    if (list != own)
        *group = of_list->group;
    return BOUNCE_OK;
}

static enum bounce_status on_map(struct throttle *t, const struct bounce_device *devices,
                                 struct bounce_event *event)
{
    struct group_slot *slot;
    uint32_t g;
    enum bounce_status status = translate(t, event, &slot, &g);

    if (status)
        return status;
    if (g != NONE) {
        groups_join(&t->groups, g, slot);
        return groups_put_off(&t->groups, g, event);
    }
    if (is_throttled(t, devices, event)) {
        if (t->holder != NONE)
            return queue(t, slot, event);
        t->holder = event->handle;
    }
    return happen(t, devices, event, event->time_ns);
}

static enum bounce_status on_other(struct throttle *t, const struct bounce_device *devices,
                                   struct bounce_event *event)
{
    struct group_slot *slot = groups_slot(&t->groups, event->handle);
    enum bounce_status status;

    if (!slot || !groups_take_handle(&t->groups, slot))
        return BOUNCE_NO_MEMORY;
    event->handle = slot->handle;
    if (slot->group != NONE)
        status = groups_put_off(&t->groups, slot->group, event);
    else
        status = happen(t, devices, event, event->time_ns);
    if (event->kind == BOUNCE_EVENT_UNMAP)
        groups_forget(&t->groups, slot);
    return status;
}

/* Another boot: who waited is gone. */
static void start_again(struct throttle *t)
{
    t->stats.throttle_never += t->waiting;
    t->waiting = 0;
    t->holder = t->first = t->last = NONE;
    groups_clear(&t->groups);
}

enum bounce_status throttle_run(struct throttle *t, const struct bounce_device *devices,
                                const struct bounce_event *events, size_t count)
{
    enum bounce_status status = BOUNCE_OK;

    for (size_t i = 0; i < count && !status; i++) {
        struct bounce_event event = events[i];

        status = run_until(t, devices, event.time_ns);
        if (status)
            break;
        switch ((enum bounce_event_kind)event.kind) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            status = on_map(t, devices, &event);
            break;
        case BOUNCE_EVENT_UNMAP:
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            status = on_other(t, devices, &event);
            break;
        case BOUNCE_EVENT_RESTART:
            start_again(t);
            status = replay_apply(t->replay, devices, &event);
            break;
        default:
            status = replay_apply(t->replay, devices, &event);
        }
    }
    return status;
}

enum bounce_status throttle_finish(struct throttle *t, const struct bounce_device *devices)
{
    return run_until(t, devices, UINT64_MAX);
}

void throttle_stats(const struct throttle *t, struct bounce_stats *stats)
{
    stats->throttle_above_high = t->stats.throttle_above_high;
    stats->throttle_above_low = t->stats.throttle_above_low;
    stats->throttle_waited = t->stats.throttle_waited;
    stats->throttle_waiting_hiwater = t->stats.throttle_waiting_hiwater;
    stats->throttle_wait_ns = t->stats.throttle_wait_ns;
    stats->throttle_wait_ns_max = t->stats.throttle_wait_ns_max;
    stats->throttle_never = t->stats.throttle_never + t->waiting;
}
