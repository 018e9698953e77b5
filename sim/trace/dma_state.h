/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct dma_events, for the files that implement it: live mappings (dma_live.c),
 * maps and what answers them (dma_maps.c), unmaps, syncs and the end of waiting (dma_events.c). */
#ifndef TRACE_DMA_STATE_H
#define TRACE_DMA_STATE_H

#include "dma_events.h"
#include "handles.h"

#define PENDING_MAX 4096u /* unanswered swiotlb_bounced events of one CPU */

/* A duplicate address is either two CPUs' events in the wrong order, which clears up within a few
 * events, or an unmap that was lost. */
#define LATE_UNMAP_EVENTS 512u

struct live {
    uint64_t dma_addr; /* key in `bounced` is its slot, in `direct` the address itself */
    uint64_t orig_addr;
    uint64_t size;
    uint64_t id;
    uint64_t doubtful_until; /* event count at which its unmap counts as lost; 0: no doubt */
    uint32_t list;           /* first handle of its scatter list, or BOUNCE_NO_LIST */
    uint32_t list_next;      /* next handle of the list */
    uint16_t device;
    uint8_t dir;
    uint8_t how; /* enum live_how */
};

enum live_how { FREE_HANDLE, WAITING, IN_BOUNCED, IN_DIRECT, UNINDEXED };

struct pending {
    uint64_t at;       /* place in the queue */
    uint64_t next_seq; /* record by which the map had been tried: the next one of its CPU that no
                          interrupt of it made; 0: not seen yet */
    uint64_t doubt; /* record of the CPU at which it counts as failed, unless answered; 0: none */
    uint8_t level;
};

struct cpu_pending {
    struct pending *entries;
    uint32_t count;
    uint32_t room;
    uint32_t open;                    /* entries without a next_seq */
    uint64_t last_seq[KERNEL_LEVELS]; /* of the CPU's records */
    uint64_t records;                 /* of the CPU */
    bool flat;                        /* its records do not tell their contexts */
    bool doubtful;                    /* some entries may be in doubt */
    bool begun; /* a map of its process level has been seen whole since its first record, or since
                   some were lost */
};

struct dma_events {
    struct live *live; /* by handle */
    struct handles handles;
    struct index bounced; /* slot of the bounce address -> handle */
    struct index direct;  /* address -> handle */
    struct index by_orig; /* device and first original address -> list (its first handle) */
    struct cpu_pending *cpus;
    uint32_t ncpus;
    uint64_t next_id;
    uint64_t events;       /* records so far */
    uint64_t previous_seq; /* of the present record's CPU */
    uint32_t *doubtful;    /* ring of handles whose address was given out again */
    uint32_t doubtful_head;
    uint32_t doubtful_tail;
    uint32_t *places; /* scratch of match_list() */
    uint32_t *matches;
};

#define DOUBTFUL_RING 16384u

static inline uint64_t dma_slot_key(uint64_t dma_addr)
{
    return dma_addr >> BOUNCE_SLOT_SHIFT;
}

static inline uint64_t dma_list_key(uint16_t device, uint64_t orig_addr)
{
    return orig_addr ^ ((uint64_t)device << 48);
}

static inline struct bounce_event *dma_queued(struct bounce_trace *trace, uint64_t at)
{
    return &trace->queue[at & QUEUE_MASK];
}

static inline void dma_answered(struct bounce_trace *trace, uint64_t at)
{
    trace->waits[at & QUEUE_MASK] = false;
}

/* The map of that record is an entry of a list that failed, whose first one is `first`, or that one
 * itself; it had been tried by record `end_seq` at the latest. */
static inline void dma_join_tried(struct bounce_trace *trace, struct cpu_pending *p,
                                  const struct pending *entry, struct bounce_event *first,
                                  uint64_t end_seq)
{
    struct bounce_event *event = dma_queued(trace, entry->at);

    p->open -= !entry->next_seq;
    event->bound_seq = entry->next_seq ? entry->next_seq : end_seq;
    event->flags |= BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_OPEN;
    if (event == first)
        event->flags |= BOUNCE_EVENT_LIST_FIRST;
    event->list = first->handle;
    event->recorded = BOUNCE_RECORDED_TRIED;
    dma_answered(trace, entry->at);
}

/* ---- dma_live.c ---- */

/* What the present record has to do with, for notes. */
struct bounce_note dma_note_of(const struct dma_events *state, enum bounce_note_kind kind,
                               const struct kernel_event *event, uint64_t addr);

/* A handle for a mapping, INDEX_NONE where no more are tracked or memory has run out. */
uint32_t dma_new_handle(struct bounce_trace *trace, struct dma_events *state);

/* The mapping can be found by its address from now on; false without memory. */
bool dma_remember(struct dma_events *state, uint32_t handle, enum live_how how);

/* It is over; its handle is another's after record `until`. */
void dma_forget(struct dma_events *state, uint32_t handle, uint64_t until);

/* Its unmap goes to the queue, and it is forgotten. */
void dma_push_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
                    const struct kernel_event *event, uint8_t flags);

/* The same for one that was not recorded. */
void dma_imply_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
                     const struct kernel_event *event);

/* Older mappings at the newcomer's address end one of these days: their unmaps are late or lost. */
void dma_doubt(struct dma_events *state, uint32_t newcomer);

/* Those whose unmaps have been late for too long end now. */
void dma_imply_lost_unmaps(struct bounce_trace *trace, struct dma_events *state,
                           const struct kernel_event *event);

/* ---- dma_fails.c ---- */

/* Takes the pending maps of `device`, of that level and above, as a list that failed. */
void dma_fail_lists(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                    uint16_t device, uint8_t level);

/* A map of `event` was answered that began at `place`, `first_seq` its first record: what is left
 * there of its device and context has failed. Where records do not tell what they interrupt, what
 * began later on that CPU is over without an answer. What began before has failed, or was
 * interrupted and goes on soon: then the records since were not its own. */
void dma_fail_around(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                     const struct kernel_event *event, uint32_t place, uint64_t first_seq);

/* Those that did not go on have failed; with `again`, so have those of its device, if it is one of
 * them that is tried again. */
void dma_fail_doubtful(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                       const struct kernel_event *again, uint64_t orig_addr, uint64_t size);

/* ---- dma_maps.c ---- */

/* Pending maps of a CPU; NULL without memory. */
struct cpu_pending *dma_pending_of(struct dma_events *state, uint16_t cpu);

/* Another record of that CPU: returns its pending maps, NULL without memory. */
struct cpu_pending *dma_start_event(struct bounce_trace *trace, struct dma_events *state,
                                    const struct kernel_event *event);

#endif
