/* SPDX-License-Identifier: Apache-2.0 */
/* What all readers of kernel trace events share: an event's name and arguments become mapping
 * events, or, in the block view (BOUNCE_ONLY_BLOCK), requests.
 *
 * Left to itself it takes mappings once a dma event tells where one begins or ends, and requests
 * when a window of block events has none of those; kernels before 6.12 record no dma events. */
#ifndef TRACE_KERNEL_EVENTS_H
#define TRACE_KERNEL_EVENTS_H

#include "reader.h"
#include "scan.h"

struct kernel_line {
    uint64_t time_ns; /* as recorded */
    uint64_t cpu;     /* below BOUNCE_MAX_CPUS */
    uint8_t level;    /* of kernel_event */
    bool flat;        /* the same */
    const char *event;
    size_t event_length;
    struct cursor args;
};

struct kernel_events;

/* NULL without memory. */
struct kernel_events *kernel_events_create(struct bounce_trace *trace);
void kernel_events_destroy(struct kernel_events *state);

/* Bytes of arrays that were printed as bytes are those of a big-endian machine. */
void kernel_events_big_endian(struct kernel_events *state);

/* Call before a line is read: BOUNCE_OK when events were queued instead, BOUNCE_END when there is
 * nothing to queue yet. BOUNCE_NO_MEMORY. */
enum bounce_status kernel_events_release(struct bounce_trace *trace, struct kernel_events *state,
                                         struct bounce_error *error);

/* One event of any name: counted, and queued if it is of use. */
enum bounce_status kernel_events_take(struct bounce_trace *trace, struct kernel_events *state,
                                      const struct kernel_line *line, struct bounce_error *error);

/* The recorder says that `count` records of that CPU are missing here. */
void kernel_events_lost(struct bounce_trace *trace, struct kernel_events *state, uint64_t cpu,
                        uint64_t count);

/* See struct bounce_format_ops. */
void kernel_events_settle(struct bounce_trace *trace, struct kernel_events *state);

/* The input has ended. To be called until it returns BOUNCE_END. */
enum bounce_status kernel_events_finish(struct bounce_trace *trace, struct kernel_events *state,
                                        struct bounce_error *error);

/* open(), settle() and close() of formats that have no other state. */
enum bounce_status kernel_events_format_open(struct bounce_trace *trace,
                                             struct bounce_error *error);
void kernel_events_format_settle(struct bounce_trace *trace);
void kernel_events_format_close(struct bounce_trace *trace);

#endif
