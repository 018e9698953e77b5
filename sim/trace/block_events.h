/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's block events to requests: what a device was given and gave back.
 *
 *   block_rq_issue:    MAJ,MIN RWBS BYTES (COMMAND) SECTOR + SECTORS [PRIORITY] [COMM]
 *   block_rq_complete: MAJ,MIN RWBS (COMMAND) SECTOR + SECTORS [PRIORITY] [ERROR]
 *   block_rq_requeue:  the same; the driver gave it back, it will be issued again
 *
 * Completions are found by device and sector. A request that is issued again while it is live was
 * given back without a record of that: its first turn ends there (BOUNCE_EVENT_IMPLIED); unless
 * there is a completion for each among the next records (RECORDS_REISSUED): then they are two.
 * Passthrough commands have no sector: the oldest of that device and length has ended. What moves
 * no data (flushes, discards, zeroing) is left out.
 * Source: include/trace/events/block.h and kernel/trace/blktrace.c (RWBS) of 4.19, 6.1 and 6.12. */
#ifndef TRACE_BLOCK_EVENTS_H
#define TRACE_BLOCK_EVENTS_H

#include "reader.h"
#include "scan.h"

enum block_kind { BLOCK_ISSUE, BLOCK_COMPLETE, BLOCK_REQUEUE };

struct block_event {
    uint64_t time_ns; /* as recorded */
    uint64_t sector;
    uint64_t size; /* bytes; of what ends a passthrough command whole sectors */
    uint32_t major;
    uint32_t minor;
    uint16_t cpu;
    uint8_t kind; /* enum block_kind */
    uint8_t dir;
    bool passthrough;
    bool moves_data;
    bool by_worker; /* ISSUE: the task is a worker that only takes care of one CPU's queues */
};

/* -1, or which of the above an event of that name is. */
int block_event_kind(const char *name, size_t length);

/* Fills all but time and CPU from the arguments at the cursor; `kind` is set. */
bool block_event_parse(struct cursor c, struct block_event *event);

/* The same from fields: kind, device, sector and, of an issue, size are set. `rwbs` as above, not
 * empty; `command`: it has a command of its own. False: numbers beyond reason. */
bool block_event_complete(struct block_event *event, const char *rwbs, size_t length,
                          uint64_t sectors, bool command);

struct block_events; /* what is live */

/* NULL without memory. */
struct block_events *block_events_create(void);
void block_events_destroy(struct block_events *state);

/* BOUNCE_NO_MEMORY. */
enum bounce_status block_events_take(struct bounce_trace *trace, struct block_events *state,
                                     const struct block_event *event);

/* As records_release(). */
enum bounce_status block_events_release(struct bounce_trace *trace, struct block_events *state,
                                        bool all);

#endif
