/* SPDX-License-Identifier: Apache-2.0 */
#include "arrivals.h"
#include "deck.h"
#include "dist.h"
#include "due.h"

#include <stdlib.h>
#include <string.h>

#define NONE         UINT32_MAX
#define FILL_STEP_NS 1000u /* a ring is filled one buffer after the other */
#define NS_OF_RATE   UINT64_C(1000000000000)
#define HIGH_PAGES   (UINT64_C(1) << 24) /* 64 GiB above 4 GiB */
#define LOW_PAGES    ((UINT64_C(1) << 20) - 256)
#define DISK_PAGES   (UINT64_C(1) << 28)
#define OUT_ROOM     (4u * BOUNCE_GEN_SEGMENTS)
#define SIZE_MAX_    (UINT64_C(1) << 32)

enum due_kind { ARRIVAL, FILL, END };

struct operation {
    uint32_t stream;
    uint32_t first; /* piece; of free ones the next free */
    uint16_t cpu;
};

struct piece { /* its place is its handle */
    uint64_t id;
    uint64_t size;
    uint32_t next;
};

struct stream_state {
    struct bounce_random random;
    uint64_t clock_ns; /* of its on-times, put together */
    uint64_t in_flight;
    uint64_t waiting;
    uint64_t begun;
    uint32_t *ring;
    uint64_t ring_head;
    uint64_t ring_count;
    struct decks gaps; /* of its loads */
    struct decks lifetimes;
    struct decks sizes;
};

struct bounce_gen {
    const struct bounce_gen_config *config;
    struct stream_state *streams;
    uint64_t *device_in_flight;
    struct agenda agenda;
    struct operation *operations;
    uint32_t operations_room;
    uint32_t free_operation;
    struct piece *pieces;
    uint32_t pieces_room;
    uint32_t free_piece;
    uint32_t live_pieces;
    uint64_t next_id;
    uint64_t now_ns;
    struct bounce_event out[OUT_ROOM];
    uint32_t out_at;
    uint32_t out_count;
};

static enum bounce_status plan(struct bounce_gen *gen, uint64_t after_ns, enum due_kind kind,
                               uint32_t what)
{
    uint64_t time_ns;

    if (__builtin_add_overflow(gen->now_ns, after_ns, &time_ns))
        time_ns = UINT64_MAX;
    return agenda_add(&gen->agenda, time_ns, (uint8_t)kind, what);
}

/* ---- room ---- */

static enum bounce_status new_operation(struct bounce_gen *gen, uint32_t *operation)
{
    if (gen->free_operation == NONE) {
        uint32_t room = gen->operations_room ? 2 * gen->operations_room : 256;
        struct operation *more = realloc(gen->operations, room * sizeof(*more));

        if (!more)
            return BOUNCE_NO_MEMORY;
        for (uint32_t i = room; i-- > gen->operations_room;) {
            more[i].first = gen->free_operation;
            gen->free_operation = i;
        }
        gen->operations = more;
        gen->operations_room = room;
    }
    *operation = gen->free_operation;
    gen->free_operation = gen->operations[*operation].first;
    return BOUNCE_OK;
}

static enum bounce_status new_piece(struct bounce_gen *gen, uint32_t *piece)
{
    if (gen->free_piece == NONE) {
        uint32_t room = gen->pieces_room ? 2 * gen->pieces_room : 256;
        struct piece *more = realloc(gen->pieces, room * sizeof(*more));

        if (!more)
            return BOUNCE_NO_MEMORY;
        for (uint32_t i = room; i-- > gen->pieces_room;) {
            more[i].next = gen->free_piece;
            gen->free_piece = i;
        }
        gen->pieces = more;
        gen->pieces_room = room;
    }
    *piece = gen->free_piece;
    gen->free_piece = gen->pieces[*piece].next;
    gen->live_pieces++;
    return BOUNCE_OK;
}

/* ---- arrivals ---- */

static enum bounce_status plan_arrival(struct bounce_gen *gen, uint32_t number)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint64_t mean = NS_OF_RATE / stream->rate_mhz, time_ns;

    do {
        uint64_t gap = stream->arrivals == BOUNCE_ARRIVALS_REGULAR
                           ? mean
                           : dist_exponential(mean, &state->random);

        gap = gap ? gap : 1;
        if (__builtin_add_overflow(state->clock_ns, gap, &state->clock_ns))
            return BOUNCE_OK; /* beyond all time */
        time_ns = arrivals_time(stream, state->clock_ns);
        if (time_ns >= gen->config->duration_ns)
            return BOUNCE_OK;
    } while (stream->period_ns &&
             bounce_random_below(&state->random, 1000) >= arrivals_permille(stream, time_ns));
    return plan(gen, time_ns - gen->now_ns, ARRIVAL, number);
}

/* Number of the load that holds with so many operations in flight. */
static size_t load_of(const struct bounce_gen_stream *stream, uint64_t in_flight)
{
    size_t n = stream->nloads;

    while (n && stream->loads[n - 1].from > in_flight)
        n--;
    return n ? n - 1 : 0;
}

/* From the loads' own, or the stream's. */
static uint64_t draw(struct bounce_gen *gen, uint32_t number, struct decks *decks,
                     const struct bounce_dist *otherwise)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint64_t value;

    if (decks_draw(decks, load_of(stream, state->in_flight), &state->random, &value))
        return value;
    return bounce_dist_draw(otherwise, &state->random);
}

/* ---- begin and end ---- */

static struct bounce_event *push(struct bounce_gen *gen, enum bounce_event_kind kind,
                                 const struct operation *operation, uint32_t piece)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[operation->stream];
    struct bounce_event *event = &gen->out[gen->out_count++];

    *event = (struct bounce_event){
        .time_ns = gen->now_ns,
        .id = gen->pieces[piece].id,
        .size = gen->pieces[piece].size,
        .handle = piece,
        .list = BOUNCE_NO_LIST,
        .device = stream->device,
        .cpu = operation->cpu,
        .kind = (uint8_t)kind,
        .dir = stream->dir,
    };
    return event;
}

static uint64_t buffer_address(struct bounce_gen *gen, uint32_t number)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct bounce_random *random = &gen->streams[number].random;
    bool high =
        bounce_random_below(random, 100) < gen->config->devices[stream->device].high_percent;
    uint64_t page = high ? (UINT64_C(1) << 20) + bounce_random_below(random, HIGH_PAGES)
                         : 256 + bounce_random_below(random, LOW_PAGES);

    return page << 12 | (bounce_dist_draw(&stream->offset, random) & 4095);
}

/* One mapping, or the request. */
static enum bounce_status begin_piece(struct bounce_gen *gen, uint32_t number, uint32_t operation,
                                      uint32_t *last, uint32_t at, uint32_t count)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint64_t size = draw(gen, number, &state->sizes, &stream->size);
    struct bounce_event *event;
    uint32_t piece;
    enum bounce_status status = new_piece(gen, &piece);

    if (status)
        return status;
    size = size ? size : 1;
    gen->pieces[piece] = (struct piece){gen->next_id++, size < SIZE_MAX_ ? size : SIZE_MAX_, NONE};
    if (at)
        gen->pieces[*last].next = piece;
    else
        gen->operations[operation].first = piece;
    *last = piece;
    event = push(gen, gen->config->requests ? BOUNCE_EVENT_ISSUE : BOUNCE_EVENT_MAP,
                 &gen->operations[operation], piece);
    if (gen->config->requests) {
        uint64_t segments = bounce_dist_draw(&stream->segments, &state->random);

        event->offset = bounce_random_below(&state->random, DISK_PAGES) << 12;
        event->segments = (uint16_t)(segments < UINT16_MAX ? segments : UINT16_MAX);
        return BOUNCE_OK;
    }
    event->orig_addr = buffer_address(gen, number);
    if (count > 1) {
        event->list = gen->operations[operation].first;
        event->flags = (uint8_t)(BOUNCE_EVENT_IN_LIST | (at ? 0 : BOUNCE_EVENT_LIST_FIRST) |
                                 (at + 1 == count ? BOUNCE_EVENT_LIST_LAST : 0));
    }
    return BOUNCE_OK;
}

static enum bounce_status begin(struct bounce_gen *gen, uint32_t number, struct bounce_error *error)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    const struct bounce_gen_device *device = &gen->config->devices[stream->device];
    struct stream_state *state = &gen->streams[number];
    uint64_t wanted =
        gen->config->requests ? 1 : bounce_dist_draw(&stream->segments, &state->random);
    uint32_t count = (uint32_t)(wanted < 1                     ? 1
                                : wanted > BOUNCE_GEN_SEGMENTS ? BOUNCE_GEN_SEGMENTS
                                                               : wanted);
    uint32_t operation, last = NONE;
    enum bounce_status status = new_operation(gen, &operation);
    uint64_t lifetime_ns;

    if (status)
        return status;
    if (gen->live_pieces + count > BOUNCE_GEN_LIVE)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "more than %u mappings are live at a time; shorter lifetimes, a lower "
                             "rate or a queue depth were expected",
                             BOUNCE_GEN_LIVE);
    gen->operations[operation] = (struct operation){
        .stream = number,
        .first = NONE,
        .cpu = device->cpus[bounce_random_below(&state->random, device->ncpus)],
    };
    state->begun++;
    state->in_flight++;
    gen->device_in_flight[stream->device] += !stream->ring;
    for (uint32_t at = 0; at < count; at++) {
        status = begin_piece(gen, number, operation, &last, at, count);
        if (status)
            return status;
    }
    if (stream->ring) {
        state->ring[(state->ring_head + state->ring_count++) % stream->ring] = operation;
        return BOUNCE_OK;
    }
    lifetime_ns = draw(gen, number, &state->lifetimes, &stream->lifetime_ns);
    status = plan(gen, lifetime_ns, END, operation);
    if (!status && stream->arrivals == BOUNCE_ARRIVALS_LOADS)
        status = plan(gen, draw(gen, number, &state->gaps, &stream->gap_ns), ARRIVAL, number);
    return status;
}

static void sync_buffers(struct bounce_gen *gen, uint32_t operation, enum bounce_event_kind kind)
{
    for (uint32_t piece = gen->operations[operation].first; piece != NONE;
         piece = gen->pieces[piece].next)
        push(gen, kind, &gen->operations[operation], piece);
}

static void end(struct bounce_gen *gen, uint32_t operation)
{
    struct operation *o = &gen->operations[operation];
    const struct bounce_gen_stream *stream = &gen->config->streams[o->stream];

    if (stream->sync && !gen->config->requests)
        sync_buffers(gen, operation, BOUNCE_EVENT_SYNC_FOR_CPU);
    for (uint32_t piece = o->first; piece != NONE;) {
        uint32_t next = gen->pieces[piece].next;

        push(gen, gen->config->requests ? BOUNCE_EVENT_COMPLETE : BOUNCE_EVENT_UNMAP, o, piece);
        gen->pieces[piece].next = gen->free_piece;
        gen->free_piece = piece;
        gen->live_pieces--;
        piece = next;
    }
    gen->streams[o->stream].in_flight--;
    gen->device_in_flight[stream->device] -= !stream->ring;
    o->first = gen->free_operation;
    gen->free_operation = operation;
}

static bool may_begin(const struct bounce_gen *gen, uint32_t number)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    uint64_t depth = gen->config->devices[stream->device].queue_depth;

    return (!stream->in_flight || gen->streams[number].in_flight < stream->in_flight) &&
           (!depth || gen->device_in_flight[stream->device] < depth);
}

static bool used_up(const struct bounce_gen *gen, uint32_t number)
{
    uint64_t most = gen->config->streams[number].operations;

    return gen->now_ns >= gen->config->duration_ns || (most && gen->streams[number].begun >= most);
}

/* An operation has ended: one that waited may begin, of its own stream first. */
static enum bounce_status wake(struct bounce_gen *gen, uint32_t number, struct bounce_error *error)
{
    uint16_t device = gen->config->streams[number].device;

    for (size_t i = 0; i < gen->config->nstreams; i++) {
        uint32_t other = (uint32_t)((number + i) % gen->config->nstreams);
        struct stream_state *state = &gen->streams[other];

        if (gen->config->streams[other].device != device || !state->waiting ||
            !may_begin(gen, other))
            continue;
        state->waiting--;
        if (!used_up(gen, other))
            return begin(gen, other, error);
    }
    return BOUNCE_OK;
}

/* A packet comes in: into the buffer that has been mapped longest. */
static enum bounce_status receive(struct bounce_gen *gen, uint32_t number,
                                  struct bounce_error *error)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint32_t operation;

    if (state->ring_count < stream->ring) /* still being filled: dropped */
        return BOUNCE_OK;
    operation = state->ring[state->ring_head];
    state->ring_head = (state->ring_head + 1) % stream->ring;
    state->ring_count--;
    if (!gen->config->requests && bounce_random_below(&state->random, 100) < stream->recycle) {
        sync_buffers(gen, operation, BOUNCE_EVENT_SYNC_FOR_CPU);
        sync_buffers(gen, operation, BOUNCE_EVENT_SYNC_FOR_DEVICE);
        state->ring[(state->ring_head + state->ring_count++) % stream->ring] = operation;
        state->begun++;
        return BOUNCE_OK;
    }
    end(gen, operation);
    return begin(gen, number, error);
}

static enum bounce_status on_arrival(struct bounce_gen *gen, uint32_t number,
                                     struct bounce_error *error)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    enum bounce_status status = BOUNCE_OK;

    if (used_up(gen, number))
        return BOUNCE_OK;
    if (stream->arrivals == BOUNCE_ARRIVALS_POISSON || stream->arrivals == BOUNCE_ARRIVALS_REGULAR)
        status = plan_arrival(gen, number);
    if (status)
        return status;
    if (stream->ring)
        return receive(gen, number, error);
    if (!may_begin(gen, number)) {
        gen->streams[number].waiting++;
        return BOUNCE_OK;
    }
    return begin(gen, number, error);
}

static enum bounce_status on_end(struct bounce_gen *gen, uint32_t operation,
                                 struct bounce_error *error)
{
    uint32_t number = gen->operations[operation].stream;
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    enum bounce_status status = BOUNCE_OK;

    end(gen, operation);
    if (stream->arrivals == BOUNCE_ARRIVALS_CLOSED)
        status = plan(gen, bounce_dist_draw(&stream->gap_ns, &gen->streams[number].random), ARRIVAL,
                      number);
    return status ? status : wake(gen, number, error);
}

static enum bounce_status on_fill(struct bounce_gen *gen, uint32_t number,
                                  struct bounce_error *error)
{
    enum bounce_status status = begin(gen, number, error);

    if (!status && gen->streams[number].ring_count < gen->config->streams[number].ring)
        status = plan(gen, FILL_STEP_NS, FILL, number);
    return status;
}

/* ---- the whole ---- */

static enum bounce_status start(struct bounce_gen *gen, uint32_t number)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    struct bounce_random seeds = {gen->config->seed ^ (number + 1) * UINT64_C(0xd1342543de82ef95)};
    enum bounce_status status = BOUNCE_OK;

    state->random.state = bounce_random_next(&seeds);
    if (stream->nloads &&
        (!decks_create(&state->gaps, &stream->loads->gap_ns, stream->nloads) ||
         !decks_create(&state->lifetimes, &stream->loads->lifetime_ns, stream->nloads) ||
         !decks_create(&state->sizes, &stream->loads->size, stream->nloads)))
        return BOUNCE_NO_MEMORY;
    if (stream->ring) {
        state->ring = malloc(stream->ring * sizeof(*state->ring));
        status = state->ring ? plan(gen, 0, FILL, number) : BOUNCE_NO_MEMORY;
    }
    switch ((enum bounce_arrivals)stream->arrivals) {
    case BOUNCE_ARRIVALS_POISSON:
    case BOUNCE_ARRIVALS_REGULAR:
        if (!status && stream->rate_mhz)
            status = plan_arrival(gen, number);
        break;
    case BOUNCE_ARRIVALS_CLOSED:
        for (uint64_t i = 0; i < stream->in_flight && !status; i++)
            status = plan(gen, bounce_dist_draw(&stream->gap_ns, &state->random), ARRIVAL, number);
        break;
    case BOUNCE_ARRIVALS_LOADS:
        if (!status)
            status = plan(gen, draw(gen, number, &state->gaps, &stream->gap_ns), ARRIVAL, number);
        break;
    }
    return status;
}

static enum bounce_status check(const struct bounce_gen_config *config, struct bounce_error *error)
{
    for (size_t i = 0; i < config->ndevices; i++)
        if (!config->devices[i].ncpus)
            return bounce_refuse(error, BOUNCE_INVALID, 0, "device %zu has no CPUs", i);
    for (size_t i = 0; i < config->nstreams; i++) {
        const struct bounce_gen_stream *s = &config->streams[i];

        if (s->device >= config->ndevices)
            return bounce_refuse(error, BOUNCE_INVALID, 0, "stream %zu has no device", i);
        if (s->ring > BOUNCE_GEN_LIVE || s->in_flight > BOUNCE_GEN_LIVE)
            return bounce_refuse(error, BOUNCE_INVALID, 0,
                                 "stream %zu wants more than %u mappings at a time", i,
                                 BOUNCE_GEN_LIVE);
        if (s->arrivals == BOUNCE_ARRIVALS_LOADS && !s->nloads)
            return bounce_refuse(error, BOUNCE_INVALID, 0, "stream %zu has no loads", i);
        if (s->on_ns > UINT64_MAX / 2 || s->off_ns > UINT64_MAX / 2 || s->low_permille > 1000 ||
            s->rate_mhz > NS_OF_RATE)
            return bounce_refuse(error, BOUNCE_INVALID, 0, "stream %zu has a rate out of range", i);
    }
    return BOUNCE_OK;
}

enum bounce_status bounce_gen_create(const struct bounce_gen_config *config,
                                     struct bounce_gen **out, struct bounce_error *error)
{
    enum bounce_status status = check(config, error);
    struct bounce_gen *gen;

    if (status)
        return status;
    gen = calloc(1, sizeof(*gen));
    if (!gen)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    gen->config = config;
    gen->free_operation = gen->free_piece = NONE;
    gen->streams = calloc(config->nstreams + 1, sizeof(*gen->streams));
    gen->device_in_flight = calloc(config->ndevices + 1, sizeof(*gen->device_in_flight));
    if (!gen->streams || !gen->device_in_flight)
        status = BOUNCE_NO_MEMORY;
    for (uint32_t i = 0; i < config->nstreams && !status; i++)
        status = start(gen, i);
    if (status) {
        bounce_gen_destroy(gen);
        return bounce_refuse(error, status, 0, "out of memory");
    }
    *out = gen;
    return BOUNCE_OK;
}

void bounce_gen_destroy(struct bounce_gen *gen)
{
    if (!gen)
        return;
    for (size_t i = 0; gen->streams && i < gen->config->nstreams; i++) {
        free(gen->streams[i].ring);
        decks_free(&gen->streams[i].gaps);
        decks_free(&gen->streams[i].lifetimes);
        decks_free(&gen->streams[i].sizes);
    }
    free(gen->streams);
    free(gen->device_in_flight);
    agenda_free(&gen->agenda);
    free(gen->operations);
    free(gen->pieces);
    free(gen);
}

static enum bounce_status step(struct bounce_gen *gen, struct bounce_error *error)
{
    struct due due = agenda_take(&gen->agenda);

    gen->out_at = gen->out_count = 0;
    gen->now_ns = due.time_ns;
    switch ((enum due_kind)due.kind) {
    case ARRIVAL:
        return on_arrival(gen, due.what, error);
    case FILL:
        return on_fill(gen, due.what, error);
    case END:
        break;
    }
    return on_end(gen, due.what, error);
}

enum bounce_status bounce_gen_next(struct bounce_gen *gen, struct bounce_event *events,
                                   size_t capacity, size_t *got, struct bounce_error *error)
{
    *got = 0;
    while (*got < capacity) {
        enum bounce_status status;

        if (gen->out_at < gen->out_count) {
            events[(*got)++] = gen->out[gen->out_at++];
            continue;
        }
        if (!gen->agenda.count)
            break;
        status = step(gen, error);
        if (status == BOUNCE_NO_MEMORY)
            return bounce_refuse(error, status, 0, "out of memory");
        if (status)
            return status;
    }
    return *got ? BOUNCE_OK : BOUNCE_END;
}
