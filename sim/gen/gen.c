/* SPDX-License-Identifier: Apache-2.0 */
#include "gen_state.h"

#include <stdlib.h>

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
        status = gen_start(gen, i);
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
        status = gen_step(gen, error);
        if (status == BOUNCE_NO_MEMORY)
            return bounce_refuse(error, status, 0, "out of memory");
        if (status)
            return status;
    }
    return *got ? BOUNCE_OK : BOUNCE_END;
}
