/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include "handles.h"

#include <stdlib.h>

#define RELEASE_AT_ONCE 256u
#define LIST_LANES      256u
#define HEAP_LIMIT      (LIVE_LIMIT + RECORDS_WINDOW)

struct live {
    uint64_t key;
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
};

struct records {
    struct record *heap; /* earliest first; by order among equal times */
    uint32_t count;
    uint32_t room;
    uint32_t held; /* of them, records of the input: what the window counts */
    uint64_t next_order;
    uint64_t base_ns;   /* added to recorded times, modulo 2^64 */
    uint64_t floor_ns;  /* no record goes before it: released, or of the recording before */
    uint64_t newest_ns; /* of the records so far */
    uint64_t first_ns;  /* the earliest; fixed once events are released */
    bool started;
    bool released;
    enum records_pairs pairs;
    bool untracked; /* no completion has come in a whole LIVE_LIMIT of requests */
    struct index by_key;
    struct live *live; /* by handle */
    struct handles handles;
    uint64_t next_id;
    uint32_t serial;                    /* scatter lists so far */
    struct list_lane lists[LIST_LANES]; /* those begun last, by id */

    /* RECORDS_REISSUED: the window's records by key; twice the place, plus 1 for an end. */
    struct index ahead;
    uint32_t *free_places;
    uint32_t nplaces;
};

#define AHEAD_PLACES (RECORDS_WINDOW + 16u)
#define AHEAD_CHAIN  256u /* of one key, looked at */

/* ---- creation ---- */

static void clear_lists(struct records *r)
{
    for (unsigned i = 0; i < LIST_LANES; i++)
        r->lists[i] = (struct list_lane){.failed = INDEX_NONE};
}

struct records *records_create(enum records_pairs pairs)
{
    struct records *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->pairs = pairs;
    clear_lists(r);
    if (pairs != RECORDS_REISSUED)
        return r;
    r->free_places = malloc(AHEAD_PLACES * sizeof(*r->free_places));
    if (!r->free_places) {
        free(r);
        return NULL;
    }
    for (uint32_t place = AHEAD_PLACES; place-- > 0;)
        r->free_places[r->nplaces++] = place;
    return r;
}

void records_destroy(struct records *r)
{
    if (!r)
        return;
    index_free(&r->by_key);
    index_free(&r->ahead);
    free(r->free_places);
    free(r->heap);
    free(r->live);
    handles_destroy(&r->handles);
    free(r);
}

uint64_t records_key(uint64_t a, uint64_t b)
{
    uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x == NO_KEY ? 0 : x;
}

/* ---- order ---- */

static bool before(const struct record *a, const struct record *b)
{
    return a->event.time_ns != b->event.time_ns ? a->event.time_ns < b->event.time_ns
                                                : a->order < b->order;
}

static enum bounce_status heap_put(const struct bounce_trace *trace, struct records *r,
                                   const struct record *record)
{
    uint32_t at = r->count;

    if (r->count == r->room) {
        uint32_t room = r->room ? 2 * r->room : 256;
        struct record *bigger = realloc(r->heap, room * sizeof(*bigger));

        if (!bigger)
            return BOUNCE_NO_MEMORY;
        r->heap = bigger;
        r->room = room;
    }
    r->count++;
    r->heap[at] = *record;
    r->heap[at].order = r->next_order++;
    r->heap[at].place = trace_place(trace);
    while (at && before(&r->heap[at], &r->heap[(at - 1) / 2])) {
        struct record parent = r->heap[(at - 1) / 2];

        r->heap[(at - 1) / 2] = r->heap[at];
        r->heap[at] = parent;
        at = (at - 1) / 2;
    }
    return BOUNCE_OK;
}

static struct record heap_take(struct records *r)
{
    struct record first = r->heap[0];
    struct record last = r->heap[--r->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= r->count)
            break;
        if (child + 1 < r->count && before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (!before(&r->heap[child], &last))
            break;
        r->heap[at] = r->heap[child];
        at = child;
    }
    r->heap[at] = last;
    return first;
}

uint64_t records_time(struct bounce_trace *trace, struct records *r, uint64_t recorded_ns)
{
    uint64_t time_ns = recorded_ns + r->base_ns;

    if (!r->started) {
        r->started = true;
        r->first_ns = r->newest_ns = time_ns;
    } else if (r->newest_ns > STEP_BACK_NS && time_ns < r->newest_ns - STEP_BACK_NS) {
        struct record restart = {.event = {.kind = BOUNCE_EVENT_RESTART}, .made = true};

        trace->counts.time_steps_back++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_RESTART,
                                               .size = r->newest_ns - time_ns,
                                               .time_ns = r->newest_ns - r->first_ns,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
        r->base_ns += r->newest_ns - time_ns;
        r->floor_ns = time_ns = restart.event.time_ns = r->newest_ns;
        /* Without memory the next record finds out. */
        (void)heap_put(trace, r, &restart);
    }
    if (time_ns < r->floor_ns) {
        trace->counts.late_records++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_LATE_RECORD,
                                               .size = r->floor_ns - time_ns,
                                               .time_ns = r->floor_ns - r->first_ns,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
        time_ns = r->floor_ns;
    } else if (time_ns < r->newest_ns) {
        trace_note(trace, (struct bounce_note){
                              .kind = BOUNCE_NOTE_TIME_BACK,
                              .size = r->newest_ns - time_ns,
                              .time_ns = time_ns > r->first_ns ? time_ns - r->first_ns : 0,
                              .device = BOUNCE_NOTE_NO_DEVICE});
    }
    if (time_ns > r->newest_ns)
        r->newest_ns = time_ns;
    if (!r->released && time_ns < r->first_ns)
        r->first_ns = time_ns;
    trace->counts.first_ns = r->first_ns;
    trace->counts.span_ns = r->newest_ns - r->first_ns;
    return time_ns;
}

enum bounce_status records_add(struct bounce_trace *trace, struct records *r,
                               const struct record *record)
{
    struct record held = *record;

    if (record->event.kind == BOUNCE_EVENT_ISSUE)
        trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    else if (record->event.kind != BOUNCE_EVENT_COMPLETE && !r->handles.used)
        r->handles.first = BOUNCE_HELD_MAX; /* for what is held from the start */
    r->held++;
    held.ahead = INDEX_NONE;
    if (r->nplaces && record->key != NO_KEY) {
        held.ahead = 2 * r->free_places[--r->nplaces];
        held.ahead += record->event.kind == BOUNCE_EVENT_COMPLETE;
        if (index_insert(&r->ahead, record->key, held.ahead))
            return BOUNCE_NO_MEMORY;
    }
    return heap_put(trace, r, &held);
}

/* Its turn has come. */
static void forget_ahead(struct records *r, const struct record *record)
{
    if (r->pairs != RECORDS_REISSUED || record->made || record->ahead == INDEX_NONE)
        return;
    index_remove(&r->ahead, record->key, record->ahead);
    r->free_places[r->nplaces++] = record->ahead / 2;
}

/* Whether the window holds an end for every request of that key that is live, begins now or will:
 * then they are in flight together, and none was given back. */
static bool all_will_end(const struct records *r, uint64_t key)
{
    uint32_t begun = 1, ends = 0, looked = 0;

    for (uint32_t v = index_find(&r->by_key, key); v != INDEX_NONE && looked < AHEAD_CHAIN;
         v = index_find_next(&r->by_key, v), looked++)
        begun++;
    for (uint32_t v = index_find(&r->ahead, key); v != INDEX_NONE && looked < AHEAD_CHAIN;
         v = index_find_next(&r->ahead, v), looked++) {
        ends += v % 2;
        begun += v % 2 == 0;
    }
    return looked < AHEAD_CHAIN && ends >= begun;
}

enum bounce_status records_add_timed(struct bounce_trace *trace, struct records *r,
                                     struct record *issue, uint64_t response_ns)
{
    struct record complete = {
        .event = {.kind = BOUNCE_EVENT_COMPLETE}, .made = true, .quiet = true};
    enum bounce_status status;

    issue->key = complete.key = records_key(r->next_order, 0);
    if (__builtin_add_overflow(issue->event.time_ns, response_ns, &complete.event.time_ns))
        complete.event.time_ns = UINT64_MAX;
    trace->recorded.has_completions = true;
    status = records_add(trace, r, issue);
    return status ? status : heap_put(trace, r, &complete);
}

/* ---- what is live ---- */

static void tell(struct bounce_trace *trace, const struct records *r, const struct record *record,
                 struct bounce_note note)
{
    note.place = record->place;
    note.time_ns = record->event.time_ns > r->first_ns ? record->event.time_ns - r->first_ns : 0;
    note.addr = record->event.tlb_addr;
    trace_note_at(trace, note);
}

static void forget_all(struct records *r)
{
    index_clear(&r->by_key);
    handles_clear(&r->handles);
    clear_lists(r);
}

static struct bounce_event *push(struct bounce_trace *trace, struct records *r,
                                 const struct record *record)
{
    struct bounce_event *out = queue_push(trace);
    uint64_t time_ns = record->event.time_ns;

    *out = record->event;
    out->time_ns = time_ns > r->first_ns ? time_ns - r->first_ns : 0;
    out->list = BOUNCE_NO_LIST;
    return out;
}

/* A list takes no more entries once one of its own has ended: engines chain them. */
static void close_list(struct records *r, uint32_t handle)
{
    struct live *l = &r->live[handle];

    if (l->serial && r->live[l->list].open == l->serial)
        r->live[l->list].open = 0;
    l->serial = 0;
}

static void forget_one(struct records *r, uint32_t handle, uint64_t until)
{
    close_list(r, handle);
    index_remove(&r->by_key, r->live[handle].key, handle);
    handles_give(&r->handles, handle, until);
}

static void end_request(struct bounce_trace *trace, struct records *r, uint32_t handle,
                        const struct record *record, unsigned flags)
{
    const struct live *l = &r->live[handle];
    struct bounce_event *out = push(trace, r, record);

    out->kind = l->kind == BOUNCE_EVENT_ISSUE ? BOUNCE_EVENT_COMPLETE : BOUNCE_EVENT_UNMAP;
    out->flags = (uint8_t)flags;
    out->handle = handle;
    out->id = l->id;
    out->device = l->device;
    out->dir = l->dir;
    out->size = l->size;
    forget_one(r, handle, 0);
}

static void forget_failed(struct records *r, struct list_lane *lane, uint64_t until)
{
    for (uint32_t handle = lane->failed, next; handle != INDEX_NONE; handle = next) {
        if (r->live[handle].serial != lane->serial)
            break; /* it has ended otherwise, against what the rows say */
        next = r->live[handle].next;
        forget_one(r, handle, until);
    }
    lane->failed = INDEX_NONE;
}

/* The entries of a list are known by the id of the first one. */
static void join_list(struct records *r, const struct record *record, struct bounce_event *out)
{
    struct list_lane *lane = &r->lists[record->list % LIST_LANES];
    struct live *l = &r->live[out->handle];

    if (record->list == out->id || lane->id != record->list || !lane->serial ||
        r->live[lane->handle].open != lane->serial) {
        forget_failed(r, lane, out->bound_seq);
        r->serial = r->serial == UINT32_MAX ? 1 : r->serial + 1;
        *lane = (struct list_lane){record->list, out->handle, r->serial, INDEX_NONE};
        out->flags |= BOUNCE_EVENT_LIST_FIRST;
        l->open = r->serial;
    }
    out->flags |= BOUNCE_EVENT_IN_LIST;
    out->list = l->list = lane->handle;
    l->serial = lane->serial;
    if (!(out->flags & BOUNCE_EVENT_LIST_OPEN))
        return;
    l->next = lane->failed;
    lane->failed = out->handle;
    if (out->flags & BOUNCE_EVENT_LIST_LAST)
        forget_failed(r, lane, out->bound_seq);
}

/* What failed when recorded is not mapped: no unmap of it will come. */
static void settle_mapping(struct records *r, const struct record *record, struct bounce_event *out)
{
    if (record->has_list)
        join_list(r, record, out);
    if (out->recorded == BOUNCE_RECORDED_FULL && !(out->flags & BOUNCE_EVENT_LIST_OPEN))
        forget_one(r, out->handle, out->bound_seq);
}

/* Mapped before the trace began. */
static enum bounce_status end_unmatched(struct bounce_trace *trace, struct records *r,
                                        const struct record *record)
{
    struct bounce_event *out;
    uint32_t handle;

    trace->counts.unmatched_unmaps++;
    if (handles_exhausted(&r->handles))
        return BOUNCE_OK;
    if (!handles_take(&r->handles, record->event.seq, &r->live, sizeof(*r->live), &handle))
        return BOUNCE_NO_MEMORY;
    out = push(trace, r, record);
    out->handle = handle;
    out->id = UINT64_MAX;
    handles_give(&r->handles, handle, 0);
    return BOUNCE_OK;
}

static enum bounce_status begin_request(struct bounce_trace *trace, struct records *r,
                                        const struct record *record)
{
    uint32_t handle = 0, old;
    struct bounce_event *out;

    if (r->pairs != RECORDS_FIFO && record->key != NO_KEY && !r->untracked &&
        (old = index_find(&r->by_key, record->key)) != INDEX_NONE &&
        (r->pairs == RECORDS_UNIQUE || !all_will_end(r, record->key))) {
        trace->counts.implied_unmaps++;
        tell(trace, r, record,
             (struct bounce_note){.kind = BOUNCE_NOTE_IMPLIED_UNMAP,
                                  .id = r->live[old].id,
                                  .device = r->live[old].device});
        end_request(trace, r, old, record, BOUNCE_EVENT_IMPLIED);
    }
    if (handles_exhausted(&r->handles) && !r->untracked) {
        if (record->event.kind != BOUNCE_EVENT_ISSUE || trace->recorded.has_completions) {
            trace->counts.not_tracked++;
            tell(trace, r, record,
                 (struct bounce_note){.kind = BOUNCE_NOTE_NOT_TRACKED,
                                      .device = record->event.device});
            return BOUNCE_OK;
        }
        r->untracked = true;
        forget_all(r);
    }
    if (record->event.kind == BOUNCE_EVENT_ISSUE &&
        sizes_add(&trace->sizes, record->event.size, (enum bounce_dir)record->event.dir))
        return BOUNCE_NO_MEMORY;
    if (record->key != NO_KEY && !r->untracked) {
        if (!handles_take(&r->handles, record->event.seq, &r->live, sizeof(*r->live), &handle) ||
            index_insert(&r->by_key, record->key, handle))
            return BOUNCE_NO_MEMORY;
        r->live[handle] = (struct live){
            .key = record->key,
            .size = record->event.size,
            .device = record->event.device,
            .dir = record->event.dir,
            .kind = record->event.kind,
        };
    }
    out = push(trace, r, record);
    out->handle = handle;
    if (!record->has_id)
        out->id = r->next_id++;
    if (record->key != NO_KEY && !r->untracked) {
        r->live[handle].id = out->id;
        if (out->kind == BOUNCE_EVENT_MAP)
            settle_mapping(r, record, out);
    }
    tell(trace, r, record,
         (struct bounce_note){
             .kind = BOUNCE_NOTE_MAP, .id = out->id, .device = record->event.device});
    return BOUNCE_OK;
}

/* An unmap may say what it ends. Completions do not: a device may have done less than asked. */
static void check_end(struct bounce_trace *trace, const struct records *r, uint32_t handle,
                      const struct record *record)
{
    const struct live *l = &r->live[handle];
    const struct bounce_event *event = &record->event;

    if (event->kind != BOUNCE_EVENT_UNMAP)
        return;
    if (event->size && event->size != l->size)
        tell(trace, r, record,
             (struct bounce_note){.kind = BOUNCE_NOTE_OTHER_SIZE,
                                  .id = l->id,
                                  .size = event->size,
                                  .told = l->size,
                                  .device = l->device});
    if (event->dir != BOUNCE_BIDIRECTIONAL && event->dir != l->dir)
        tell(trace, r, record,
             (struct bounce_note){.kind = BOUNCE_NOTE_OTHER_DIR,
                                  .id = l->id,
                                  .size = event->dir,
                                  .told = l->dir,
                                  .device = l->device});
}

static enum bounce_status release(struct bounce_trace *trace, struct records *r,
                                  const struct record *record)
{
    const struct live *l;
    struct bounce_event *out;
    uint32_t handle;

    switch ((enum bounce_event_kind)record->event.kind) {
    case BOUNCE_EVENT_ISSUE:
    case BOUNCE_EVENT_MAP:
    case BOUNCE_EVENT_ALLOC:
        return begin_request(trace, r, record);
    case BOUNCE_EVENT_RESTART:
        forget_all(r);
        push(trace, r, record);
        return BOUNCE_OK;
    case BOUNCE_EVENT_WORKER:
    case BOUNCE_EVENT_LOST:
        push(trace, r, record);
        return BOUNCE_OK;
    case BOUNCE_EVENT_COMPLETE:
    case BOUNCE_EVENT_UNMAP:
        if (record->event.flags & BOUNCE_EVENT_UNMATCHED)
            return end_unmatched(trace, r, record);
        handle = r->untracked ? INDEX_NONE : index_find(&r->by_key, record->key);
        if (handle == INDEX_NONE) {
            trace->counts.unmatched_unmaps += !record->quiet;
            if (!record->quiet)
                tell(trace, r, record,
                     (struct bounce_note){.kind = BOUNCE_NOTE_UNMATCHED_UNMAP,
                                          .id = record->event.id,
                                          .device = BOUNCE_NOTE_NO_DEVICE});
            return BOUNCE_OK;
        }
        trace->recorded.has_completions = true;
        check_end(trace, r, handle, record);
        end_request(trace, r, handle, record, record->event.flags & BOUNCE_EVENT_IMPLIED);
        return BOUNCE_OK;
    default:
        handle = index_find(&r->by_key, record->key);
        if (handle == INDEX_NONE) {
            trace->counts.unmatched_syncs++;
            tell(trace, r, record,
                 (struct bounce_note){.kind = BOUNCE_NOTE_UNMATCHED_SYNC,
                                      .id = record->event.id,
                                      .device = BOUNCE_NOTE_NO_DEVICE});
            return BOUNCE_OK;
        }
        l = &r->live[handle];
        out = push(trace, r, record);
        out->handle = handle;
        out->id = l->id;
        out->device = l->device;
        out->dir = l->dir;
        return BOUNCE_OK;
    }
}

enum bounce_status records_release(struct bounce_trace *trace, struct records *r, bool all)
{
    unsigned done = 0;

    while (r->count && done < RELEASE_AT_ONCE &&
           (all || r->held > RECORDS_WINDOW || r->count > HEAP_LIMIT)) {
        struct record record = heap_take(r);
        enum bounce_status status;

        r->released = true;
        if (record.event.time_ns > r->floor_ns && record.event.time_ns <= r->newest_ns)
            r->floor_ns = record.event.time_ns;
        r->held -= !record.made;
        forget_ahead(r, &record);
        status = release(trace, r, &record);
        if (status)
            return status;
        done++;
    }
    return done ? BOUNCE_OK : BOUNCE_END;
}
