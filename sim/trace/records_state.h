/* SPDX-License-Identifier: Apache-2.0 */
/* Records from the inside, for the files that make them up. */
#ifndef TRACE_RECORDS_STATE_H
#define TRACE_RECORDS_STATE_H

#include "handles.h"
#include "record_heap.h"
#include "records_ahead.h"

#define LIST_LANES 4096u

#define LOST_SAMPLES 16u /* requests that must have ended before RECORDS_LOST judges */
#define LOST_AGE     8u  /* times what they took on average */

struct live {
    uint64_t key;
    uint64_t begun_ns;
    uint64_t id;
    uint64_t size;
    uint16_t device;
    uint8_t dir;
    uint8_t kind;    /* of the event that began it */
    uint32_t list;   /* first handle of its scatter list */
    uint32_t serial; /* number of that list, 0: in none */
    uint32_t open;   /* as a first entry: number of the list while entries may come */
    uint32_t next;   /* of a list that failed: the next handle to be given back */
};

struct list_lane {
    uint64_t id; /* of the first entry */
    uint32_t handle;
    uint32_t serial;
    uint32_t failed; /* handles of entries to be given back together, or INDEX_NONE */
    bool used;
};

struct records {
    struct record_heap heap; /* the window, and completions that are still to come */
    uint32_t held;           /* of them, records of the input: what the window counts */
    uint64_t base_ns;        /* added to recorded times, modulo 2^64 */
    uint64_t floor_ns;       /* no record goes before it: released, or of the recording before */
    uint64_t newest_ns;      /* of the records so far */
    uint64_t first_ns;       /* the earliest; fixed once events are released */
    bool started;
    bool released;
    enum records_pairs pairs;
    bool untracked; /* no completion has come in a whole LIVE_LIMIT of requests */
    struct index by_key;
    struct live *live; /* by handle */
    struct handles handles;
    uint64_t next_id;
    uint32_t serial;                    /* scatter lists so far */
    struct list_lane lists[LIST_LANES]; /* ring of those begun last */
    uint32_t next_list;
    struct index by_list; /* id -> place in `lists` */
    struct ahead ahead;   /* of RECORDS_REISSUED and _LOST */
    uint64_t ended;       /* requests that have, and how long they took in all */
    uint64_t took_ns;
};

/* ---- records_join.c ---- */

/* The record whose turn has come becomes its events, in the queue: one that ends something finds
 * what it ends. BOUNCE_NO_MEMORY. Amortised O(1). */
enum bounce_status records_join(struct bounce_trace *trace, struct records *records,
                                const struct record *record);

/* Nothing is live. */
void records_forget_all(struct records *records);

#endif
