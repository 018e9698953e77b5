/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/profile.h"

#include "cut.h"

#include "bounce/boot.h"
#include "bounce/dma.h"
#include "bounce/swiotlb.h"

#include <stdlib.h>
#include <string.h>

#define SIZES_KEPT    4096u /* distinct sizes and list lengths of a stream that stay exact */
#define DIRS          4u
#define PAGE_MASK_4K  UINT64_C(0xfff)
#define MAPPING_LIMIT ((uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT)
#define SERVICE_LIMIT (1u << 20)

__extension__ typedef unsigned __int128 wide; /* bytes times nanoseconds */

/* Level with the time-weighted sums behind its means. */
struct area {
    struct bounce_level level;
    uint64_t since_ns;
    wide maps;
    wide bytes;
    wide slots;
};

enum live_state { NOT_LIVE, LIVE };

struct live {
    uint64_t since_ns;
    uint64_t size;
    uint64_t slots;
    uint32_t pieces; /* of the list that it begins, or 1; 0: not the first of its list */
    uint16_t device;
    uint8_t dir;
    uint8_t load; /* of its stream when it began */
    uint8_t state;
    bool held;
};

struct device_profile {
    struct area area;
    struct bounce_profile_stream *streams[DIRS];
};

struct bounce_profile {
    struct bounce_profile_config config;
    struct bounce_profile_totals totals;
    struct area area;
    uint64_t now_ns;
    struct device_profile *devices;
    size_t ndevices;
    struct live *live; /* by handle */
    uint32_t room;
    uint64_t *cpus;
    uint32_t ncpus;
    struct live *service; /* ring: requests of assumed length, in the order of their ends */
    uint32_t service_room;
    uint32_t service_head;
    uint32_t service_count;
};

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
    free(p->service);
    free(p);
}

/* ---- room ---- */

static struct bounce_profile_stream *stream_of(struct bounce_profile *p, uint16_t device,
                                               uint8_t dir)
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

static struct live *live_at(struct bounce_profile *p, uint32_t handle)
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

/* ---- levels ---- */

static void advance(struct area *area, uint64_t now_ns)
{
    uint64_t passed = now_ns - area->since_ns;

    area->maps += (wide)area->level.maps * passed;
    area->bytes += (wide)area->level.bytes * passed;
    area->slots += (wide)area->level.slots * passed;
    area->since_ns = now_ns;
}

static void raise(struct area *area, uint64_t now_ns, const struct live *l)
{
    struct bounce_level *level = &area->level;

    advance(area, now_ns);
    level->maps++;
    level->bytes += l->size;
    level->slots += l->slots;
    if (level->maps > level->maps_peak)
        level->maps_peak = level->maps;
    if (level->bytes > level->bytes_peak)
        level->bytes_peak = level->bytes;
    if (level->slots > level->slots_peak) {
        level->slots_peak = level->slots;
        level->slots_peak_ns = now_ns;
    }
}

static void lower(struct area *area, uint64_t now_ns, const struct live *l)
{
    advance(area, now_ns);
    area->level.maps--;
    area->level.bytes -= l->size;
    area->level.slots -= l->slots;
}

static void average(struct area *area, uint64_t span_ns)
{
    struct bounce_level *level = &area->level;

    if (area->since_ns < span_ns)
        advance(area, span_ns);
    if (!span_ns)
        return;
    level->maps_mean = (double)area->maps / (double)span_ns;
    level->bytes_mean = (double)area->bytes / (double)span_ns;
    level->slots_mean = (double)area->slots / (double)span_ns;
}

static void count_burst(struct bounce_burst *burst, uint64_t now_ns, uint64_t bytes, uint64_t slots)
{
    uint64_t index = now_ns / burst->window_ns;

    if (index != burst->index) {
        burst->index = index;
        burst->maps = burst->bytes = burst->slots = 0;
    }
    burst->maps++;
    burst->bytes += bytes;
    burst->slots += slots;
    if (burst->maps > burst->maps_peak) {
        burst->maps_peak = burst->maps;
        burst->maps_peak_ns = index * burst->window_ns;
    }
    if (burst->bytes > burst->bytes_peak)
        burst->bytes_peak = burst->bytes;
    if (burst->slots > burst->slots_peak)
        burst->slots_peak = burst->slots;
}

static uint8_t load_of(uint64_t in_flight)
{
    unsigned load = 63 - (unsigned)__builtin_clzll(in_flight);

    return (uint8_t)(load < BOUNCE_PROFILE_LOADS ? load : BOUNCE_PROFILE_LOADS - 1);
}

/* ---- slots ---- */

static uint64_t rounded_slots(uint64_t size)
{
    return (size >> BOUNCE_SLOT_SHIFT) +
           ((size & ((UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1)) ? 1 : 0);
}

static uint64_t slots_of_map(const struct bounce_device *device, const struct bounce_event *event)
{
    const struct bounce_map_request request = {.device = device,
                                               .orig_addr = event->orig_addr,
                                               .size = event->size,
                                               .alloc_align_mask = event->alloc_align_mask,
                                               .cpu = event->cpu};

    return bounce_swiotlb_slots(&request, event->kind == BOUNCE_EVENT_ALLOC);
}

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

static bool bounces(const struct bounce_profile *p, const struct bounce_device *device,
                    const struct bounce_event *event)
{
    const struct bounce_dma dma = {.force = p->config.force,
                                   .allocator_calls = p->config.allocator_calls};

    if (event->kind == BOUNCE_EVENT_ALLOC || event->recorded >= BOUNCE_RECORDED_ADDRESS)
        return true;
    if (event->recorded == BOUNCE_RECORDED_DIRECT || p->config.tells_bounces)
        return false;
    return bounce_dma_must_bounce(&dma, device, event->orig_addr, event->size);
}

/* ---- begin and end ---- */

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

static enum bounce_status end_operation(struct bounce_profile_stream *stream, const struct live *l,
                                        uint64_t lasted_ns, bool seen)
{
    enum bounce_status status = bounce_histogram_add(&stream->segments, l->pieces, 1);

    stream->in_flight--;
    if (!status && seen)
        status = bounce_histogram_add(&stream->loads[l->load].times, lasted_ns, 1);
    return status;
}

static void start(struct bounce_profile *p, const struct live *l)
{
    raise(&p->area, p->now_ns, l);
    raise(&p->devices[l->device].area, p->now_ns, l);
}

/* `seen`: its end is in the trace. */
static enum bounce_status end(struct bounce_profile *p, struct live *l, bool seen)
{
    struct bounce_profile_stream *stream = p->devices[l->device].streams[l->dir];
    uint64_t lasted_ns = p->now_ns > l->since_ns ? p->now_ns - l->since_ns : 0;
    enum bounce_status status = BOUNCE_OK;

    if (l->state == NOT_LIVE)
        return status;
    l->state = NOT_LIVE;
    lower(&p->area, p->now_ns, l);
    lower(&p->devices[l->device].area, p->now_ns, l);
    stream->live--;
    seen = seen && !l->held;
    stream->ended += seen;
    if (seen)
        status = bounce_histogram_add(&stream->lifetimes, lasted_ns, 1);
    if (!status && l->pieces && !l->held)
        status = end_operation(stream, l, lasted_ns, seen);
    return status;
}

static enum bounce_status count_map(struct bounce_profile *p, struct bounce_profile_stream *stream,
                                    const struct bounce_event *event, uint64_t slots)
{
    stream->maps++;
    stream->bytes += event->size;
    stream->oversize += event->size > MAPPING_LIMIT;
    stream->slots += slots;
    for (unsigned i = 0; i < BOUNCE_BURSTS; i++)
        count_burst(&p->totals.bursts[i], p->now_ns, event->size, slots);
    if (!count_cpu(p, event->cpu))
        return BOUNCE_NO_MEMORY;
    return bounce_histogram_add(&stream->sizes, event->size, 1);
}

static enum bounce_status on_map(struct bounce_profile *p, const struct bounce_device *devices,
                                 const struct bounce_event *event)
{
    const struct bounce_device *device = &devices[event->device];
    /* Of a failed list only swiotlb_bounced is recorded, which tells no direction. */
    uint8_t dir = event->flags & BOUNCE_EVENT_LIST_OPEN ? BOUNCE_DIR_NONE : event->dir % DIRS;
    struct bounce_profile_stream *stream = stream_of(p, event->device, dir);
    struct live *l = live_at(p, event->handle);
    bool first = !(event->flags & BOUNCE_EVENT_IN_LIST) || (event->flags & BOUNCE_EVENT_LIST_FIRST);
    bool bounced = bounces(p, device, event);
    uint64_t slots = bounced ? slots_of_map(device, event) : 0;
    enum bounce_status status;

    if (bounce_event_is_hidden(event))
        return BOUNCE_OK;
    if (!stream || !l)
        return BOUNCE_NO_MEMORY;
    status = end(p, l, false);
    if (status)
        return status;
    if (event->flags & BOUNCE_EVENT_HELD) {
        stream->held++;
    } else {
        stream->bounced += bounced;
        stream->bounced_bytes += bounced ? event->size : 0;
        stream->unaligned += (event->orig_addr & PAGE_MASK_4K) != 0;
        if (bounced)
            stream->padded_slots += slots - rounded_slots(event->size);
        stream->slots_max = slots > stream->slots_max ? slots : stream->slots_max;
        status = count_map(p, stream, event, slots);
        if (status)
            return status;
        stream->failed += event->recorded == BOUNCE_RECORDED_FULL;
        stream->tried += event->recorded == BOUNCE_RECORDED_TRIED;
        if (event->recorded == BOUNCE_RECORDED_FULL || event->recorded == BOUNCE_RECORDED_TRIED)
            return BOUNCE_OK;
    }
    *l = (struct live){
        .since_ns = p->now_ns,
        .size = event->size,
        .slots = slots,
        .pieces = first,
        .device = event->device,
        .dir = dir,
        .state = LIVE,
        .held = (event->flags & BOUNCE_EVENT_HELD) != 0,
    };
    stream->live++;
    start(p, l);
    if (first)
        return l->held ? BOUNCE_OK : begin_operation(p, stream, l);
    if (event->list >= p->room || p->live[event->list].state != LIVE)
        return BOUNCE_OK;
    p->live[event->list].pieces++;
    return bounce_histogram_add(&stream->loads[p->live[event->list].load].sizes, event->size, 1);
}

/* Requests that end one after the other, all of them after the same time. */
static enum bounce_status push_service(struct bounce_profile *p, const struct live *l)
{
    if (p->service_count == p->service_room) {
        uint32_t room = p->service_room ? 2 * p->service_room : 256;
        struct live *more;

        if (room > SERVICE_LIMIT) {
            p->totals.not_tracked++;
            return BOUNCE_OK;
        }
        more = malloc(room * sizeof(*more));
        if (!more)
            return BOUNCE_NO_MEMORY;
        for (uint32_t i = 0; i < p->service_count; i++)
            more[i] = p->service[(p->service_head + i) % p->service_room];
        free(p->service);
        p->service = more;
        p->service_room = room;
        p->service_head = 0;
    }
    p->service[(p->service_head + p->service_count++) % p->service_room] = *l;
    p->devices[l->device].streams[l->dir]->live++;
    start(p, l);
    return begin_operation(p, p->devices[l->device].streams[l->dir],
                           &p->service[(p->service_head + p->service_count - 1) % p->service_room]);
}

static enum bounce_status end_service(struct bounce_profile *p, uint64_t until_ns)
{
    uint64_t now_ns = p->now_ns;
    enum bounce_status status = BOUNCE_OK;

    while (p->service_count && !status) {
        struct live *first = &p->service[p->service_head];

        if (until_ns - first->since_ns < p->config.service_ns)
            break;
        p->now_ns = first->since_ns + p->config.service_ns;
        status = end(p, first, true);
        p->service_head = (p->service_head + 1) % p->service_room;
        p->service_count--;
    }
    p->now_ns = now_ns > p->now_ns ? now_ns : p->now_ns;
    return status;
}

static enum bounce_status on_issue(struct bounce_profile *p, const struct bounce_device *devices,
                                   const struct bounce_event *event)
{
    struct bounce_profile_stream *stream = stream_of(p, event->device, event->dir);
    struct live *l = p->config.assume_service ? NULL : live_at(p, event->handle);
    struct live begun = {
        .since_ns = p->now_ns,
        .size = event->size,
        .pieces = event->segments ? event->segments : 1,
        .device = event->device,
        .dir = event->dir % DIRS,
        .state = LIVE,
    };
    enum bounce_status status;

    if (!stream || (!l && !p->config.assume_service))
        return BOUNCE_NO_MEMORY;
    begun.slots = slots_of_request(&devices[event->device], event, &stream->slots_max);
    stream->unaligned += ((event->offset | event->size) & PAGE_MASK_4K) != 0;
    p->totals.has_offsets |= event->offset != 0;
    status = count_map(p, stream, event, begun.slots);
    if (status)
        return status;
    if (p->config.assume_service)
        return push_service(p, &begun);
    status = end(p, l, false);
    if (status)
        return status;
    *l = begun;
    stream->live++;
    start(p, l);
    return begin_operation(p, stream, l);
}

static enum bounce_status on_sync(struct bounce_profile *p, const struct bounce_event *event)
{
    struct bounce_profile_stream *stream = stream_of(p, event->device, event->dir);

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
        status = end(p, &p->live[i], false);
    for (; p->service_count && !status; p->service_count--) {
        status = end(p, &p->service[p->service_head], false);
        p->service_head = (p->service_head + 1) % p->service_room;
    }
    return status;
}

enum bounce_status bounce_profile_add(struct bounce_profile *p, const struct bounce_device *devices,
                                      const struct bounce_event *events, size_t count)
{
    enum bounce_status status = BOUNCE_OK;

    for (size_t i = 0; i < count && !status; i++) {
        const struct bounce_event *event = &events[i];

        if (p->config.assume_service)
            status = end_service(p, event->time_ns > p->now_ns ? event->time_ns : p->now_ns);
        if (event->time_ns > p->now_ns)
            p->now_ns = event->time_ns;
        if (status)
            break;
        switch ((enum bounce_event_kind)event->kind) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            status = on_map(p, devices, event);
            break;
        case BOUNCE_EVENT_ISSUE:
            status = on_issue(p, devices, event);
            break;
        case BOUNCE_EVENT_UNMAP:
        case BOUNCE_EVENT_COMPLETE:
            if (!p->config.assume_service && event->handle < p->room)
                status = end(p, &p->live[event->handle], !(event->flags & BOUNCE_EVENT_IMPLIED));
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
    average(&p->area, span_ns);
    for (size_t i = 0; i < p->ndevices; i++)
        average(&p->devices[i].area, span_ns);
    if (end_service(p, UINT64_MAX)) /* they do end, after the trace */
        return BOUNCE_NO_MEMORY;
    /* Lists that are still mapped have their lengths, too. */
    for (uint32_t i = 0; i < p->room; i++) {
        const struct live *l = &p->live[i];

        if (l->state == LIVE && l->pieces && !l->held &&
            bounce_histogram_add(&p->devices[l->device].streams[l->dir]->segments, l->pieces, 1))
            return BOUNCE_NO_MEMORY;
    }
    p->totals.level = p->area.level;
    return BOUNCE_OK;
}

const struct bounce_profile_totals *bounce_profile_get_totals(const struct bounce_profile *p)
{
    return &p->totals;
}

const struct bounce_level *bounce_profile_device_level(const struct bounce_profile *p,
                                                       size_t device)
{
    return device < p->ndevices ? &p->devices[device].area.level : NULL;
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
