/* SPDX-License-Identifier: Apache-2.0 */
/* From the records of a request trace to its events: puts them in order of time, finds what each
 * completion completes, and hands out handles. Readers of mappings written as rows use it too.
 *
 * Memory: a window of records, the completions that are still to come, the live requests; each
 * bounded. */
#ifndef TRACE_RECORDS_H
#define TRACE_RECORDS_H

#include "reader.h"

#define RECORDS_WINDOW 4096u /* records held back so that later ones can go before them */
#define STEP_BACK_NS   UINT64_C(1000000000) /* a longer step back begins another recording */
#define REQUEST_MAX    (UINT64_C(1) << 32)  /* bytes: more is taken for a broken record */

/* A key that nothing will ask for: the request has no completion of its own in the trace. */
#define NO_KEY UINT64_MAX

struct records;

struct record {
    /* time_ns as recorded; handle, and id unless has_id, are set later */
    struct bounce_event event;
    uint64_t key;   /* pairs ISSUE with COMPLETE, MAP with UNMAP and SYNC, or NO_KEY */
    uint64_t order; /* in which it came; set by records_add(), as are: */
    uint64_t place; /* of it in the input, for notes */
    uint32_t ahead; /* among those that are looked ahead to, or INDEX_NONE */
    uint64_t list;  /* MAP: id of the first entry of its scatter list, with has_list */
    bool has_list;
    bool has_id;
    bool made;  /* not a record of the input: does not count for the window */
    bool fifo;  /* of those two: many have this key, as in RECORDS_FIFO */
    bool quiet; /* that it matches nothing is not worth counting */
};

/* What a key means that comes again while it is live. */
enum records_pairs {
    RECORDS_FIFO,     /* another one: the oldest ends first */
    RECORDS_UNIQUE,   /* its end was lost */
    RECORDS_REISSUED, /* its end was lost, unless the window holds an end for each */
    RECORDS_LOST,     /* the same, but only of one that is old for what requests take here */
};

/* NULL without memory. */
struct records *records_create(enum records_pairs pairs);
void records_destroy(struct records *records);

/* The time of one more record of any kind; call it once a record, before records_add(). Returns
 * the time to use from here on: that of joined recordings goes on where the last one ended. */
uint64_t records_time(struct bounce_trace *trace, struct records *records, uint64_t recorded_ns);

/* Takes a record whose time records_time() gave. BOUNCE_NO_MEMORY. */
enum bounce_status records_add(struct bounce_trace *trace, struct records *records,
                               const struct record *record);

/* A request that is known to take `response_ns`: its ISSUE and its COMPLETE. */
enum bounce_status records_add_timed(struct bounce_trace *trace, struct records *records,
                                     struct record *issue, uint64_t response_ns);

/* Queues events whose turn has come, a few at a time: BOUNCE_OK, or BOUNCE_END when there are
 * none. `all`: the input has ended, nothing is held back. BOUNCE_NO_MEMORY. */
enum bounce_status records_release(struct bounce_trace *trace, struct records *records, bool all);

/* The read() of a format: what has its turn, or what `take` makes of one more record. */
enum bounce_status records_read(struct bounce_trace *trace, struct records *records,
                                enum bounce_status (*take)(struct bounce_trace *trace,
                                                           struct bounce_error *error),
                                struct bounce_error *error);

/* A well mixed key of two numbers, never NO_KEY. */
uint64_t records_key(uint64_t a, uint64_t b);

#endif
