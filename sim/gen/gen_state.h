/* SPDX-License-Identifier: Apache-2.0 */
/* A generator from the inside, for the files that make it up. `number` is that of a stream. */
#ifndef GEN_STATE_H
#define GEN_STATE_H

#include "deck.h"
#include "due.h"

#define NONE       UINT32_MAX
#define NS_OF_RATE UINT64_C(1000000000000)    /* between operations, times rate_mhz */
#define OUT_ROOM   (4u * BOUNCE_GEN_SEGMENTS) /* more events than one due thing makes */

enum due_kind { ARRIVAL, FILL, END };

struct operation {
    uint32_t stream;
    uint32_t first; /* piece; of free ones the next free */
    uint16_t cpu;
};

struct piece { /* its place is its handle */
    uint64_t id;
    uint64_t size;
    uint32_t next; /* of its operation, or of the free ones */
};

struct stream_state {
    struct bounce_random random;
    uint64_t clock_ns; /* of its on-times, put together; by loads: when the next one is due, however
                        * long the last one waited */
    uint64_t in_flight;
    uint64_t waiting;
    uint64_t begun;
    uint32_t *ring; /* operations, the oldest at the head */
    uint64_t ring_head;
    uint64_t ring_count;
    struct decks gaps; /* of its loads */
    struct decks lifetimes;
    struct decks sizes;
};

struct bounce_gen {
    const struct bounce_gen_config *config;
    struct stream_state *streams;
    uint64_t *device_in_flight; /* rings apart */
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
    struct bounce_event out[OUT_ROOM]; /* of the last due thing */
    uint32_t out_at;
    uint32_t out_count;
};

/* ---- streams.c: when operations come ---- */

/* What a stream begins with. BOUNCE_NO_MEMORY. */
enum bounce_status gen_start(struct bounce_gen *gen, uint32_t number);

/* One due thing happens. As bounce_gen_next(). */
enum bounce_status gen_step(struct bounce_gen *gen, struct bounce_error *error);

/* The thing is due so much later; at the end of all time if that is beyond. BOUNCE_NO_MEMORY. */
enum bounce_status gen_plan(struct bounce_gen *gen, uint64_t after_ns, enum due_kind kind,
                            uint32_t what);

/* ---- operations.c: what they consist of ---- */

/* An operation of the stream begins, and its end is planned; one of a ring goes into it. Its
 * events are appended to gen->out, as are those of the following two.
 * BOUNCE_INVALID (with `error`): more than BOUNCE_GEN_LIVE are live. BOUNCE_NO_MEMORY. */
enum bounce_status gen_begin(struct bounce_gen *gen, uint32_t number, struct bounce_error *error);
void gen_end(struct bounce_gen *gen, uint32_t operation);

/* All its buffers are synced; `kind` is one of BOUNCE_EVENT_SYNC_*. */
void gen_sync(struct bounce_gen *gen, uint32_t operation, enum bounce_event_kind kind);

/* A value of the stream's loads, or of `otherwise` where they have none. */
uint64_t gen_draw(struct bounce_gen *gen, uint32_t number, struct decks *decks,
                  const struct bounce_dist *otherwise);

#endif
