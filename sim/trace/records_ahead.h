/* SPDX-License-Identifier: Apache-2.0 */
/* What the window of records still holds of a key: its begins and its ends. */
#ifndef TRACE_RECORDS_AHEAD_H
#define TRACE_RECORDS_AHEAD_H

#include "index.h"
#include "records.h"

struct ahead {
    struct index by_key;   /* twice the record's place, plus 1 for an end */
    uint32_t *free_places; /* a stack */
    uint32_t nplaces;
};

/* False without memory. */
bool ahead_create(struct ahead *ahead);
void ahead_free(struct ahead *ahead);

/* Takes a record into the window and sets its `ahead`, unless it has no key or there is no place.
 * BOUNCE_NO_MEMORY. Amortised O(1). */
enum bounce_status ahead_add(struct ahead *ahead, struct record *record);

/* Its turn has come; its `ahead` is not INDEX_NONE. */
void ahead_remove(struct ahead *ahead, const struct record *record);

/* Whether the window holds an end for every request of that key that is in `live`, begins now or
 * will: then they are in flight together, and none was given back. Looks at AHEAD_CHAIN of them at
 * most: false beyond. */
bool ahead_all_end(const struct ahead *ahead, const struct index *live, uint64_t key);

#endif
