/* SPDX-License-Identifier: Apache-2.0 */
/* What begins and ends: mappings and requests, and the operations that they make up. */
#include "profile_state.h"

#include <stdlib.h>
#include <string.h>

#define MAPPING_LIMIT ((uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT)

static bool count_cpu(struct bounce_profile *p, uint16_t cpu)
{
    if (cpu >= p->ncpus) {
        uint32_t wanted = cpu + 1u;
        uint64_t *more = realloc(p->cpus, wanted * sizeof(*more));

        if (!more)
            return false;
        memset(more + p->ncpus, 0, (wanted - p->ncpus) * sizeof(*more));
        p->cpus = more;
        p->ncpus = wanted;
    }
    p->cpus[cpu]++;
    return true;
}

enum bounce_status profile_count(struct bounce_profile *p, struct bounce_profile_stream *stream,
                                 const struct bounce_event *event, uint64_t slots)
{
    stream->maps++;
    stream->bytes += event->size;
    stream->oversize += event->size > MAPPING_LIMIT;
    stream->slots += slots;
    bursts_count(p->totals.bursts, p->now_ns, event->size, slots);
    if (!count_cpu(p, event->cpu))
        return BOUNCE_NO_MEMORY;
    return bounce_histogram_add(&stream->sizes, event->size, 1);
}

static uint8_t load_of(uint64_t in_flight)
{
    unsigned load = 63 - (unsigned)__builtin_clzll(in_flight);

    return (uint8_t)(load < BOUNCE_PROFILE_LOADS ? load : BOUNCE_PROFILE_LOADS - 1);
}

/* The first mapping of an operation, or a request. */
static enum bounce_status begin_operation(struct bounce_profile *p,
                                          struct bounce_profile_stream *stream, struct live *l)
{
    enum bounce_status status = BOUNCE_OK;

    if (stream->operations)
        status = bounce_histogram_add(&stream->loads[stream->last_load].gaps,
                                      p->now_ns - stream->last_ns, 1);
    stream->operations++;
    stream->last_ns = p->now_ns;
    stream->in_flight++;
    if (stream->in_flight > stream->in_flight_peak)
        stream->in_flight_peak = stream->in_flight;
    l->load = stream->last_load = load_of(stream->in_flight);
    if (!status)
        status = bounce_histogram_add(&stream->loads[l->load].sizes, l->size, 1);
    return status;
}

enum bounce_status profile_begin(struct bounce_profile *p, struct live *l)
{
    struct bounce_profile_stream *stream = p->devices[l->device].streams[l->dir];

    l->is_live = true;
    stream->live++;
    level_raise(&p->level, p->now_ns, l->size, l->slots);
    level_raise(&p->devices[l->device].level, p->now_ns, l->size, l->slots);
    return l->pieces && !l->held ? begin_operation(p, stream, l) : BOUNCE_OK;
}

static enum bounce_status end_operation(struct bounce_profile_stream *stream, const struct live *l,
                                        uint64_t lasted_ns, bool seen)
{
    enum bounce_status status = bounce_histogram_add(&stream->segments, l->pieces, 1);

    stream->in_flight--;
    if (!status && seen)
        status = bounce_histogram_add(&stream->loads[l->load].times, lasted_ns, 1);
    return status;
}

enum bounce_status profile_end(struct bounce_profile *p, struct live *l, bool seen)
{
    struct bounce_profile_stream *stream = p->devices[l->device].streams[l->dir];
    uint64_t lasted_ns = p->now_ns > l->since_ns ? p->now_ns - l->since_ns : 0;
    enum bounce_status status = BOUNCE_OK;

    if (!l->is_live)
        return status;
    l->is_live = false;
    level_lower(&p->level, p->now_ns, l->size, l->slots);
    level_lower(&p->devices[l->device].level, p->now_ns, l->size, l->slots);
    stream->live--;
    seen = seen && !l->held;
    stream->ended += seen;
    if (seen)
        status = bounce_histogram_add(&stream->lifetimes, lasted_ns, 1);
    if (!status && l->pieces && !l->held)
        status = end_operation(stream, l, lasted_ns, seen);
    return status;
}
