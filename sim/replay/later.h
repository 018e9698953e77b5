/* SPDX-License-Identifier: Apache-2.0 */
/* Events put off: to a time, or, in a list, until it is known to which. Each has a number of its
 * owner's with it. */
#ifndef REPLAY_LATER_H
#define REPLAY_LATER_H

#include "bounce/event.h"

#include <stdbool.h>
#include <stdint.h>

struct later_entry;

struct later {
    struct later_entry *entries;
    uint32_t nentries;
    uint32_t free;  /* first free entry */
    uint32_t *heap; /* entries by time, then by order of coming */
    uint32_t nheap;
    uint64_t order;
};

struct later_list {
    uint32_t first;
    uint32_t last;
};

void later_init(struct later *later);
void later_free(struct later *later);
void later_clear(struct later *later); /* lists of it are empty too, to be initialised again */

/* False without memory. */
bool later_add(struct later *later, uint64_t due_ns, const struct bounce_event *event,
               uint32_t owner);

bool later_is_empty(const struct later *later);

/* The earliest time; UINT64_MAX when there is none. */
uint64_t later_due(const struct later *later);

/* The earliest event, the first to come of those of equal time; there must be one. */
void later_take(struct later *later, struct bounce_event *event, uint32_t *owner);

void later_list_init(struct later_list *list);

/* False without memory. */
bool later_list_add(struct later *later, struct later_list *list, const struct bounce_event *event,
                    uint32_t owner);

/* The first of a list that is not empty. */
void later_list_take(struct later *later, struct later_list *list, struct bounce_event *event,
                     uint32_t *owner);

/* All of a list are due `delay` after their own times. */
void later_list_release(struct later *later, struct later_list *list, uint64_t delay);

#endif
