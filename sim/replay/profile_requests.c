/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, and those whose ends the trace does not have. */
#include "cut.h"
#include "profile_state.h"

#include <stdlib.h>

#define SERVICE_LIMIT (1u << 20)

static uint64_t slots_of_request(const struct bounce_device *device,
                                 const struct bounce_event *event, uint64_t *most)
{
    struct cut cut = cut_request(event, device);
    uint64_t left = event->size, slots = 0;

    for (uint32_t i = 0; i < cut.pieces; i++) {
        uint64_t size = cut_piece(&cut, i, left);
        uint64_t taken = rounded_slots(size);

        left -= size;
        slots += taken;
        *most = taken > *most ? taken : *most;
    }
    return slots;
}

/* Requests end one after the other, all of them after the same time. */
static enum bounce_status push(struct bounce_profile *p, const struct live *l)
{
    struct service *s = &p->service;
    struct live *place;

    if (s->count == s->room) {
        uint32_t room = s->room ? 2 * s->room : 256;
        struct live *more;

        if (room > SERVICE_LIMIT) {
            p->totals.not_tracked++;
            return BOUNCE_OK;
        }
        more = malloc(room * sizeof(*more));
        if (!more)
            return BOUNCE_NO_MEMORY;
        for (uint32_t i = 0; i < s->count; i++)
            more[i] = s->ring[(s->head + i) % s->room];
        free(s->ring);
        s->ring = more;
        s->room = room;
        s->head = 0;
    }
    place = &s->ring[(s->head + s->count++) % s->room];
    *place = *l;
    return profile_begin(p, place);
}

enum bounce_status profile_issue(struct bounce_profile *p, const struct bounce_device *devices,
                                 const struct bounce_event *event)
{
    struct bounce_profile_stream *stream = profile_stream(p, event->device, event->dir);
    bool assumed = p->config.assume_service;
    struct live *l = assumed ? NULL : profile_live(p, event->handle);
    struct live begun = {
        .since_ns = p->now_ns,
        .size = event->size,
        .pieces = event->segments ? event->segments : 1,
        .device = event->device,
        .dir = event->dir % DIRS,
    };
    enum bounce_status status;

    if (!stream || (!l && !assumed))
        return BOUNCE_NO_MEMORY;
    begun.slots = slots_of_request(&devices[event->device], event, &stream->slots_max);
    stream->unaligned += ((event->offset | event->size) & PAGE_MASK_4K) != 0;
    p->totals.has_offsets |= event->offset != 0;
    status = profile_count(p, stream, event, begun.slots);
    if (status)
        return status;
    if (!l)
        return push(p, &begun);
    status = profile_end(p, l, false);
    if (status)
        return status;
    *l = begun;
    return profile_begin(p, l);
}

/* The first of the ring ends. */
static enum bounce_status pop(struct bounce_profile *p, bool seen)
{
    struct service *s = &p->service;
    struct live *first = &s->ring[s->head];

    s->head = (s->head + 1) % s->room;
    s->count--;
    return profile_end(p, first, seen);
}

enum bounce_status profile_serve(struct bounce_profile *p, uint64_t until_ns)
{
    const struct service *s = &p->service;
    uint64_t now_ns = p->now_ns, service_ns = p->config.service_ns;
    enum bounce_status status = BOUNCE_OK;

    while (s->count && !status && until_ns - s->ring[s->head].since_ns >= service_ns) {
        p->now_ns = s->ring[s->head].since_ns + service_ns;
        status = pop(p, true);
    }
    p->now_ns = now_ns > p->now_ns ? now_ns : p->now_ns;
    return status;
}

enum bounce_status profile_drop_service(struct bounce_profile *p)
{
    enum bounce_status status = BOUNCE_OK;

    while (p->service.count && !status)
        status = pop(p, false);
    return status;
}
