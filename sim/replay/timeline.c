/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/timeline.h"

#include <stdlib.h>
#include <string.h>

struct bounce_timeline {
    struct bounce_timeline_row *rows;
    uint32_t *areas; /* nareas a row */
    size_t room;
    size_t count;
    uint32_t nareas;
    uint64_t interval_ns;
};

struct bounce_timeline *bounce_timeline_create(size_t rows, uint32_t nareas)
{
    struct bounce_timeline *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->room = rows;
    t->nareas = nareas < BOUNCE_TIMELINE_AREAS_MAX ? nareas : BOUNCE_TIMELINE_AREAS_MAX;
    t->interval_ns = 1000;
    t->rows = calloc(rows, sizeof(*t->rows));
    t->areas = calloc(rows * (t->nareas ? t->nareas : 1), sizeof(*t->areas));
    if (!t->rows || !t->areas) {
        bounce_timeline_destroy(t);
        return NULL;
    }
    return t;
}

void bounce_timeline_destroy(struct bounce_timeline *timeline)
{
    if (!timeline)
        return;
    free(timeline->rows);
    free(timeline->areas);
    free(timeline);
}

static uint32_t *areas_of(const struct bounce_timeline *t, size_t row)
{
    return t->areas + row * t->nareas;
}

static void merge(struct bounce_timeline_row *into, const struct bounce_timeline_row *later)
{
    into->used = later->used;
    into->used_hiwater = later->used_hiwater;
    into->nslabs = later->nslabs;
    into->transient_nslabs = later->transient_nslabs;
    into->maps += later->maps;
    if (later->used_max > into->used_max)
        into->used_max = later->used_max;
    if (later->free_segments_min < into->free_segments_min)
        into->free_segments_min = later->free_segments_min;
    for (size_t cause = 0; cause < BOUNCE_CAUSE_COUNT; cause++)
        into->full[cause] += later->full[cause];
}

/* Every row covers twice the time. */
static void coarsen(struct bounce_timeline *t)
{
    size_t kept = 0;

    t->interval_ns *= 2;
    for (size_t i = 0; i < t->count; i++) {
        uint64_t start = t->rows[i].time_ns / t->interval_ns * t->interval_ns;

        if (kept && t->rows[kept - 1].time_ns == start) {
            merge(&t->rows[kept - 1], &t->rows[i]);
            for (uint32_t a = 0; a < t->nareas; a++)
                if (areas_of(t, i)[a] > areas_of(t, kept - 1)[a])
                    areas_of(t, kept - 1)[a] = areas_of(t, i)[a];
            continue;
        }
        if (kept != i) {
            t->rows[kept] = t->rows[i];
            memcpy(areas_of(t, kept), areas_of(t, i), t->nareas * sizeof(*t->areas));
        }
        t->rows[kept++].time_ns = start;
    }
    t->count = kept;
}

/* The row of that time: the last one, or a new one after it. */
static size_t row_at(struct bounce_timeline *t, uint64_t time_ns, bool *is_new)
{
    uint64_t start = time_ns / t->interval_ns * t->interval_ns;

    *is_new = false;
    if (t->count && start <= t->rows[t->count - 1].time_ns)
        return t->count - 1;
    while (t->count == t->room) {
        coarsen(t);
        start = time_ns / t->interval_ns * t->interval_ns;
        if (start <= t->rows[t->count - 1].time_ns)
            return t->count - 1;
    }
    *is_new = true;
    t->rows[t->count] = (struct bounce_timeline_row){.time_ns = start};
    memset(areas_of(t, t->count), 0, t->nareas * sizeof(*t->areas));
    if (t->count)
        t->rows[t->count].used_max = t->rows[t->count - 1].used;
    return t->count++;
}

void bounce_timeline_note(struct bounce_timeline *timeline, uint64_t time_ns,
                          const struct bounce_swiotlb *mem, bool is_map)
{
    const struct bounce_swiotlb_counts *counts = bounce_swiotlb_get_counts(mem);
    bool is_new;
    size_t index = row_at(timeline, time_ns, &is_new);
    struct bounce_timeline_row *row = &timeline->rows[index];
    uint32_t *areas = areas_of(timeline, index);

    if (is_new || counts->free_segments < row->free_segments_min)
        row->free_segments_min = counts->free_segments;
    row->used = counts->used;
    if (counts->used > row->used_max)
        row->used_max = counts->used;
    row->used_hiwater = counts->used_hiwater;
    row->nslabs = counts->nslabs;
    row->transient_nslabs = counts->transient_nslabs;
    row->maps += is_map;
    if (is_new || is_map)
        for (uint32_t a = 0; a < timeline->nareas; a++) {
            uint32_t used = (uint32_t)bounce_swiotlb_area_used(mem, a);

            if (used > areas[a])
                areas[a] = used;
        }
}

void bounce_timeline_note_full(struct bounce_timeline *timeline, uint64_t time_ns,
                               enum bounce_cause cause)
{
    bool is_new;
    size_t index = row_at(timeline, time_ns, &is_new);

    if (is_new && index) {
        timeline->rows[index] = timeline->rows[index - 1];
        timeline->rows[index].time_ns = time_ns / timeline->interval_ns * timeline->interval_ns;
        timeline->rows[index].used_max = timeline->rows[index].used;
        timeline->rows[index].maps = 0;
        memset(timeline->rows[index].full, 0, sizeof(timeline->rows[index].full));
    }
    timeline->rows[index].full[cause]++;
}

const struct bounce_timeline_row *bounce_timeline_get_row(const struct bounce_timeline *timeline,
                                                          size_t index, const uint32_t **areas)
{
    if (index >= timeline->count)
        return NULL;
    *areas = areas_of(timeline, index);
    return &timeline->rows[index];
}

uint32_t bounce_timeline_areas(const struct bounce_timeline *timeline)
{
    return timeline->nareas;
}

uint64_t bounce_timeline_interval_ns(const struct bounce_timeline *timeline)
{
    return timeline->interval_ns;
}
