/* SPDX-License-Identifier: Apache-2.0 */
/* Many events: groups of equal ones, what `used` does over time, one verdict. */
#include "bounce/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAK_LINES 8u /* fewer printed values say nothing */

static bool same_group(const struct bounce_explain_group *g, const struct bounce_log_event *e)
{
    return g->record.size == e->record->size && g->result.cause == e->result->cause &&
           ((g->record.has ^ e->record->has) & (BOUNCE_LOG_HAS_SIZE | BOUNCE_LOG_NEGATIVE)) == 0 &&
           strlen(g->device) == e->record->device.length &&
           memcmp(g->device, e->record->device.text, e->record->device.length) == 0;
}

static struct bounce_explain_group *find_group(struct bounce_explain_summary *s,
                                               const struct bounce_log_event *e)
{
    for (uint64_t i = 0; i < s->groups_count; i++)
        if (same_group(&s->groups[i], e))
            return &s->groups[i];
    if (s->groups_count == BOUNCE_EXPLAIN_GROUPS)
        return NULL;
    struct bounce_explain_group *g = &s->groups[s->groups_count];
    size_t length = e->record->device.length;
    if (length >= sizeof g->device)
        length = sizeof g->device - 1;
    memset(g, 0, sizeof *g);
    memcpy(g->device, e->record->device.text, length);
    g->order = s->groups_count++;
    g->record = *e->record;
    g->record.device = (struct bounce_log_span){NULL, 0};
    g->result = *e->result;
    g->options = *e->options;
    g->used_least = UINT64_MAX;
    return g;
}

static void track_used(struct bounce_explain_summary *s, const struct bounce_log_event *e)
{
    const struct bounce_log_record *r = e->record;
    if (!(r->has & BOUNCE_LOG_HAS_USED) ||
        (e->result->cause != BOUNCE_EXPLAIN_EXHAUSTED && e->result->cause != BOUNCE_EXPLAIN_NO_RUN))
        return;
    if (s->used_total != r->total) { /* another boot or another pool */
        s->used_lines = s->used_falls = 0;
        s->used_first = r->used;
        s->used_total = r->total;
    } else if (r->used < s->used_last) {
        s->used_falls++;
    }
    s->used_lines++;
    s->used_last = r->used;
}

void bounce_explain_summary_add(struct bounce_explain_summary *summary,
                                const struct bounce_log_event *event)
{
    summary->events++;
    summary->by_cause[event->result->cause]++;
    track_used(summary, event);
    struct bounce_explain_group *g = find_group(summary, event);
    if (!g) {
        summary->ungrouped++;
        return;
    }
    g->count++;
    if (event->record->has & BOUNCE_LOG_HAS_USED) {
        if (event->record->used < g->used_least)
            g->used_least = event->record->used;
        if (event->record->used > g->used_most)
            g->used_most = event->record->used;
    }
}

static int larger_first(const void *left, const void *right)
{
    const struct bounce_explain_group *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void bounce_explain_summary_sort(struct bounce_explain_summary *summary)
{
    qsort(summary->groups, (size_t)summary->groups_count, sizeof summary->groups[0], larger_first);
}

struct bounce_log_record bounce_explain_group_record(const struct bounce_explain_group *group)
{
    struct bounce_log_record record = group->record;
    record.device = (struct bounce_log_span){group->device, strlen(group->device)};
    return record;
}

bool bounce_explain_used_never_fell(const struct bounce_explain_summary *s)
{
    return s->used_lines >= LEAK_LINES && s->used_falls == 0 &&
           (s->used_last > s->used_first || s->used_last >= s->used_total);
}

void bounce_explain_verdict(const struct bounce_explain_summary *summary, char *text, size_t size)
{
    static const char *const verdicts[BOUNCE_EXPLAIN_CAUSES] = {
        [BOUNCE_EXPLAIN_NO_POOL] = "there is no pool: find out why it was not allocated",
        [BOUNCE_EXPLAIN_OVERSIZE] =
            "larger than any bounce buffer: the driver has to change, no swiotlb= value helps",
        [BOUNCE_EXPLAIN_EXHAUSTED] =
            "the pool is used up: a larger one helps, unless a driver leaks",
        [BOUNCE_EXPLAIN_NO_RUN] =
            "there is room but no usable run: fragmentation, areas or alignment, not plain size",
        [BOUNCE_EXPLAIN_CANNOT_TELL] =
            "this kernel prints no totals, so the reason is not settled by the log",
    };
    unsigned top = 0;
    for (unsigned i = 1; i < BOUNCE_EXPLAIN_CAUSES; i++)
        if (summary->by_cause[i] > summary->by_cause[top])
            top = i;
    const char *leak =
        bounce_explain_used_never_fell(summary)
            ? " The used slots never fall over these lines: it may be a leak (or a steady load)."
            : "";
    if (summary->by_cause[top] == summary->events)
        snprintf(text, size, "%s: %s.%s", summary->events == 1 ? "The event" : "All events",
                 verdicts[top], leak);
    else
        snprintf(text, size, "%" PRIu64 " of %" PRIu64 " events: %s.%s", summary->by_cause[top],
                 summary->events, verdicts[top], leak);
}
