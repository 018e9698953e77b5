/* SPDX-License-Identifier: Apache-2.0 */
#include "dma_events.h"

#include "handles.h"

#include <stdlib.h>

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
    uint8_t level;
};

struct cpu_pending {
    struct pending *entries;
    uint32_t count;
    uint32_t room;
    uint32_t open;                    /* entries without a next_seq */
    uint64_t last_seq[KERNEL_LEVELS]; /* of the CPU's records */
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

struct dma_events *dma_events_create(void)
{
    struct dma_events *state = calloc(1, sizeof(*state));

    if (!state)
        return NULL;
    state->handles.first = BOUNCE_HELD_MAX;
    state->doubtful = malloc(DOUBTFUL_RING * sizeof(*state->doubtful));
    state->places = malloc(PENDING_MAX * sizeof(*state->places));
    state->matches = malloc(PENDING_MAX * sizeof(*state->matches));
    if (!state->doubtful || !state->places || !state->matches) {
        dma_events_destroy(state);
        return NULL;
    }
    return state;
}

void dma_events_destroy(struct dma_events *state)
{
    if (!state)
        return;
    for (uint32_t i = 0; i < state->ncpus; i++)
        free(state->cpus[i].entries);
    free(state->cpus);
    free(state->live);
    handles_destroy(&state->handles);
    free(state->doubtful);
    free(state->places);
    free(state->matches);
    index_free(&state->bounced);
    index_free(&state->direct);
    index_free(&state->by_orig);
    free(state);
}

/* What the present record has to do with, for notes. */
static struct bounce_note note_of(const struct dma_events *state, enum bounce_note_kind kind,
                                  const struct kernel_event *event, uint64_t addr)
{
    return (struct bounce_note){.kind = (uint8_t)kind,
                                .seq = state->events,
                                .time_ns = event->time_ns,
                                .addr = addr,
                                .device = event->device};
}

/* ---- live mappings ---- */

static uint32_t new_handle(struct bounce_trace *trace, struct dma_events *state)
{
    uint32_t handle;

    if (handles_take(&state->handles, state->events, &state->live, sizeof(*state->live), &handle))
        return handle;
    if (handles_exhausted(&state->handles)) {
        trace->counts.not_tracked++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_NOT_TRACKED,
                                               .seq = state->events,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
    }
    return INDEX_NONE;
}

static uint64_t slot_key(uint64_t dma_addr)
{
    return dma_addr >> BOUNCE_SLOT_SHIFT;
}

static uint64_t list_key(uint16_t device, uint64_t orig_addr)
{
    return orig_addr ^ ((uint64_t)device << 48);
}

static bool remember(struct dma_events *state, uint32_t handle, enum live_how how)
{
    struct live *l = &state->live[handle];
    enum bounce_status status = BOUNCE_OK;

    l->how = (uint8_t)how;
    if (how == IN_BOUNCED)
        status = index_insert(&state->bounced, slot_key(l->dma_addr), handle);
    else if (how == IN_DIRECT)
        status = index_insert(&state->direct, l->dma_addr, handle);
    if (status)
        l->how = UNINDEXED;
    return status == BOUNCE_OK;
}

static void forget(struct dma_events *state, uint32_t handle, uint64_t until)
{
    struct live *l = &state->live[handle];

    if (l->how == IN_BOUNCED)
        index_remove(&state->bounced, slot_key(l->dma_addr), handle);
    else if (l->how == IN_DIRECT)
        index_remove(&state->direct, l->dma_addr, handle);
    l->how = FREE_HANDLE;
    l->doubtful_until = 0;
    handles_give(&state->handles, handle, until);
}

static void push_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
                       const struct kernel_event *event, uint8_t flags)
{
    const struct live *l = &state->live[handle];
    struct bounce_event *out = queue_push(trace);

    out->kind = BOUNCE_EVENT_UNMAP;
    out->time_ns = event->time_ns;
    out->cpu = event->cpu;
    out->attrs = event->attrs;
    out->id = l->id;
    out->handle = handle;
    out->device = l->device;
    out->dir = l->dir;
    out->size = l->size;
    out->flags = flags;
    out->seq = state->events;
    out->bound_seq = flags & BOUNCE_EVENT_IMPLIED ? state->events : state->previous_seq;
    forget(state, handle, 0);
}

static void imply_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
                        const struct kernel_event *event)
{
    struct bounce_note note =
        note_of(state, BOUNCE_NOTE_IMPLIED_UNMAP, event, state->live[handle].dma_addr);

    note.id = state->live[handle].id;
    note.device = state->live[handle].device;
    trace->counts.implied_unmaps++;
    trace_note(trace, note);
    push_unmap(trace, state, handle, event, BOUNCE_EVENT_IMPLIED);
}

/* A new mapping at the address of a live one: that one's unmap is late, or it was lost. */
static void doubt(struct dma_events *state, uint32_t newcomer)
{
    uint64_t key = slot_key(state->live[newcomer].dma_addr);

    for (uint32_t h = index_find(&state->bounced, key); h != INDEX_NONE && h != newcomer;
         h = index_find_next(&state->bounced, h)) {
        uint32_t next = (state->doubtful_tail + 1) % DOUBTFUL_RING;

        if (state->live[h].doubtful_until || next == state->doubtful_head)
            continue;
        state->live[h].doubtful_until = state->events + LATE_UNMAP_EVENTS;
        state->doubtful[state->doubtful_tail] = h;
        state->doubtful_tail = next;
    }
}

static void imply_lost_unmaps(struct bounce_trace *trace, struct dma_events *state,
                              const struct kernel_event *event)
{
    while (state->doubtful_head != state->doubtful_tail &&
           trace->tail - trace->head < QUEUE_EVENTS * 3 / 4) {
        uint32_t handle = state->doubtful[state->doubtful_head];
        struct live *l = &state->live[handle];

        if (l->doubtful_until > state->events)
            return;
        state->doubtful_head = (state->doubtful_head + 1) % DOUBTFUL_RING;
        if (!l->doubtful_until || l->list != BOUNCE_NO_LIST)
            continue;
        imply_unmap(trace, state, handle, event);
    }
}

/* ---- pending maps ---- */

static struct cpu_pending *pending_of(struct dma_events *state, uint16_t cpu)
{
    if (cpu >= state->ncpus) {
        uint32_t wanted = cpu + 1u;
        struct cpu_pending *more = realloc(state->cpus, wanted * sizeof(*more));

        if (!more)
            return NULL;
        for (uint32_t i = state->ncpus; i < wanted; i++)
            more[i] = (struct cpu_pending){0};
        state->cpus = more;
        state->ncpus = wanted;
    }
    return &state->cpus[cpu];
}

static struct bounce_event *queued(struct bounce_trace *trace, uint64_t at)
{
    return &trace->queue[at & QUEUE_MASK];
}

static void answered(struct bounce_trace *trace, uint64_t at)
{
    trace->waits[at & QUEUE_MASK] = false;
}

/* Takes the pending maps of `device`, of that level and above, as a list that failed: its last
 * entry found no room. They may be several attempts in a row; the records do not tell where one
 * ended. */
static void fail_lists(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                       uint16_t device, uint8_t level)
{
    struct bounce_event *first = NULL, *last = NULL;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = queued(trace, p->entries[i].at);

        if (event->device != device || p->entries[i].level < level) {
            p->entries[kept++] = p->entries[i];
            continue;
        }
        p->open -= !p->entries[i].next_seq;
        if (!first) {
            first = event;
            first->flags |= BOUNCE_EVENT_LIST_FIRST;
            trace->counts.failed_lists++;
            trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_FAILED_LIST,
                                                   .seq = state->events,
                                                   .time_ns = event->time_ns,
                                                   .addr = event->orig_addr,
                                                   .device = device});
        }
        event->bound_seq = p->entries[i].next_seq ? p->entries[i].next_seq : state->events;
        event->flags |= BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_OPEN;
        event->list = first->handle;
        event->recorded = BOUNCE_RECORDED_TRIED;
        answered(trace, p->entries[i].at);
        forget(state, event->handle, event->bound_seq);
        last = event;
    }
    if (last) {
        last->recorded = BOUNCE_RECORDED_FULL;
        last->flags |= BOUNCE_EVENT_LIST_LAST;
    }
    p->count = kept;
}

/* What an interrupt left unanswered when it was over has failed. */
static void fail_interrupted(struct bounce_trace *trace, struct dma_events *state,
                             struct cpu_pending *p, uint8_t level)
{
    while (p->count && p->entries[p->count - 1].level > level)
        fail_lists(trace, state, p, queued(trace, p->entries[p->count - 1].at)->device, level + 1);
}

/* The maps begun at this level or above had been tried by now. */
static void bound_pending(struct cpu_pending *p, uint8_t level, uint64_t seq)
{
    uint32_t open = p->open;

    for (uint32_t i = p->count; i > 0 && open; i--) {
        struct pending *entry = &p->entries[i - 1];

        if (entry->next_seq)
            continue;
        open--;
        if (entry->level < level)
            continue;
        entry->next_seq = seq;
        p->open--;
    }
}

/* Another record of that CPU: returns its pending maps, NULL without memory. */
static struct cpu_pending *start_event(struct bounce_trace *trace, struct dma_events *state,
                                       const struct kernel_event *event)
{
    struct cpu_pending *p = pending_of(state, event->cpu);

    state->events++;
    imply_lost_unmaps(trace, state, event);
    if (!p)
        return NULL;
    state->previous_seq = 0;
    for (unsigned level = 0; level <= event->level; level++)
        if (p->last_seq[level] > state->previous_seq)
            state->previous_seq = p->last_seq[level];
    p->last_seq[event->level] = state->events;
    if (p->open)
        bound_pending(p, event->level, state->events);
    if (p->count)
        fail_interrupted(trace, state, p, event->level);
    return p;
}

static struct bounce_event *push_map(struct bounce_trace *trace, struct dma_events *state,
                                     const struct kernel_event *event, uint64_t orig_addr,
                                     uint64_t size)
{
    uint32_t handle = new_handle(trace, state);
    struct bounce_event *out;

    if (handle == INDEX_NONE)
        return NULL;
    out = queue_push(trace);
    out->kind = BOUNCE_EVENT_MAP;
    out->time_ns = event->time_ns;
    out->cpu = event->cpu;
    out->device = event->device;
    out->dir = event->dir;
    out->attrs = event->attrs;
    out->id = state->next_id++;
    out->handle = handle;
    out->orig_addr = orig_addr;
    out->size = size;
    out->seq = out->bound_seq = state->events;
    state->live[handle] = (struct live){
        .orig_addr = orig_addr,
        .size = size,
        .id = out->id,
        .list = BOUNCE_NO_LIST,
        .list_next = INDEX_NONE,
        .device = event->device,
        .dir = event->dir,
        .how = WAITING,
    };
    trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_MAP,
                                           .seq = state->events,
                                           .id = out->id,
                                           .device = event->device});
    return out;
}

bool dma_events_bounced(struct bounce_trace *trace, struct dma_events *state,
                        const struct kernel_event *event, uint64_t orig_addr, uint64_t size)
{
    struct cpu_pending *p = start_event(trace, state, event);

    if (!p)
        return false;
    if (p->count == PENDING_MAX)
        fail_lists(trace, state, p, queued(trace, p->entries[0].at)->device, 0);
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : 32;
        struct pending *more = realloc(p->entries, room * sizeof(*more));

        if (!more)
            return false;
        p->entries = more;
        p->room = room;
    }
    if (!push_map(trace, state, event, orig_addr, size))
        return true; /* counted as not tracked */
    p->entries[p->count++] = (struct pending){trace->tail - 1, 0, event->level};
    p->open++;
    trace->waits[(trace->tail - 1) & QUEUE_MASK] = true;
    return true;
}

/* ---- answers ---- */

/* The recorded result of one map: `out` is in the queue, its mapping becomes live or is forgotten.
 */
static void settle_map(struct dma_events *state, struct bounce_event *out,
                       const struct kernel_event *event, uint64_t dma_addr, bool bounced)
{
    struct live *l = &state->live[out->handle];

    out->dir = l->dir = event->dir;
    out->attrs = event->attrs;
    out->bound_seq = state->events;
    if (dma_addr == UINT64_MAX) {
        out->recorded = BOUNCE_RECORDED_FULL;
        forget(state, out->handle, out->bound_seq);
        return;
    }
    l->dma_addr = dma_addr;
    if (bounced) {
        out->recorded = BOUNCE_RECORDED_ADDRESS;
        out->tlb_addr = dma_addr;
        remember(state, out->handle, IN_BOUNCED);
        doubt(state, out->handle);
    } else {
        out->recorded =
            dma_addr == out->orig_addr ? BOUNCE_RECORDED_DIRECT : BOUNCE_RECORDED_NOTHING;
        remember(state, out->handle, IN_DIRECT);
    }
}

/* Such a map's swiotlb_bounced record may be one of those before the first, or of the lost ones. */
static bool began_before(const struct cpu_pending *p, uint64_t dma_addr, uint64_t orig_addr)
{
    return !p->begun && dma_addr != orig_addr && dma_addr != UINT64_MAX;
}

/* 1 + index of the newest pending map that this may answer, 0 when there is none. */
static uint32_t find_pending(struct bounce_trace *trace, const struct cpu_pending *p,
                             const struct kernel_event *event, uint64_t orig_addr, uint64_t size,
                             bool same_level)
{
    uint32_t i;

    for (i = p->count; i > 0; i--) {
        const struct bounce_event *out = queued(trace, p->entries[i - 1].at);

        if (out->device == event->device && out->orig_addr == orig_addr && out->size == size &&
            (!same_level || p->entries[i - 1].level == event->level))
            break;
    }
    return i;
}

bool dma_events_map(struct bounce_trace *trace, struct dma_events *state,
                    const struct kernel_event *event, uint64_t dma_addr, uint64_t orig_addr,
                    uint64_t size)
{
    struct cpu_pending *p = start_event(trace, state, event);
    struct bounce_event *out;
    uint32_t i;

    if (!p)
        return false;
    i = find_pending(trace, p, event, orig_addr, size, true);
    if (i == 0)
        i = find_pending(trace, p, event, orig_addr, size, false);
    if (i == 0) { /* not bounced, or the event for it was not recorded */
        out = push_map(trace, state, event, orig_addr, size);
        if (out)
            settle_map(state, out, event, dma_addr, false);
        if (out && began_before(p, dma_addr, orig_addr))
            out->tlb_addr = dma_addr;
        p->begun |= event->level == 0;
        return true;
    }
    p->begun |= event->level == 0;
    out = queued(trace, p->entries[i - 1].at);
    answered(trace, p->entries[i - 1].at);
    settle_map(state, out, event, dma_addr, true);
    p->open -= !p->entries[i - 1].next_seq;
    for (uint32_t j = i; j < p->count; j++)
        p->entries[j - 1] = p->entries[j];
    p->count--;
    /* Maps of one device on one CPU are answered in order, interrupts aside: what is left never
     * will be. */
    fail_lists(trace, state, p, event->device, event->level);
    return true;
}

/* Pending maps of a list: their places in `p`. The list's entries
 * stand at the end of the device's pending maps, in order; entries that were not bounced are
 * missing. Returns how many; state->matches[k] is the list entry of state->places[k], youngest
 * first. */
static uint32_t match_list(struct bounce_trace *trace, struct dma_events *state,
                           const struct cpu_pending *p, const struct kernel_event *event,
                           const struct sg_entries *list)
{
    uint32_t n = 0, entry = list->count;

    for (uint32_t i = p->count; i > 0 && entry > 0; i--) {
        const struct bounce_event *out = queued(trace, p->entries[i - 1].at);

        if (out->device != event->device || p->entries[i - 1].level != event->level)
            continue;
        if (list->truncated && n == 0 && out->orig_addr != list->orig_addrs[entry - 1])
            continue; /* beyond what was printed */
        while (entry > 0 && list->orig_addrs[entry - 1] != out->orig_addr)
            entry--;
        if (entry == 0)
            break;
        state->places[n] = i - 1;
        state->matches[n++] = --entry;
    }
    return n;
}

/* A list under construction. */
struct list {
    uint32_t first;
    uint32_t last;
};

static void add_to_list(struct dma_events *state, struct list *list, struct bounce_event *out)
{
    if (list->first == INDEX_NONE) {
        out->flags |= BOUNCE_EVENT_LIST_FIRST;
        list->first = out->handle;
    } else {
        state->live[list->last].list_next = out->handle;
    }
    list->last = out->handle;
    out->flags |= BOUNCE_EVENT_IN_LIST;
    out->list = list->first;
    state->live[out->handle].list = list->first;
}

/* Entries that the kernel did not print of a long list: bounced, address not told. */
static void add_unprinted(struct bounce_trace *trace, struct dma_events *state,
                          const struct kernel_event *event, const struct cpu_pending *p,
                          uint32_t from, struct list *list)
{
    for (uint32_t i = from; i < p->count; i++) {
        struct bounce_event *out = queued(trace, p->entries[i].at);

        if (out->device != event->device || p->entries[i].level != event->level)
            continue;
        answered(trace, p->entries[i].at);
        out->dir = event->dir;
        out->attrs = event->attrs;
        out->recorded = BOUNCE_RECORDED_OK;
        out->bound_seq = p->entries[i].next_seq ? p->entries[i].next_seq : state->events;
        state->live[out->handle].dir = event->dir;
        state->live[out->handle].how = UNINDEXED;
        add_to_list(state, list, out);
    }
}

static void drop_answered(const struct bounce_trace *trace, struct cpu_pending *p)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->count; i++)
        if (trace->waits[p->entries[i].at & QUEUE_MASK])
            p->entries[kept++] = p->entries[i];
        else
            p->open -= !p->entries[i].next_seq;
    p->count = kept;
}

bool dma_events_map_sg(struct bounce_trace *trace, struct dma_events *state,
                       const struct kernel_event *event, const struct sg_entries *list)
{
    struct cpu_pending *p = start_event(trace, state, event);
    struct list built = {INDEX_NONE, INDEX_NONE};
    uint32_t matched, left;
    bool apart = false; /* some of it may have been mapped before: each entry is by itself */

    if (!p || list->count == 0)
        return p != NULL;
    trace->counts.truncated_lists += list->truncated;
    if (list->truncated)
        trace_note(trace, note_of(state, BOUNCE_NOTE_TRUNCATED_LIST, event, list->orig_addrs[0]));
    matched = left = match_list(trace, state, p, event, list);
    for (uint32_t entry = 0; entry < list->count; entry++) {
        struct bounce_event *out;
        bool bounced = left > 0 && state->matches[left - 1] == entry;

        if (bounced) {
            uint64_t at = p->entries[state->places[--left]].at;

            out = queued(trace, at);
            answered(trace, at);
        } else {
            out = push_map(trace, state, event, list->orig_addrs[entry], list->sizes[entry]);
            if (!out)
                continue;
        }
        settle_map(state, out, event, list->dma_addrs[entry], bounced);
        if (!bounced && began_before(p, list->dma_addrs[entry], list->orig_addrs[entry])) {
            out->tlb_addr = list->dma_addrs[entry];
            apart = true;
        }
        /* The CPU's next entry came only after this one had its slots. */
        if (bounced && p->entries[state->places[left]].next_seq)
            out->bound_seq = p->entries[state->places[left]].next_seq;
        if (out->recorded != BOUNCE_RECORDED_FULL)
            add_to_list(state, &built, out);
        if (apart) {
            out->flags &= (uint16_t) ~(BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_FIRST);
            out->list = BOUNCE_NO_LIST;
        }
    }
    p->begun |= event->level == 0;
    if (list->truncated)
        add_unprinted(trace, state, event, p, matched ? state->places[0] + 1 : 0, &built);
    drop_answered(trace, p);
    fail_lists(trace, state, p, event->device, event->level);
    if (built.first == INDEX_NONE)
        return true;
    return index_insert(&state->by_orig,
                        list_key(event->device, state->live[built.first].orig_addr),
                        built.first) == BOUNCE_OK;
}

/* Mapped before the trace began, or its map was lost. */
static void push_unmatched(struct bounce_trace *trace, struct dma_events *state,
                           const struct kernel_event *event, uint64_t dma_addr, uint64_t size)
{
    struct bounce_event *out;
    uint32_t handle;

    trace->counts.unmatched_unmaps++;
    trace_note(trace, note_of(state, BOUNCE_NOTE_UNMATCHED_UNMAP, event, dma_addr));
    handle = size ? new_handle(trace, state) : INDEX_NONE;
    if (handle == INDEX_NONE)
        return;
    state->live[handle] = (struct live){.dma_addr = dma_addr,
                                        .size = size,
                                        .id = UINT64_MAX,
                                        .list = BOUNCE_NO_LIST,
                                        .device = event->device,
                                        .dir = event->dir,
                                        .how = UNINDEXED};
    push_unmap(trace, state, handle, event, BOUNCE_EVENT_UNMATCHED);
    out = queued(trace, trace->tail - 1);
    out->tlb_addr = dma_addr;
}

/* What the unmap says of a single mapping must be what the map said. */
static void check_unmap(struct bounce_trace *trace, const struct dma_events *state, uint32_t handle,
                        const struct kernel_event *event, uint64_t size)
{
    const struct live *l = &state->live[handle];
    struct bounce_note note = note_of(state, BOUNCE_NOTE_OTHER_SIZE, event, l->dma_addr);

    note.id = l->id;
    if (size && size != l->size) {
        note.size = size;
        note.told = l->size;
        trace_note(trace, note);
    }
    if (event->dir != l->dir) {
        note.kind = BOUNCE_NOTE_OTHER_DIR;
        note.size = event->dir;
        note.told = l->dir;
        trace_note(trace, note);
    }
    if (event->device != l->device) {
        note.kind = BOUNCE_NOTE_OTHER_DEVICE;
        note.told = l->device;
        trace_note(trace, note);
    }
}

bool dma_events_unmap(struct bounce_trace *trace, struct dma_events *state,
                      const struct kernel_event *event, uint64_t dma_addr, uint64_t size)
{
    uint32_t handle;

    if (!start_event(trace, state, event))
        return false;
    for (handle = index_find(&state->bounced, slot_key(dma_addr)); handle != INDEX_NONE;
         handle = index_find_next(&state->bounced, handle))
        if (state->live[handle].dma_addr == dma_addr && state->live[handle].list == BOUNCE_NO_LIST)
            break;
    /* Of two mappings at one address the older one's unmap comes first, unless it was lost. */
    if (handle != INDEX_NONE && state->live[handle].doubtful_until &&
        state->live[handle].doubtful_until <= state->events + LATE_UNMAP_EVENTS / 2) {
        uint32_t younger = index_find_next(&state->bounced, handle);

        if (younger != INDEX_NONE && state->live[younger].dma_addr == dma_addr) {
            imply_unmap(trace, state, handle, event);
            handle = younger;
        }
    }
    if (handle == INDEX_NONE)
        handle = index_find(&state->direct, dma_addr);
    if (handle == INDEX_NONE || state->live[handle].list != BOUNCE_NO_LIST) {
        push_unmatched(trace, state, event, dma_addr, size);
        return true;
    }
    check_unmap(trace, state, handle, event, size);
    push_unmap(trace, state, handle, event, 0);
    return true;
}

/* The oldest list of that device with exactly these original addresses; failing that, the oldest
 * that begins with the first of them (a list of which not every entry was printed). */
static uint32_t find_list(const struct dma_events *state, uint16_t device,
                          const uint64_t *orig_addrs, uint32_t count)
{
    uint32_t oldest = index_find(&state->by_orig, list_key(device, orig_addrs[0]));

    for (uint32_t first = oldest; first != INDEX_NONE;
         first = index_find_next(&state->by_orig, first)) {
        uint32_t handle = first, i = 0;

        while (handle != INDEX_NONE && i < count &&
               state->live[handle].orig_addr == orig_addrs[i]) {
            handle = state->live[handle].list_next;
            i++;
        }
        if (handle == INDEX_NONE && i == count)
            return first;
    }
    return oldest;
}

bool dma_events_unmap_sg(struct bounce_trace *trace, struct dma_events *state,
                         const struct kernel_event *event, const uint64_t *orig_addrs,
                         uint32_t count)
{
    uint32_t first;

    if (!start_event(trace, state, event))
        return false;
    if (count == 0)
        return true;
    first = find_list(state, event->device, orig_addrs, count);
    if (first == INDEX_NONE) {
        trace->counts.unmatched_unmaps += count;
        for (uint32_t i = 0; i < count; i++) /* original addresses: no bounce address is told */
            trace_note(trace, note_of(state, BOUNCE_NOTE_UNMATCHED_UNMAP, event, 0));
        return true;
    }
    index_remove(&state->by_orig, list_key(event->device, state->live[first].orig_addr), first);
    for (uint32_t handle = first; handle != INDEX_NONE;) {
        uint32_t next = state->live[handle].list_next;

        push_unmap(trace, state, handle, event, 0);
        handle = next;
    }
    return true;
}

/* The bounced mapping that holds an address: a sync may begin anywhere in it. */
static uint32_t find_holder(const struct dma_events *state, uint64_t dma_addr)
{
    for (uint64_t back = 0; back < BOUNCE_SEGMENT_SLOTS; back++) {
        uint64_t key = slot_key(dma_addr) - back;

        for (uint32_t h = index_find(&state->bounced, key); h != INDEX_NONE;
             h = index_find_next(&state->bounced, h)) {
            const struct live *l = &state->live[h];

            if (dma_addr >= l->dma_addr && dma_addr - l->dma_addr < l->size)
                return h;
        }
    }
    return index_find(&state->direct, dma_addr);
}

bool dma_events_sync(struct bounce_trace *trace, struct dma_events *state,
                     const struct kernel_event *event, uint64_t dma_addr, uint64_t size,
                     bool for_cpu)
{
    struct bounce_event *out;
    uint32_t handle;

    if (!start_event(trace, state, event))
        return false;
    handle = find_holder(state, dma_addr);
    if (handle == INDEX_NONE) {
        trace->counts.unmatched_syncs++;
        trace_note(trace, note_of(state, BOUNCE_NOTE_UNMATCHED_SYNC, event, dma_addr));
        return true;
    }
    out = queue_push(trace);
    out->kind = for_cpu ? BOUNCE_EVENT_SYNC_FOR_CPU : BOUNCE_EVENT_SYNC_FOR_DEVICE;
    out->time_ns = event->time_ns;
    out->cpu = event->cpu;
    out->id = state->live[handle].id;
    out->handle = handle;
    out->device = state->live[handle].device;
    out->dir = event->dir;
    out->offset = dma_addr - state->live[handle].dma_addr;
    out->size = size;
    return true;
}

/* ---- the end of waiting ---- */

void dma_events_settle(struct bounce_trace *trace, struct dma_events *state)
{
    const struct bounce_event *oldest = queued(trace, trace->head);
    struct cpu_pending *p = &state->cpus[oldest->cpu];

    fail_lists(trace, state, p, oldest->device, 0);
}

void dma_events_lost(struct bounce_trace *trace, struct dma_events *state, uint16_t cpu,
                     uint64_t count, uint64_t time_ns)
{
    struct cpu_pending *p = pending_of(state, cpu);
    struct bounce_event *out;

    if (!p)
        return;
    /* Their answers may be among the missing: mapped or not, nobody knows where. */
    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = queued(trace, p->entries[i].at);

        event->bound_seq = p->entries[i].next_seq ? p->entries[i].next_seq : state->events;
        event->recorded = BOUNCE_RECORDED_NOTHING;
        event->kind = BOUNCE_EVENT_LOST;
        event->size = 0;
        answered(trace, p->entries[i].at);
        forget(state, event->handle, event->bound_seq);
    }
    p->count = p->open = 0;
    p->begun = false;
    out = queue_push(trace);
    out->kind = BOUNCE_EVENT_LOST;
    out->time_ns = time_ns;
    out->cpu = cpu;
    out->size = count;
    out->seq = out->bound_seq = state->events;
}

void dma_events_restart(struct bounce_trace *trace, struct dma_events *state, uint64_t time_ns)
{
    struct bounce_event *out;

    dma_events_finish(trace, state);
    index_clear(&state->bounced);
    index_clear(&state->direct);
    index_clear(&state->by_orig);
    state->doubtful_head = state->doubtful_tail = 0;
    handles_clear(&state->handles);
    out = queue_push(trace);
    out->kind = BOUNCE_EVENT_RESTART;
    out->time_ns = time_ns;
}

/* The recording ended while a CPU was at it: the maps had been tried, and that is all. */
static void cut_off(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p)
{
    const struct pending *newest = &p->entries[p->count - 1];
    uint16_t device = queued(trace, newest->at)->device;
    uint8_t level = newest->level;
    struct bounce_event *first = NULL;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = queued(trace, p->entries[i].at);

        if (event->device != device || p->entries[i].level != level) {
            p->entries[kept++] = p->entries[i];
            continue;
        }
        p->open -= !p->entries[i].next_seq;
        if (!first) {
            first = event;
            first->flags |= BOUNCE_EVENT_LIST_FIRST;
        }
        event->bound_seq = p->entries[i].next_seq ? p->entries[i].next_seq : state->events + 1;
        event->flags |= BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_OPEN;
        event->list = first->handle;
        event->recorded = BOUNCE_RECORDED_TRIED;
        answered(trace, p->entries[i].at);
    }
    p->count = kept;
}

void dma_events_finish(struct bounce_trace *trace, struct dma_events *state)
{
    for (uint32_t cpu = 0; cpu < state->ncpus; cpu++) {
        struct cpu_pending *p = &state->cpus[cpu];

        while (p->count)
            if (p->entries[p->count - 1].next_seq)
                fail_lists(trace, state, p, queued(trace, p->entries[p->count - 1].at)->device,
                           p->entries[p->count - 1].level);
            else
                cut_off(trace, state, p);
    }
}
