/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_state.h"

#include <stdlib.h>
#include <string.h>

#define SIZES_KEPT 4096u /* distinct sizes and list lengths of a stream that stay exact */

enum bounce_status bounce_profile_create(const struct bounce_profile_config *config,
                                         struct bounce_profile **out, struct bounce_error *error)
{
    struct bounce_profile *p = calloc(1, sizeof(*p));
    uint64_t window_ns = 1000000;

    if (!p)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    p->config = *config;
    for (unsigned i = 0; i < BOUNCE_BURSTS; i++, window_ns *= 10)
        p->totals.bursts[i].window_ns = window_ns;
    *out = p;
    return BOUNCE_OK;
}

static void free_stream(struct bounce_profile_stream *stream)
{
    if (!stream)
        return;
    bounce_histogram_free(&stream->sizes);
    bounce_histogram_free(&stream->lifetimes);
    bounce_histogram_free(&stream->segments);
    for (unsigned i = 0; i < BOUNCE_PROFILE_LOADS; i++) {
        bounce_histogram_free(&stream->loads[i].gaps);
        bounce_histogram_free(&stream->loads[i].times);
        bounce_histogram_free(&stream->loads[i].sizes);
    }
    free(stream);
}

void bounce_profile_destroy(struct bounce_profile *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->ndevices; i++)
        for (unsigned dir = 0; dir < DIRS; dir++)
            free_stream(p->devices[i].streams[dir]);
    free(p->devices);
    free(p->live);
    free(p->cpus);
    free(p->service.ring);
    free(p);
}

struct bounce_profile_stream *profile_stream(struct bounce_profile *p, uint16_t device, uint8_t dir)
{
    struct bounce_profile_stream *stream;

    if (device >= p->ndevices) {
        size_t wanted = device + 1u;
        struct device_profile *more = realloc(p->devices, wanted * sizeof(*more));

        if (!more)
            return NULL;
        memset(more + p->ndevices, 0, (wanted - p->ndevices) * sizeof(*more));
        p->devices = more;
        p->ndevices = wanted;
    }
    stream = p->devices[device].streams[dir % DIRS];
    if (!stream) {
        stream = calloc(1, sizeof(*stream));
        if (!stream)
            return NULL;
        stream->sizes.exact = stream->segments.exact = SIZES_KEPT;
        for (unsigned i = 0; i < BOUNCE_PROFILE_LOADS; i++)
            stream->loads[i].sizes.exact = SIZES_KEPT;
        p->devices[device].streams[dir % DIRS] = stream;
    }
    return stream;
}

struct live *profile_live(struct bounce_profile *p, uint32_t handle)
{
    uint32_t room = p->room ? p->room : 256;
    struct live *more;

    if (handle < p->room)
        return &p->live[handle];
    while (room <= handle)
        room *= 2;
    more = realloc(p->live, room * sizeof(*more));
    if (!more)
        return NULL;
    memset(more + p->room, 0, (room - p->room) * sizeof(*more));
    p->live = more;
    p->room = room;
    return &p->live[handle];
}

static enum bounce_status on_sync(struct bounce_profile *p, const struct bounce_event *event)
{
    struct bounce_profile_stream *stream = profile_stream(p, event->device, event->dir);

    if (!stream)
        return BOUNCE_NO_MEMORY;
    stream->syncs++;
    stream->sync_bytes += event->size;
    return BOUNCE_OK;
}

static enum bounce_status end_all(struct bounce_profile *p)
{
    enum bounce_status status = BOUNCE_OK;

    for (uint32_t i = 0; i < p->room && !status; i++)
        status = profile_end(p, &p->live[i], false);
    return status ? status : profile_drop_service(p);
}

enum bounce_status bounce_profile_add(struct bounce_profile *p, const struct bounce_device *devices,
                                      const struct bounce_event *events, size_t count)
{
    enum bounce_status status = BOUNCE_OK;

    for (size_t i = 0; i < count && !status; i++) {
        const struct bounce_event *event = &events[i];

        if (p->config.assume_service)
            status = profile_serve(p, event->time_ns > p->now_ns ? event->time_ns : p->now_ns);
        if (event->time_ns > p->now_ns)
            p->now_ns = event->time_ns;
        if (status)
            break;
        switch ((enum bounce_event_kind)event->kind) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            status = profile_map(p, devices, event);
            break;
        case BOUNCE_EVENT_ISSUE:
            status = profile_issue(p, devices, event);
            break;
        case BOUNCE_EVENT_UNMAP:
        case BOUNCE_EVENT_COMPLETE:
            if (!p->config.assume_service && event->handle < p->room)
                status =
                    profile_end(p, &p->live[event->handle], !(event->flags & BOUNCE_EVENT_IMPLIED));
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            status = on_sync(p, event);
            break;
        case BOUNCE_EVENT_RESTART:
            p->totals.restarts++;
            status = end_all(p);
            break;
        case BOUNCE_EVENT_WORKER:
        case BOUNCE_EVENT_LOST:
        case BOUNCE_EVENT_GROW:
            break;
        }
    }
    return status;
}

enum bounce_status bounce_profile_finish(struct bounce_profile *p, uint64_t span_ns)
{
    p->totals.last_ns = p->now_ns;
    level_average(&p->level, span_ns);
    for (size_t i = 0; i < p->ndevices; i++)
        level_average(&p->devices[i].level, span_ns);
    if (profile_serve(p, UINT64_MAX)) /* they do end, after the trace */
        return BOUNCE_NO_MEMORY;
    /* Lists that are still mapped have their lengths, too. */
    for (uint32_t i = 0; i < p->room; i++) {
        const struct live *l = &p->live[i];

        if (l->is_live && l->pieces && !l->held &&
            bounce_histogram_add(&p->devices[l->device].streams[l->dir]->segments, l->pieces, 1))
            return BOUNCE_NO_MEMORY;
    }
    p->totals.level = p->level.seen;
    return BOUNCE_OK;
}

const struct bounce_profile_totals *bounce_profile_get_totals(const struct bounce_profile *p)
{
    return &p->totals;
}

const struct bounce_level *bounce_profile_device_level(const struct bounce_profile *p,
                                                       size_t device)
{
    return device < p->ndevices ? &p->devices[device].level.seen : NULL;
}

const struct bounce_profile_stream *bounce_profile_stream_of(const struct bounce_profile *p,
                                                             size_t device, enum bounce_dir dir)
{
    return device < p->ndevices ? p->devices[device].streams[dir % DIRS] : NULL;
}

uint64_t bounce_profile_cpu_maps(const struct bounce_profile *p, uint32_t cpu)
{
    return cpu < p->ncpus ? p->cpus[cpu] : 0;
}
