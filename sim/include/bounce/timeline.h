/* SPDX-License-Identifier: Apache-2.0 */
/* Pool pressure over time in a bounded number of rows: when the rows run out, neighbours are merged
 * and every row covers twice the time. Peaks are never lost by that. */
#ifndef BOUNCE_TIMELINE_H
#define BOUNCE_TIMELINE_H

#include "bounce/export.h"
#include "bounce/swiotlb.h"

#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_TIMELINE_AREAS_MAX 64u /* areas listed; more areas are not */

struct bounce_timeline;

struct bounce_timeline_row {
    uint64_t time_ns;  /* start of the row's interval */
    uint64_t used;     /* slots at its end */
    uint64_t used_max; /* slots, highest within it */
    uint64_t used_hiwater;
    uint64_t nslabs;
    uint64_t transient_nslabs;
    uint64_t free_segments_min;
    uint64_t maps;
    uint64_t full[BOUNCE_CAUSE_COUNT];
};

/* At most `rows` rows (a power of two >= 16) of a pool with `nareas` areas. NULL without memory. */
BOUNCE_API struct bounce_timeline *bounce_timeline_create(size_t rows, uint32_t nareas);
BOUNCE_API void bounce_timeline_destroy(struct bounce_timeline *timeline);

/* The pool as it is at `time_ns`, after an event; times may step back a little, they are clamped.
 * O(1) amortised. */
BOUNCE_API void bounce_timeline_note(struct bounce_timeline *timeline, uint64_t time_ns,
                                     const struct bounce_swiotlb *mem, bool is_map);
BOUNCE_API void bounce_timeline_note_full(struct bounce_timeline *timeline, uint64_t time_ns,
                                          enum bounce_cause cause);

/* Rows in order of time, those without any event left out; `areas` gets the highest use of each
 * area within the row. NULL past the end. */
BOUNCE_API const struct bounce_timeline_row *
bounce_timeline_get_row(const struct bounce_timeline *timeline, size_t index,
                        const uint32_t **areas);
BOUNCE_API uint32_t bounce_timeline_areas(const struct bounce_timeline *timeline);
BOUNCE_API uint64_t bounce_timeline_interval_ns(const struct bounce_timeline *timeline);

BOUNCE_END_DECLS

#endif
