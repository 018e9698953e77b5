/* SPDX-License-Identifier: Apache-2.0 */
/* Records wait in a window until their turn in time has come. */
#include "records_state.h"

#include <stdlib.h>

#define RELEASE_AT_ONCE 256u
#define HEAP_LIMIT      (LIVE_LIMIT + RECORDS_WINDOW)

static bool looks_ahead(const struct records *r)
{
    return r->pairs == RECORDS_REISSUED || r->pairs == RECORDS_LOST;
}

struct records *records_create(enum records_pairs pairs)
{
    struct records *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->pairs = pairs;
    records_forget_all(r);
    if (looks_ahead(r) && !ahead_create(&r->ahead)) {
        free(r);
        return NULL;
    }
    return r;
}

void records_destroy(struct records *r)
{
    if (!r)
        return;
    index_free(&r->by_key);
    index_free(&r->by_list);
    ahead_free(&r->ahead);
    free(r->heap.records);
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

/* Back by more than a second, or 292 years on: the clock of another boot, or rubbish. */
static bool is_other_clock(const struct records *r, uint64_t time_ns)
{
    return (r->newest_ns > STEP_BACK_NS && time_ns < r->newest_ns - STEP_BACK_NS) ||
           (time_ns > r->first_ns && time_ns - r->first_ns > INT64_MAX);
}

uint64_t records_time(struct bounce_trace *trace, struct records *r, uint64_t recorded_ns)
{
    uint64_t time_ns = recorded_ns + r->base_ns;

    if (!r->started) {
        r->started = true;
        r->first_ns = r->newest_ns = time_ns;
    } else if (is_other_clock(r, time_ns)) {
        struct record restart = {.event = {.kind = BOUNCE_EVENT_RESTART}, .made = true};

        trace->counts.time_steps_back++;
        trace_note(trace,
                   (struct bounce_note){.kind = BOUNCE_NOTE_RESTART,
                                        .size = r->newest_ns > time_ns ? r->newest_ns - time_ns
                                                                       : time_ns - r->newest_ns,
                                        .time_ns = r->newest_ns - r->first_ns,
                                        .device = BOUNCE_NOTE_NO_DEVICE});
        r->base_ns += r->newest_ns - time_ns;
        r->floor_ns = time_ns = restart.event.time_ns = r->newest_ns;
        /* Without memory the next record finds out. */
        (void)record_heap_put(&r->heap, &restart, trace_place(trace));
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
    if (looks_ahead(r) && !held.fifo && ahead_add(&r->ahead, &held))
        return BOUNCE_NO_MEMORY;
    return record_heap_put(&r->heap, &held, trace_place(trace));
}

enum bounce_status records_add_timed(struct bounce_trace *trace, struct records *r,
                                     struct record *issue, uint64_t response_ns)
{
    struct record complete = {
        .event = {.kind = BOUNCE_EVENT_COMPLETE}, .made = true, .quiet = true};
    enum bounce_status status;

    issue->key = complete.key = records_key(r->heap.next_order, 0);
    if (__builtin_add_overflow(issue->event.time_ns, response_ns, &complete.event.time_ns))
        complete.event.time_ns = UINT64_MAX;
    trace->recorded.has_completions = true;
    status = records_add(trace, r, issue);
    return status ? status : record_heap_put(&r->heap, &complete, trace_place(trace));
}

enum bounce_status records_release(struct bounce_trace *trace, struct records *r, bool all)
{
    unsigned done = 0;

    while (r->heap.count && done < RELEASE_AT_ONCE &&
           (all || r->held > RECORDS_WINDOW || r->heap.count > HEAP_LIMIT)) {
        struct record record = record_heap_take(&r->heap);
        enum bounce_status status;

        r->released = true;
        if (record.event.time_ns > r->floor_ns && record.event.time_ns <= r->newest_ns)
            r->floor_ns = record.event.time_ns;
        r->held -= !record.made;
        if (!record.made && record.ahead != INDEX_NONE)
            ahead_remove(&r->ahead, &record);
        status = records_join(trace, r, &record);
        if (status)
            return status;
        done++;
    }
    return done ? BOUNCE_OK : BOUNCE_END;
}

enum bounce_status records_read(struct bounce_trace *trace, struct records *records,
                                enum bounce_status (*take)(struct bounce_trace *trace,
                                                           struct bounce_error *error),
                                struct bounce_error *error)
{
    enum bounce_status status = records_release(trace, records, false);

    if (status == BOUNCE_END) {
        status = take(trace, error);
        if (status == BOUNCE_END)
            status = records_release(trace, records, true);
    }
    return status == BOUNCE_NO_MEMORY ? bounce_refuse(error, status, 0, "out of memory") : status;
}
