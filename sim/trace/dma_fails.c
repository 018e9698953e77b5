/* SPDX-License-Identifier: Apache-2.0 */
/* Pending maps that no record will answer: they are lists that failed. */
#include "dma_state.h"

#define INTERRUPT_RECORDS 64u /* of a CPU, after which what was interrupted goes on */

/* Takes the pending maps of `device`, of that level and above, at these places, as a list that
 * failed: its last entry found no room. They may be several attempts in a row; the records do not
 * tell where one ended. */
static void fail_range(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                       uint16_t device, uint8_t level, uint32_t from, uint32_t to)
{
    struct bounce_event *first = NULL, *last = NULL;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        struct bounce_event *event = dma_queued(trace, p->entries[i].at);

        if (event->device != device || p->entries[i].level < level || i < from || i >= to) {
            p->entries[kept++] = p->entries[i];
            continue;
        }
        if (!first) {
            first = event;
            trace->counts.failed_lists++;
            trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_FAILED_LIST,
                                                   .seq = state->events,
                                                   .time_ns = event->time_ns,
                                                   .addr = event->orig_addr,
                                                   .device = device});
        }
        dma_join_tried(trace, p, &p->entries[i], first, state->events);
        dma_forget(state, event->handle, event->bound_seq);
        last = event;
    }
    if (last) {
        last->recorded = BOUNCE_RECORDED_FULL;
        last->flags |= BOUNCE_EVENT_LIST_LAST;
    }
    p->count = kept;
}

void dma_fail_lists(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                    uint16_t device, uint8_t level)
{
    fail_range(trace, state, p, device, level, 0, p->count);
}

/* ---- records that do not tell what they interrupt ---- */

void dma_fail_around(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                     const struct kernel_event *event, uint32_t place, uint64_t first_seq)
{
    if (!event->flat) {
        dma_fail_lists(trace, state, p, event->device, event->level);
        return;
    }
    fail_range(trace, state, p, event->device, 0, place, p->count);
    for (uint32_t i = 0; i < place && i < p->count; i++) {
        struct pending *entry = &p->entries[i];

        if (entry->next_seq >= first_seq) {
            entry->next_seq = 0;
            p->open++;
        }
        if (!entry->doubt && dma_queued(trace, entry->at)->device == event->device)
            entry->doubt = p->records + INTERRUPT_RECORDS;
        p->doubtful |= entry->doubt != 0;
    }
}

void dma_fail_doubtful(struct bounce_trace *trace, struct dma_events *state, struct cpu_pending *p,
                       const struct kernel_event *again, uint64_t orig_addr, uint64_t size)
{
    p->doubtful = false;
    for (uint32_t i = p->count; i > 0; i--) {
        const struct bounce_event *out = dma_queued(trace, p->entries[i - 1].at);
        bool same = again && out->device == again->device && out->orig_addr == orig_addr &&
                    out->size == size;

        if (!p->entries[i - 1].doubt)
            continue;
        if (!same && p->entries[i - 1].doubt > p->records) {
            p->doubtful = true;
            continue;
        }
        while (i < p->count && p->entries[i].doubt) /* the end of its list, as far as it came */
            i++;
        fail_range(trace, state, p, out->device, 0, 0, i);
        p->doubtful = false;
        i = p->count + 1;
    }
}
