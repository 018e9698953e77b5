/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct bounce_order, for the files that implement it: the events at hand, what has
 * been placed so far, and the recorded allocator with steps that can be undone. */
#ifndef TRACE_ORDER_STATE_H
#define TRACE_ORDER_STATE_H

#include "bounce/order.h"

#define SLOT_MASK ((UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1) /* bytes within a slot */

#define ORDER_WINDOW      16384u /* events at hand */
#define ORDER_WINDOW_MASK (ORDER_WINDOW - 1)
#define ORDER_LOG         32768u /* steps at hand: events, and pools that came */
#define ORDER_LOG_MASK    (ORDER_LOG - 1)
#define ORDER_LOOKAHEAD   1024u /* events that must be known beyond the one being placed */
#define ORDER_AHEAD       4096u /* no more of them: the window is there for what may still change */
#define ORDER_HISTORY     1024u /* steps that may still change their places */
#define PUT_OFF_MAX       256u
#define NO_HANDLE         UINT32_MAX
#define NO_PLACE          UINT64_MAX
#define GROWN_MAX         256u
#define KNOWN_AREAS       256u
#define RELEASING_MAX     256u
#define TRANSIENTS_MAX    256u
#define MADE_MAX          3u /* events that one step may add to its own */

struct held {
    struct bounce_event event;
    uint64_t tlb_addr;  /* MAP: where it is placed; UNMAP: as its map was recorded, 0 if not told */
    uint64_t list_prev; /* entry of a list that failed: place of the one before, or NO_PLACE */
    uint64_t released_by; /* the same: place of the entry whose failure gave it back, or NO_PLACE */
    bool done;
    bool emitted;
    bool failed; /* its list failed at it */
    bool slowly; /* BOUNCE_EVENT_SLOWLY */
};

enum step_kind {
    STEP_EVENT,
    STEP_RELEASE, /* an entry, of which `place` tells, of the list that failed at `fail` */
    STEP_DROP,    /* `handle` stands in the way of what no order explains: it must be gone */
    STEP_HOLD,    /* something that was mapped before its record would tell is found out */
    STEP_HIDDEN,  /* a slot that a search passed over: nobody known holds it, so somebody else does
                   */
};

/* What has been placed, as long as its place may still change. */
struct step {
    uint64_t place;
    uint64_t fail;
    uint64_t tlb_addr; /* slots taken, or given back; 0: none */
    uint64_t orig_addr;
    uint64_t size;
    uint32_t handle;
    uint32_t cursor; /* of the area taken from, before */
    uint16_t flags;  /* to be added to the event's */
    uint16_t grown;  /* 1 + index of the pool that came with it; 0: none */
    uint16_t device; /* STEP_DROP: of what had to go */
    uint8_t kind;    /* enum step_kind */
    bool moves_cursor;
    bool released; /* its list failed there, and had entries to give back */
    bool early;    /* an unmap before its record */
    bool hidden;   /* STEP_DROP: it was */
    bool fixed;    /* cannot be undone, but by the end of a trial */
};

/* A mapping as the recorded pool has it. */
struct placed {
    uint64_t tlb_addr;
    uint64_t orig_addr;
    uint64_t size;
    uint64_t pushed_addr; /* as recorded, of the newest map with this handle; 0: not told */
    uint64_t list_last;   /* place of the newest entry of the list that begins with this handle */
    uint32_t pad;         /* bytes of slots before it that are its own */
    uint16_t device;
    bool live;
    bool hidden; /* of STEP_HIDDEN: nobody knows when it ends */
};

/* A pool that came while it was recorded. */
struct grown {
    struct bounce_order_grown what;
    bool added;
    bool settled; /* its coming was fetched */
    bool gone;    /* with another boot */
};

struct bounce_order {
    struct bounce_swiotlb *mem;
    const struct bounce_device *devices;
    bool growing;
    bool quick; /* no search: a trial, or one of many configurations */
    bool trial; /* what comes of it is undone: no pool is added to the table */
    uint32_t trials;
    uint64_t first_start; /* of the pool that was there first */
    uint64_t default_nslabs;
    uint32_t default_nareas;
    struct held *window;
    uint64_t base; /* oldest event that has not been fetched */
    uint64_t head; /* next to be looked at */
    uint64_t tail;
    struct step *log;  /* placed, not yet fetched */
    uint64_t log_base; /* nothing before it can be undone */
    uint64_t log_head;
    uint64_t log_tail;
    uint64_t releasing[RELEASING_MAX]; /* places at which a list failed that still has entries */
    uint32_t nreleasing;
    bool searching;                /* the search gives lists' entries back itself */
    uint64_t put_off[PUT_OFF_MAX]; /* places of maps to be tried again, oldest first */
    size_t nput_off;
    struct placed *placed; /* by handle */
    uint32_t room;
    uint32_t *newest;   /* by slot of the first pool: the handle that was placed there last */
    uint64_t unmatched; /* unmaps without a map that are at hand */
    uint32_t next_held; /* handle for the next mapping that is found out */
    struct grown grown[GROWN_MAX];
    uint32_t ngrown;
    struct bounce_event transients[TRANSIENTS_MAX]; /* maps that came out and have not ended */
    uint32_t ntransients;
    uint64_t last_ns;      /* of what was fetched */
    uint64_t emitted_most; /* highest place that was fetched, early unmaps aside */
    /* After a gap nobody knows where cursors stand, until a map shows it. */
    bool gap;
    uint64_t known_areas[KNOWN_AREAS];
    uint32_t nknown;
    int64_t hidden_credit; /* slots that may still be tried as hidden */
    uint64_t *seen;        /* a bit for each slot of the first pool: the records since tell of it */
    int64_t credit;        /* nodes that searches may visit */
    void *scratch;         /* of the search */
    bool out_of_memory;
    struct bounce_order_stats stats;
    struct bounce_order_unexplained reports[BOUNCE_ORDER_REPORTS];
};

static inline struct held *held_at(struct bounce_order *order, uint64_t place)
{
    return &order->window[place & ORDER_WINDOW_MASK];
}

static inline struct step *step_at(struct bounce_order *order, uint64_t index)
{
    return &order->log[index & ORDER_LOG_MASK];
}

static inline bool tells_outcome(const struct bounce_event *event)
{
    return event->kind == BOUNCE_EVENT_MAP && event->recorded >= BOUNCE_RECORDED_ADDRESS &&
           !(event->flags & BOUNCE_EVENT_HELD);
}

/* Bytes of the slots before the one with its address. */
static inline uint64_t order_pad_of(const struct bounce_order *order,
                                    const struct bounce_event *map)
{
    return map->orig_addr & order->devices[map->device].min_align_mask & map->alloc_align_mask &
           ~SLOT_MASK;
}

struct bounce_map_request order_request(const struct bounce_order *order,
                                        const struct bounce_event *event);

/* What the allocator, as it stands, would answer. */
void order_peek(struct bounce_order *order, const struct bounce_event *event,
                struct bounce_map_result *result);

/* Whether it answers the map as the recorded kernel did. */
bool order_answers(struct bounce_order *order, const struct bounce_event *event);

/* Whether no pool that is known holds the recorded address. */
bool order_is_elsewhere(struct bounce_order *order, const struct bounce_event *event);

/* Whether a transient pool can have given that address. */
bool order_may_be_transient(struct bounce_order *order, const struct bounce_event *event);

/* Does what `step` says of its place, and fills in what undoing takes. */
void order_do(struct bounce_order *order, struct step *step);
void order_undo(struct bounce_order *order, const struct step *step);

/* Appends the event to the log and does it. */
struct step *order_log(struct bounce_order *order, uint64_t place, uint16_t flags);

/* The same of a map with a recorded address in a pool that does not grow, if order_answers();
 * otherwise false, and nothing done. */
bool order_map_as_recorded(struct bounce_order *order, uint64_t place);

/* The next entry of the list that failed at `fail`, in its order; NO_PLACE at the end. */
uint64_t order_next_release(struct bounce_order *order, uint64_t fail);
struct step *order_release(struct bounce_order *order, uint64_t fail, uint64_t entry);
void order_release_all(struct bounce_order *order, uint64_t fail);

/* Undoes all steps from log index `from` on; their events count as not placed. */
void order_rewind(struct bounce_order *order, uint64_t from);

/* ---- order_conflicts.c ---- */

/* The handle's mapping begins at that address, as of now. */
void order_note_handle(struct bounce_order *order, uint64_t tlb_addr, uint32_t handle);

/* The recorded slots are taken from whoever holds them, or only from what is hidden. O(slots) in
 * the first pool, O(handles) elsewhere. */
void order_clear_slots(struct bounce_order *order, uint64_t place, bool hidden_only);

/* ---- order.c: the greedy pass, also for trials ---- */

void order_look_at_next(struct bounce_order *order);

/* ---- order_search.c ---- */

/* Looks for an order of what has been placed lately, and of what is at hand, in which the map at
 * `place`, which must have happened by now, is answered as recorded. With true it is placed. */
bool order_search(struct bounce_order *order, uint64_t place);
void order_search_free(struct bounce_order *order);

/* ---- order_growth.c ---- */

/* A map to an address outside every pool: places it in a transient pool, or in one that came just
 * now, if that explains it. `due`: it must have happened by now. */
bool order_explain_elsewhere(struct bounce_order *order, uint64_t place, bool due);

/* Follows the transient pools among what comes out. The pages of one that `event` maps were given
 * back before, whenever that was recorded: at most `room` unmaps of those that had them go to
 * `events`; returns how many. */
size_t order_end_transients(struct bounce_order *order, const struct bounce_event *event,
                            struct bounce_event *events, size_t room);

/* ---- order_gaps.c ---- */

/* Records are missing: cursors are unknown from here on. */
void order_begin_gap(struct bounce_order *order);

/* A map that is due and not answered: an unknown cursor, or a mapping made in a gap, may explain
 * it. With true it is placed. */
bool order_explain_gap(struct bounce_order *order, uint64_t place);

/* After a map was placed: the cursor of its area is known. */
void order_note_area(struct bounce_order *order, uint64_t tlb_addr);

/* A handle for a mapping that is found out; false when all are taken. */
bool order_find_handle(struct bounce_order *order, uint32_t *handle);

/* ---- order_hidden.c ---- */

/* Nothing is known any more of the slots that are free. */
void order_forget_slots(struct bounce_order *order);

/* The records tell who has these bytes of the pool, or that nobody has. */
void order_note_slots(struct bounce_order *order, uint64_t from, uint64_t to);

/* Whether the map would be answered as recorded if slots of which nothing is known were taken; then
 * they are. */
bool order_explain_hidden(struct bounce_order *order, uint64_t place);

#endif
