/* SPDX-License-Identifier: Apache-2.0 */
/* Maps wait, by CPU, for the record that tells what came of them. */
#include "dma_state.h"

#include <stdlib.h>

/* ---- pending maps ---- */

struct cpu_pending *dma_pending_of(struct dma_events *state, uint16_t cpu)
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

/* What an interrupt left unanswered when it was over has failed. */
static void fail_interrupted(struct bounce_trace *trace, struct dma_events *state,
                             struct cpu_pending *p, uint8_t level)
{
    while (p->count && p->entries[p->count - 1].level > level)
        dma_fail_lists(trace, state, p, dma_queued(trace, p->entries[p->count - 1].at)->device,
                       level + 1);
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
struct cpu_pending *dma_start_event(struct bounce_trace *trace, struct dma_events *state,
                                    const struct kernel_event *event)
{
    struct cpu_pending *p = dma_pending_of(state, event->cpu);

    state->events++;
    dma_imply_lost_unmaps(trace, state, event);
    if (!p)
        return NULL;
    state->previous_seq = 0;
    for (unsigned level = 0; level <= event->level; level++)
        if (p->last_seq[level] > state->previous_seq)
            state->previous_seq = p->last_seq[level];
    p->last_seq[event->level] = state->events;
    p->records++;
    p->flat = event->flat;
    if (p->doubtful)
        dma_fail_doubtful(trace, state, p, NULL, 0, 0);
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
    uint32_t handle = dma_new_handle(trace, state);
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
    struct cpu_pending *p = dma_start_event(trace, state, event);

    if (!p)
        return false;
    if (p->doubtful)
        dma_fail_doubtful(trace, state, p, event, orig_addr, size);
    if (p->count == PENDING_MAX)
        dma_fail_lists(trace, state, p, dma_queued(trace, p->entries[0].at)->device, 0);
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
    p->entries[p->count++] = (struct pending){trace->tail - 1, 0, 0, event->level};
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
        dma_forget(state, out->handle, out->bound_seq);
        return;
    }
    l->dma_addr = dma_addr;
    if (bounced) {
        out->recorded = BOUNCE_RECORDED_ADDRESS;
        out->tlb_addr = dma_addr;
        dma_remember(state, out->handle, IN_BOUNCED);
        dma_doubt(state, out->handle);
    } else {
        out->recorded =
            dma_addr == out->orig_addr ? BOUNCE_RECORDED_DIRECT : BOUNCE_RECORDED_NOTHING;
        dma_remember(state, out->handle, IN_DIRECT);
    }
}

/* Mapped, but not at the buffer's own address. */
static bool is_elsewhere(uint64_t dma_addr, uint64_t orig_addr)
{
    return dma_addr != orig_addr && dma_addr != UINT64_MAX;
}

/* Such a map's swiotlb_bounced record may be one of those before the first, or of the lost ones. */
static bool began_before(const struct cpu_pending *p, uint64_t dma_addr, uint64_t orig_addr)
{
    return !p->begun && is_elsewhere(dma_addr, orig_addr);
}

/* 1 + index of the newest pending map that this may answer, 0 when there is none. */
static uint32_t find_pending(struct bounce_trace *trace, const struct cpu_pending *p,
                             const struct kernel_event *event, uint64_t orig_addr, uint64_t size,
                             bool same_level)
{
    uint32_t i;

    for (i = p->count; i > 0; i--) {
        const struct bounce_event *out = dma_queued(trace, p->entries[i - 1].at);

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
    struct cpu_pending *p = dma_start_event(trace, state, event);
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
        trace->counts.elsewhere_maps += is_elsewhere(dma_addr, orig_addr);
        if (out && began_before(p, dma_addr, orig_addr))
            out->tlb_addr = dma_addr;
        p->begun |= event->level == 0;
        return true;
    }
    p->begun |= event->level == 0;
    out = dma_queued(trace, p->entries[i - 1].at);
    dma_answered(trace, p->entries[i - 1].at);
    settle_map(state, out, event, dma_addr, true);
    p->open -= !p->entries[i - 1].next_seq;
    for (uint32_t j = i; j < p->count; j++)
        p->entries[j - 1] = p->entries[j];
    p->count--;
    /* Maps of one device on one CPU are answered in order, interrupts aside: what is left never
     * will be. */
    dma_fail_around(trace, state, p, event, i - 1, out->seq);
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
    uint32_t n = 0, entry = list->count, at;

    for (uint32_t i = p->count; i > 0 && entry > 0; i--) {
        const struct bounce_event *out = dma_queued(trace, p->entries[i - 1].at);

        if (out->device != event->device || p->entries[i - 1].level != event->level)
            continue;
        if (list->truncated && n == 0 && out->orig_addr != list->orig_addrs[entry - 1])
            continue; /* beyond what was printed */
        at = entry;
        while (at > 0 && list->orig_addrs[at - 1] != out->orig_addr)
            at--;
        if (at == 0 && event->flat)
            continue; /* an interrupt's that failed */
        entry = at;
        if (entry == 0)
            break;
        state->places[n] = i - 1;
        state->matches[n++] = --entry;
    }
    return n;
}

/* Pending map `i`, behind those that match what was printed, belongs to the rest of the list. */
static bool is_unprinted(struct bounce_trace *trace, const struct cpu_pending *p,
                         const struct kernel_event *event, uint32_t i)
{
    return dma_queued(trace, p->entries[i].at)->device == event->device &&
           p->entries[i].level == event->level;
}

/* A list under construction. */
struct list {
    uint32_t first; /* its entries' chain, in their order in the list */
    uint32_t last;
    uint32_t number; /* handle of the entry that comes first among the events, INDEX_NONE: of the
                        first one added; entries that did not bounce come after those that did */
    bool apart;      /* some of it may have been mapped before: each entry is by itself */
};

static void add_to_list(struct dma_events *state, struct list *list, struct bounce_event *out)
{
    if (list->first == INDEX_NONE)
        list->first = out->handle;
    else
        state->live[list->last].list_next = out->handle;
    list->last = out->handle;
    state->live[out->handle].list = list->first;
    if (list->apart)
        return;
    if (list->number == INDEX_NONE)
        list->number = out->handle;
    out->flags |= BOUNCE_EVENT_IN_LIST;
    if (out->handle == list->number)
        out->flags |= BOUNCE_EVENT_LIST_FIRST;
    out->list = list->number;
}

/* What `matched` entries, found by match_list(), and those from `beyond` on, which were not
 * printed, say of the whole. */
static struct list begin_list(struct bounce_trace *trace, const struct dma_events *state,
                              const struct cpu_pending *p, const struct kernel_event *event,
                              const struct sg_entries *told, uint32_t matched, uint32_t beyond)
{
    struct list list = {INDEX_NONE, INDEX_NONE, INDEX_NONE, false};
    uint32_t left = matched;

    for (uint32_t entry = 0; entry < told->count && !list.apart; entry++) {
        if (left == 0 || state->matches[left - 1] != entry) {
            list.apart = began_before(p, told->dma_addrs[entry], told->orig_addrs[entry]);
            continue;
        }
        left--;
        if (list.number == INDEX_NONE && told->dma_addrs[entry] != UINT64_MAX)
            list.number = dma_queued(trace, p->entries[state->places[left]].at)->handle;
    }
    for (uint32_t i = beyond; i < p->count && list.number == INDEX_NONE; i++)
        if (is_unprinted(trace, p, event, i))
            list.number = dma_queued(trace, p->entries[i].at)->handle;
    return list;
}

/* Entries that the kernel did not print of a long list: bounced, address not told. */
static void add_unprinted(struct bounce_trace *trace, struct dma_events *state,
                          const struct kernel_event *event, const struct cpu_pending *p,
                          uint32_t from, struct list *list)
{
    for (uint32_t i = from; i < p->count; i++) {
        struct bounce_event *out = dma_queued(trace, p->entries[i].at);

        if (!is_unprinted(trace, p, event, i))
            continue;
        dma_answered(trace, p->entries[i].at);
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
    struct cpu_pending *p = dma_start_event(trace, state, event);
    struct list built;
    uint32_t left, beyond, place;
    uint64_t first_seq;

    if (!p || list->count == 0)
        return p != NULL;
    trace->counts.truncated_lists += list->truncated;
    if (list->truncated)
        trace_note(trace,
                   dma_note_of(state, BOUNCE_NOTE_TRUNCATED_LIST, event, list->orig_addrs[0]));
    left = match_list(trace, state, p, event, list);
    beyond = left ? state->places[0] + 1 : 0;
    place = left ? state->places[left - 1] : p->count;
    first_seq = left ? dma_queued(trace, p->entries[place].at)->seq : state->events;
    built = begin_list(trace, state, p, event, list, left, list->truncated ? beyond : p->count);
    for (uint32_t entry = 0; entry < list->count; entry++) {
        struct bounce_event *out;
        bool bounced = left > 0 && state->matches[left - 1] == entry;

        if (bounced) {
            uint64_t at = p->entries[state->places[--left]].at;

            out = dma_queued(trace, at);
            dma_answered(trace, at);
        } else {
            out = push_map(trace, state, event, list->orig_addrs[entry], list->sizes[entry]);
            if (!out)
                continue;
        }
        settle_map(state, out, event, list->dma_addrs[entry], bounced);
        if (!bounced)
            trace->counts.elsewhere_maps +=
                is_elsewhere(list->dma_addrs[entry], list->orig_addrs[entry]);
        if (!bounced && began_before(p, list->dma_addrs[entry], list->orig_addrs[entry]))
            out->tlb_addr = list->dma_addrs[entry];
        /* The CPU's next entry came only after this one had its slots. */
        if (bounced && p->entries[state->places[left]].next_seq)
            out->bound_seq = p->entries[state->places[left]].next_seq;
        if (out->recorded != BOUNCE_RECORDED_FULL)
            add_to_list(state, &built, out);
    }
    p->begun |= event->level == 0;
    if (list->truncated)
        add_unprinted(trace, state, event, p, beyond, &built);
    drop_answered(trace, p);
    dma_fail_around(trace, state, p, event, place, first_seq);
    if (built.first == INDEX_NONE)
        return true;
    return index_insert(&state->by_orig,
                        dma_list_key(event->device, state->live[built.first].orig_addr),
                        built.first) == BOUNCE_OK;
}
