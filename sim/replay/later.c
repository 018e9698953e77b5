/* SPDX-License-Identifier: Apache-2.0 */
#include "later.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct later_entry {
    struct bounce_event event;
    uint64_t due;
    uint64_t order;
    uint32_t owner;
    uint32_t next; /* in a list, or of the free ones */
};

void later_init(struct later *later)
{
    *later = (struct later){.free = NONE};
}

void later_free(struct later *later)
{
    free(later->entries);
    free(later->heap);
}

void later_clear(struct later *later)
{
    later->free = NONE;
    for (uint32_t i = later->nentries; i-- > 0;) {
        later->entries[i].next = later->free;
        later->free = i;
    }
    later->nheap = 0;
}

/* The heap has room for every entry there is, so that moving one there cannot fail. */
static bool make_room(struct later *later)
{
    uint32_t old = later->nentries, wanted = old ? 2 * old : 64;
    struct later_entry *entries;
    uint32_t *heap;

    if (later->free != NONE)
        return true;
    heap = realloc(later->heap, wanted * sizeof(*heap));
    if (!heap)
        return false;
    later->heap = heap;
    entries = realloc(later->entries, wanted * sizeof(*entries));
    if (!entries)
        return false;
    later->entries = entries;
    later->nentries = wanted;
    for (uint32_t i = wanted; i-- > old;) {
        entries[i].next = later->free;
        later->free = i;
    }
    return true;
}

static uint32_t take_entry(struct later *later, const struct bounce_event *event, uint32_t owner)
{
    uint32_t at;

    if (!make_room(later))
        return NONE;
    at = later->free;
    later->free = later->entries[at].next;
    later->entries[at].event = *event;
    later->entries[at].order = later->order++;
    later->entries[at].owner = owner;
    later->entries[at].next = NONE;
    return at;
}

static void give_entry(struct later *later, uint32_t at, struct bounce_event *event,
                       uint32_t *owner)
{
    *event = later->entries[at].event;
    *owner = later->entries[at].owner;
    later->entries[at].next = later->free;
    later->free = at;
}

static bool is_before(const struct later *later, uint32_t a, uint32_t b)
{
    const struct later_entry *x = &later->entries[a], *y = &later->entries[b];

    return x->due != y->due ? x->due < y->due : x->order < y->order;
}

static void push(struct later *later, uint32_t entry)
{
    uint32_t at = later->nheap++;

    while (at && is_before(later, entry, later->heap[(at - 1) / 2])) {
        later->heap[at] = later->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    later->heap[at] = entry;
}

bool later_add(struct later *later, uint64_t due_ns, const struct bounce_event *event,
               uint32_t owner)
{
    uint32_t at = take_entry(later, event, owner);

    if (at == NONE)
        return false;
    later->entries[at].due = due_ns;
    push(later, at);
    return true;
}

bool later_is_empty(const struct later *later)
{
    return later->nheap == 0;
}

uint64_t later_due(const struct later *later)
{
    return later->nheap ? later->entries[later->heap[0]].due : UINT64_MAX;
}

void later_take(struct later *later, struct bounce_event *event, uint32_t *owner)
{
    uint32_t top = later->heap[0], last = later->heap[--later->nheap], at = 0;

    for (uint32_t child = 1; child < later->nheap; child = 2 * at + 1) {
        if (child + 1 < later->nheap &&
            is_before(later, later->heap[child + 1], later->heap[child]))
            child++;
        if (!is_before(later, later->heap[child], last))
            break;
        later->heap[at] = later->heap[child];
        at = child;
    }
    later->heap[at] = last;
    give_entry(later, top, event, owner);
}

void later_list_init(struct later_list *list)
{
    list->first = list->last = NONE;
}

bool later_list_add(struct later *later, struct later_list *list, const struct bounce_event *event,
                    uint32_t owner)
{
    uint32_t at = take_entry(later, event, owner);

    if (at == NONE)
        return false;
    if (list->last == NONE)
        list->first = at;
    else
        later->entries[list->last].next = at;
    list->last = at;
    return true;
}

void later_list_take(struct later *later, struct later_list *list, struct bounce_event *event,
                     uint32_t *owner)
{
    uint32_t at = list->first;

    list->first = later->entries[at].next;
    if (list->first == NONE)
        list->last = NONE;
    give_entry(later, at, event, owner);
}

void later_list_release(struct later *later, struct later_list *list, uint64_t delay)
{
    for (uint32_t at = list->first, next; at != NONE; at = next) {
        next = later->entries[at].next;
        later->entries[at].due = later->entries[at].event.time_ns + delay;
        push(later, at);
    }
    later_list_init(list);
}
