/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: one mapping, a scatter list or a request each. */
#include "gen_state.h"

#include <stdlib.h>

#define HIGH_PAGES (UINT64_C(1) << 24) /* 64 GiB above 4 GiB */
#define LOW_PAGES  ((UINT64_C(1) << 20) - 256)
#define DISK_PAGES (UINT64_C(1) << 28)
#define SIZE_MAX_  (UINT64_C(1) << 32)

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

/* Number of the load that holds with so many operations in flight. */
static size_t load_of(const struct bounce_gen_stream *stream, uint64_t in_flight)
{
    size_t n = stream->nloads;

    while (n && stream->loads[n - 1].from > in_flight)
        n--;
    return n ? n - 1 : 0;
}

uint64_t gen_draw(struct bounce_gen *gen, uint32_t number, struct decks *decks,
                  const struct bounce_dist *otherwise)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint64_t value;

    if (stream->nloads &&
        decks_draw(decks, load_of(stream, state->in_flight), &state->random, &value))
        return value;
    return bounce_dist_draw(otherwise, &state->random);
}

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

/* Drivers map nothing that spans their device's boundary: it ends there then. */
static uint64_t within(uint64_t address, uint64_t size, uint64_t boundary)
{
    uint64_t end = (address & boundary) + size; /* from the boundary's multiple below it */
    uint64_t back = (end - boundary - 1 + 4095) & ~UINT64_C(4095);

    if (!boundary || end <= boundary + 1 || back > (address & boundary))
        return address;
    return address - back;
}

static uint64_t buffer_address(struct bounce_gen *gen, uint32_t number, uint64_t size)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct bounce_random *random = &gen->streams[number].random;
    bool high =
        bounce_random_below(random, 100) < gen->config->devices[stream->device].high_percent;
    uint64_t page = high ? (UINT64_C(1) << 20) + bounce_random_below(random, HIGH_PAGES)
                         : 256 + bounce_random_below(random, LOW_PAGES);

    return within(page << 12 | (bounce_dist_draw(&stream->offset, random) & 4095), size,
                  gen->config->devices[stream->device].seg_boundary);
}

/* One mapping, or the request. */
static enum bounce_status begin_piece(struct bounce_gen *gen, uint32_t number, uint32_t operation,
                                      uint32_t *last, uint32_t at, uint32_t count)
{
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    struct stream_state *state = &gen->streams[number];
    uint64_t size = gen_draw(gen, number, &state->sizes, &stream->size);
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
    event->orig_addr = buffer_address(gen, number, event->size);
    if (count > 1) {
        event->list = gen->operations[operation].first;
        event->flags = (uint8_t)(BOUNCE_EVENT_IN_LIST | (at ? 0 : BOUNCE_EVENT_LIST_FIRST) |
                                 (at + 1 == count ? BOUNCE_EVENT_LIST_LAST : 0));
    }
    return BOUNCE_OK;
}

enum bounce_status gen_begin(struct bounce_gen *gen, uint32_t number, struct bounce_error *error)
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
    lifetime_ns = gen_draw(gen, number, &state->lifetimes, &stream->lifetime_ns);
    status = gen_plan(gen, lifetime_ns, END, operation);
    if (!status && stream->arrivals == BOUNCE_ARRIVALS_LOADS) {
        uint64_t gap_ns = gen_draw(gen, number, &state->gaps, &stream->gap_ns);

        if (__builtin_add_overflow(state->clock_ns, gap_ns, &state->clock_ns))
            state->clock_ns = UINT64_MAX;
        status = gen_plan(gen, state->clock_ns > gen->now_ns ? state->clock_ns - gen->now_ns : 0,
                          ARRIVAL, number);
    }
    return status;
}

void gen_sync(struct bounce_gen *gen, uint32_t operation, enum bounce_event_kind kind)
{
    for (uint32_t piece = gen->operations[operation].first; piece != NONE;
         piece = gen->pieces[piece].next)
        push(gen, kind, &gen->operations[operation], piece);
}

void gen_end(struct bounce_gen *gen, uint32_t operation)
{
    struct operation *o = &gen->operations[operation];
    const struct bounce_gen_stream *stream = &gen->config->streams[o->stream];

    if (stream->sync && !gen->config->requests)
        gen_sync(gen, operation, BOUNCE_EVENT_SYNC_FOR_CPU);
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
