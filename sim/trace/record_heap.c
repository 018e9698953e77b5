/* SPDX-License-Identifier: Apache-2.0 */
#include "record_heap.h"

#include <stdlib.h>

static bool before(const struct record *a, const struct record *b)
{
    return a->event.time_ns != b->event.time_ns ? a->event.time_ns < b->event.time_ns
                                                : a->order < b->order;
}

enum bounce_status record_heap_put(struct record_heap *heap, const struct record *record,
                                   uint64_t place)
{
    uint32_t at = heap->count;
    struct record *records;

    if (heap->count == heap->room) {
        uint32_t room = heap->room ? 2 * heap->room : 256;

        records = realloc(heap->records, room * sizeof(*records));
        if (!records)
            return BOUNCE_NO_MEMORY;
        heap->records = records;
        heap->room = room;
    }
    records = heap->records;
    heap->count++;
    records[at] = *record;
    records[at].order = heap->next_order++;
    records[at].place = place;
    while (at && before(&records[at], &records[(at - 1) / 2])) {
        struct record parent = records[(at - 1) / 2];

        records[(at - 1) / 2] = records[at];
        records[at] = parent;
        at = (at - 1) / 2;
    }
    return BOUNCE_OK;
}

struct record record_heap_take(struct record_heap *heap)
{
    struct record *records = heap->records;
    struct record first = records[0];
    struct record last = records[--heap->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(&records[child + 1], &records[child]))
            child++;
        if (!before(&records[child], &last))
            break;
        records[at] = records[child];
        at = child;
    }
    records[at] = last;
    return first;
}
