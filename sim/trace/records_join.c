/* SPDX-License-Identifier: Apache-2.0 */
/* From records in order of time to mappings and requests: what each of them begins or ends. */
#include "records_state.h"

static void tell(struct bounce_trace *trace, const struct records *r, const struct record *record,
                 struct bounce_note note)
{
    note.place = record->place;
    note.time_ns = record->event.time_ns > r->first_ns ? record->event.time_ns - r->first_ns : 0;
    note.addr = record->event.tlb_addr;
    trace_note_at(trace, note);
}

void records_forget_all(struct records *r)
{
    index_clear(&r->by_key);
    handles_clear(&r->handles);
    for (unsigned i = 0; i < LIST_LANES; i++)
        r->lists[i] = (struct list_lane){.failed = INDEX_NONE};
    index_clear(&r->by_list);
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
    if (!(flags & BOUNCE_EVENT_IMPLIED)) {
        r->ended++;
        r->took_ns += record->event.time_ns - l->begun_ns;
    }
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

static void end_lane(struct records *r, uint32_t place, uint64_t until)
{
    if (!r->lists[place].used)
        return;
    forget_failed(r, &r->lists[place], until);
    index_remove(&r->by_list, r->lists[place].id, place);
    r->lists[place].used = false;
}

/* That of a list that begins with `out`, in place of the oldest one; NULL without memory. */
static struct list_lane *begin_lane(struct records *r, uint64_t id, const struct bounce_event *out)
{
    uint32_t place = r->next_list++ % LIST_LANES;
    struct list_lane *lane = &r->lists[place];

    end_lane(r, place, out->bound_seq);
    if (index_insert(&r->by_list, id, place))
        return NULL;
    r->serial = r->serial == UINT32_MAX ? 1 : r->serial + 1;
    *lane = (struct list_lane){id, out->handle, r->serial, INDEX_NONE, true};
    return lane;
}

/* The entries of a list are known by the id of the first one. */
static enum bounce_status join_list(struct records *r, const struct record *record,
                                    struct bounce_event *out)
{
    uint32_t place = index_find(&r->by_list, record->list);
    struct list_lane *lane = place == INDEX_NONE ? NULL : &r->lists[place];
    struct live *l = &r->live[out->handle];

    if (record->list == out->id || !lane || r->live[lane->handle].open != lane->serial) {
        if (lane)
            end_lane(r, place, out->bound_seq);
        lane = begin_lane(r, record->list, out);
        if (!lane)
            return BOUNCE_NO_MEMORY;
        out->flags |= BOUNCE_EVENT_LIST_FIRST;
        l->open = r->serial;
    }
    out->flags |= BOUNCE_EVENT_IN_LIST;
    out->list = l->list = lane->handle;
    l->serial = lane->serial;
    if (!(out->flags & BOUNCE_EVENT_LIST_OPEN))
        return BOUNCE_OK;
    l->next = lane->failed;
    lane->failed = out->handle;
    if (out->flags & BOUNCE_EVENT_LIST_LAST)
        forget_failed(r, lane, out->bound_seq);
    return BOUNCE_OK;
}

/* What failed when recorded is not mapped: no unmap of it will come. */
static enum bounce_status settle_mapping(struct records *r, const struct record *record,
                                         struct bounce_event *out)
{
    if (record->has_list && join_list(r, record, out))
        return BOUNCE_NO_MEMORY;
    if (out->recorded == BOUNCE_RECORDED_FULL && !(out->flags & BOUNCE_EVENT_LIST_OPEN))
        forget_one(r, out->handle, out->bound_seq);
    return BOUNCE_OK;
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

/* Whether that of the live one with the key of `record`, which begins another, was. */
static bool end_was_lost(const struct records *r, const struct record *record, uint32_t live)
{
    uint64_t age_ns = record->event.time_ns - r->live[live].begun_ns;

    if (r->pairs == RECORDS_UNIQUE)
        return true;
    if (r->pairs == RECORDS_LOST &&
        (r->ended < LOST_SAMPLES || age_ns / LOST_AGE <= r->took_ns / r->ended))
        return false;
    return !ahead_all_end(&r->ahead, &r->by_key, record->key);
}

/* It ended before `next` began, which says nothing else of it. */
static void end_unseen(struct bounce_trace *trace, struct records *r, uint32_t handle,
                       const struct bounce_event *next)
{
    const struct record end = {
        .event = {
            .time_ns = next->time_ns, .cpu = next->cpu, .seq = next->seq, .bound_seq = next->seq}};

    end_request(trace, r, handle, &end, BOUNCE_EVENT_IMPLIED);
}

static enum bounce_status begin_request(struct bounce_trace *trace, struct records *r,
                                        const struct record *record)
{
    uint32_t handle = 0, old;
    struct bounce_event *out;

    if (r->pairs != RECORDS_FIFO && !record->fifo && record->key != NO_KEY && !r->untracked &&
        (old = index_find(&r->by_key, record->key)) != INDEX_NONE && end_was_lost(r, record, old)) {
        trace->counts.implied_unmaps++;
        tell(trace, r, record,
             (struct bounce_note){.kind = BOUNCE_NOTE_IMPLIED_UNMAP,
                                  .id = r->live[old].id,
                                  .device = r->live[old].device});
        end_unseen(trace, r, old, &record->event);
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
        records_forget_all(r);
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
            .begun_ns = record->event.time_ns,
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
        if (out->kind == BOUNCE_EVENT_MAP && settle_mapping(r, record, out))
            return BOUNCE_NO_MEMORY;
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

enum bounce_status records_join(struct bounce_trace *trace, struct records *r,
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
        records_forget_all(r);
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
        if (!(record->event.flags & BOUNCE_EVENT_IMPLIED))
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
