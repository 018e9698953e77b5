/* SPDX-License-Identifier: Apache-2.0 */
/* When the operations of a stream come, and what becomes of them. */
#include "arrivals.h"
#include "dist.h"
#include "gen_state.h"

#include <stdlib.h>

#define FILL_STEP_NS 1000u /* a ring is filled one buffer after the other */

enum bounce_status gen_plan(struct bounce_gen *gen, uint64_t after_ns, enum due_kind kind,
                            uint32_t what)
{
    uint64_t time_ns;

    if (__builtin_add_overflow(gen->now_ns, after_ns, &time_ns))
        time_ns = UINT64_MAX;
    return agenda_add(&gen->agenda, time_ns, (uint8_t)kind, what);
}

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
    return gen_plan(gen, time_ns - gen->now_ns, ARRIVAL, number);
}

enum bounce_status gen_start(struct bounce_gen *gen, uint32_t number)
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
        status = state->ring ? gen_plan(gen, 0, FILL, number) : BOUNCE_NO_MEMORY;
    }
    switch ((enum bounce_arrivals)stream->arrivals) {
    case BOUNCE_ARRIVALS_POISSON:
    case BOUNCE_ARRIVALS_REGULAR:
        if (!status && stream->rate_mhz)
            status = plan_arrival(gen, number);
        break;
    case BOUNCE_ARRIVALS_CLOSED:
        for (uint64_t i = 0; i < stream->in_flight && !status; i++)
            status =
                gen_plan(gen, bounce_dist_draw(&stream->gap_ns, &state->random), ARRIVAL, number);
        break;
    case BOUNCE_ARRIVALS_LOADS:
        state->clock_ns = gen_draw(gen, number, &state->gaps, &stream->gap_ns);
        if (!status)
            status = gen_plan(gen, state->clock_ns, ARRIVAL, number);
        break;
    }
    return status;
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
            return gen_begin(gen, other, error);
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
        gen_sync(gen, operation, BOUNCE_EVENT_SYNC_FOR_CPU);
        gen_sync(gen, operation, BOUNCE_EVENT_SYNC_FOR_DEVICE);
        state->ring[(state->ring_head + state->ring_count++) % stream->ring] = operation;
        state->begun++;
        return BOUNCE_OK;
    }
    gen_end(gen, operation);
    return gen_begin(gen, number, error);
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
    return gen_begin(gen, number, error);
}

static enum bounce_status on_end(struct bounce_gen *gen, uint32_t operation,
                                 struct bounce_error *error)
{
    uint32_t number = gen->operations[operation].stream;
    const struct bounce_gen_stream *stream = &gen->config->streams[number];
    enum bounce_status status = BOUNCE_OK;

    gen_end(gen, operation);
    if (stream->arrivals == BOUNCE_ARRIVALS_CLOSED)
        status = gen_plan(gen, bounce_dist_draw(&stream->gap_ns, &gen->streams[number].random),
                          ARRIVAL, number);
    return status ? status : wake(gen, number, error);
}

static enum bounce_status on_fill(struct bounce_gen *gen, uint32_t number,
                                  struct bounce_error *error)
{
    enum bounce_status status = gen_begin(gen, number, error);

    if (!status && gen->streams[number].ring_count < gen->config->streams[number].ring)
        status = gen_plan(gen, FILL_STEP_NS, FILL, number);
    return status;
}

enum bounce_status gen_step(struct bounce_gen *gen, struct bounce_error *error)
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
