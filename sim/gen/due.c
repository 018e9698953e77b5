/* SPDX-License-Identifier: Apache-2.0 */
#include "due.h"

#include <stdbool.h>
#include <stdlib.h>

static bool before(const struct due *a, const struct due *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

enum bounce_status agenda_add(struct agenda *agenda, uint64_t time_ns, uint8_t kind, uint32_t what)
{
    struct due due = {time_ns, agenda->next_order++, what, kind};
    uint32_t at = agenda->count;

    if (at == agenda->room) {
        uint32_t room = agenda->room ? 2 * agenda->room : 256;
        struct due *bigger = realloc(agenda->heap, room * sizeof(*bigger));

        if (!bigger)
            return BOUNCE_NO_MEMORY;
        agenda->heap = bigger;
        agenda->room = room;
    }
    agenda->count++;
    for (; at && before(&due, &agenda->heap[(at - 1) / 2]); at = (at - 1) / 2)
        agenda->heap[at] = agenda->heap[(at - 1) / 2];
    agenda->heap[at] = due;
    return BOUNCE_OK;
}

struct due agenda_take(struct agenda *agenda)
{
    struct due first = agenda->heap[0], last = agenda->heap[--agenda->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= agenda->count)
            break;
        if (child + 1 < agenda->count && before(&agenda->heap[child + 1], &agenda->heap[child]))
            child++;
        if (!before(&agenda->heap[child], &last))
            break;
        agenda->heap[at] = agenda->heap[child];
        at = child;
    }
    agenda->heap[at] = last;
    return first;
}

void agenda_free(struct agenda *agenda)
{
    free(agenda->heap);
}
