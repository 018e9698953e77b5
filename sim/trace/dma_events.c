/* SPDX-License-Identifier: Apache-2.0 */
#include "dma_state.h"

#include <stdlib.h>

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

/* ---- unmaps ---- */

/* Mapped before the trace began, or its map was lost. */
static void push_unmatched(struct bounce_trace *trace, struct dma_events *state,
                           const struct kernel_event *event, uint64_t dma_addr, uint64_t size)
{
    struct bounce_event *out;
    uint32_t handle;

    trace->counts.unmatched_unmaps++;
    trace_note(trace, dma_note_of(state, BOUNCE_NOTE_UNMATCHED_UNMAP, event, dma_addr));
    handle = size ? dma_new_handle(trace, state) : INDEX_NONE;
    if (handle == INDEX_NONE)
        return;
    state->live[handle] = (struct live){.dma_addr = dma_addr,
                                        .size = size,
                                        .id = UINT64_MAX,
                                        .list = BOUNCE_NO_LIST,
                                        .device = event->device,
                                        .dir = event->dir,
                                        .how = UNINDEXED};
    dma_push_unmap(trace, state, handle, event, BOUNCE_EVENT_UNMATCHED);
    out = dma_queued(trace, trace->tail - 1);
    out->tlb_addr = dma_addr;
}

/* What the unmap says of a single mapping must be what the map said. */
static void check_unmap(struct bounce_trace *trace, const struct dma_events *state, uint32_t handle,
                        const struct kernel_event *event, uint64_t size)
{
    const struct live *l = &state->live[handle];
    struct bounce_note note = dma_note_of(state, BOUNCE_NOTE_OTHER_SIZE, event, l->dma_addr);

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

    if (!dma_start_event(trace, state, event))
        return false;
    for (handle = index_find(&state->bounced, dma_slot_key(dma_addr)); handle != INDEX_NONE;
         handle = index_find_next(&state->bounced, handle))
        if (state->live[handle].dma_addr == dma_addr && state->live[handle].list == BOUNCE_NO_LIST)
            break;
    /* Of two mappings at one address the older one's unmap comes first, unless it was lost. */
    if (handle != INDEX_NONE && state->live[handle].doubtful_until &&
        state->live[handle].doubtful_until <= state->events + LATE_UNMAP_EVENTS / 2) {
        uint32_t younger = index_find_next(&state->bounced, handle);

        if (younger != INDEX_NONE && state->live[younger].dma_addr == dma_addr) {
            dma_imply_unmap(trace, state, handle, event);
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
    dma_push_unmap(trace, state, handle, event, 0);
    return true;
}

/* The oldest list of that device with exactly these original addresses; failing that, the oldest
 * that begins with the first of them (a list of which not every entry was printed). */
static uint32_t find_list(const struct dma_events *state, uint16_t device,
                          const uint64_t *orig_addrs, uint32_t count)
{
    uint32_t oldest = index_find(&state->by_orig, dma_list_key(device, orig_addrs[0]));

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

    if (!dma_start_event(trace, state, event))
        return false;
    if (count == 0)
        return true;
    first = find_list(state, event->device, orig_addrs, count);
    if (first == INDEX_NONE) {
        trace->counts.unmatched_unmaps += count;
        for (uint32_t i = 0; i < count; i++) { /* no bounce address is told */
            struct bounce_note note = dma_note_of(state, BOUNCE_NOTE_UNMATCHED_UNMAP, event, 0);

            note.told = orig_addrs[i];
            trace_note(trace, note);
        }
        return true;
    }
    index_remove(&state->by_orig, dma_list_key(event->device, state->live[first].orig_addr), first);
    for (uint32_t handle = first; handle != INDEX_NONE;) {
        uint32_t next = state->live[handle].list_next;

        dma_push_unmap(trace, state, handle, event, 0);
        handle = next;
    }
    return true;
}

/* The bounced mapping that holds an address: a sync may begin anywhere in it. */
static uint32_t find_holder(const struct dma_events *state, uint64_t dma_addr)
{
    for (uint64_t back = 0; back < BOUNCE_SEGMENT_SLOTS; back++) {
        uint64_t key = dma_slot_key(dma_addr) - back;

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

    if (!dma_start_event(trace, state, event))
        return false;
    handle = find_holder(state, dma_addr);
    if (handle == INDEX_NONE) {
        trace->counts.unmatched_syncs++;
        trace_note(trace, dma_note_of(state, BOUNCE_NOTE_UNMATCHED_SYNC, event, dma_addr));
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
    const struct bounce_event *oldest = dma_queued(trace, trace->head);
    struct cpu_pending *p = &state->cpus[oldest->cpu];

    dma_fail_lists(trace, state, p, oldest->device, 0);
}

void dma_events_lost(struct bounce_trace *trace, struct dma_events *state, uint16_t cpu,
                     uint64_t count, uint64_t time_ns)
{
    struct cpu_pending *p = dma_pending_of(state, cpu);
    struct bounce_event *out;

    if (!p)
        return;
    /* Their answers may be among the missing: mapped or not, nobody knows where. */
    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = dma_queued(trace, p->entries[i].at);

        event->bound_seq = p->entries[i].next_seq ? p->entries[i].next_seq : state->events;
        event->recorded = BOUNCE_RECORDED_NOTHING;
        event->kind = BOUNCE_EVENT_LOST;
        event->size = 0;
        dma_answered(trace, p->entries[i].at);
        dma_forget(state, event->handle, event->bound_seq);
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
    uint16_t device = dma_queued(trace, newest->at)->device;
    uint8_t level = newest->level;
    struct bounce_event *first = NULL;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = dma_queued(trace, p->entries[i].at);

        if (event->device != device || p->entries[i].level != level) {
            p->entries[kept++] = p->entries[i];
            continue;
        }
        if (!first)
            first = event;
        dma_join_tried(trace, p, &p->entries[i], first, state->events + 1);
    }
    p->count = kept;
}

void dma_events_finish(struct bounce_trace *trace, struct dma_events *state)
{
    for (uint32_t cpu = 0; cpu < state->ncpus; cpu++) {
        struct cpu_pending *p = &state->cpus[cpu];

        while (p->count)
            if (p->entries[p->count - 1].next_seq && !p->flat)
                dma_fail_lists(trace, state, p,
                               dma_queued(trace, p->entries[p->count - 1].at)->device,
                               p->entries[p->count - 1].level);
            else
                cut_off(trace, state, p);
    }
}
