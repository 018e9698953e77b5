/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of kernel events that are live, found again by their addresses. */
#include "dma_state.h"

struct bounce_note dma_note_of(const struct dma_events *state, enum bounce_note_kind kind,
                               const struct kernel_event *event, uint64_t addr)
{
    return (struct bounce_note){.kind = (uint8_t)kind,
                                .seq = state->events,
                                .time_ns = event->time_ns,
                                .addr = addr,
                                .device = event->device};
}

uint32_t dma_new_handle(struct bounce_trace *trace, struct dma_events *state)
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

bool dma_remember(struct dma_events *state, uint32_t handle, enum live_how how)
{
    struct live *l = &state->live[handle];
    enum bounce_status status = BOUNCE_OK;

    l->how = (uint8_t)how;
    if (how == IN_BOUNCED)
        status = index_insert(&state->bounced, dma_slot_key(l->dma_addr), handle);
    else if (how == IN_DIRECT)
        status = index_insert(&state->direct, l->dma_addr, handle);
    if (status)
        l->how = UNINDEXED;
    return status == BOUNCE_OK;
}

void dma_forget(struct dma_events *state, uint32_t handle, uint64_t until)
{
    struct live *l = &state->live[handle];

    if (l->how == IN_BOUNCED)
        index_remove(&state->bounced, dma_slot_key(l->dma_addr), handle);
    else if (l->how == IN_DIRECT)
        index_remove(&state->direct, l->dma_addr, handle);
    l->how = FREE_HANDLE;
    l->doubtful_until = 0;
    handles_give(&state->handles, handle, until);
}

void dma_push_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
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
    dma_forget(state, handle, 0);
}

void dma_imply_unmap(struct bounce_trace *trace, struct dma_events *state, uint32_t handle,
                     const struct kernel_event *event)
{
    struct bounce_note note =
        dma_note_of(state, BOUNCE_NOTE_IMPLIED_UNMAP, event, state->live[handle].dma_addr);

    note.id = state->live[handle].id;
    note.device = state->live[handle].device;
    trace->counts.implied_unmaps++;
    trace_note(trace, note);
    dma_push_unmap(trace, state, handle, event, BOUNCE_EVENT_IMPLIED);
}

/* A new mapping at the address of a live one: that one's unmap is late, or it was lost. */
void dma_doubt(struct dma_events *state, uint32_t newcomer)
{
    uint64_t key = dma_slot_key(state->live[newcomer].dma_addr);

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

void dma_imply_lost_unmaps(struct bounce_trace *trace, struct dma_events *state,
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
        dma_imply_unmap(trace, state, handle, event);
    }
}
