/* SPDX-License-Identifier: Apache-2.0 */
#include "handles.h"

#include "reader.h"

#include <stdlib.h>
#include <string.h>

void handles_destroy(struct handles *h)
{
    free(h->free);
}

void handles_clear(struct handles *h)
{
    h->used = h->first;
    h->nfree = h->nlate = 0;
}

bool handles_exhausted(const struct handles *h)
{
    return h->used == LIVE_LIMIT && !h->nfree && !h->nlate;
}

static void free_oldest_late(struct handles *h)
{
    h->free[h->nfree++] = h->late[h->late_head].handle;
    h->late_head = (h->late_head + 1) % HANDLES_LATE;
    h->nlate--;
}

/* `rows` is the address of a pointer to rows of any type. */
static bool make_room(struct handles *h, void *rows, uint32_t row_size)
{
    uint32_t room = h->room ? 2 * h->room : h->first + 256;
    uint32_t *stack = realloc(h->free, room * sizeof(*stack));
    void *old, *bigger;

    if (!stack)
        return false;
    h->free = stack;
    memcpy(&old, rows, sizeof(old));
    bigger = realloc(old, (size_t)room * row_size);
    if (!bigger)
        return false;
    memcpy(rows, &bigger, sizeof(bigger));
    h->room = room;
    return true;
}

bool handles_take(struct handles *h, uint64_t seq, void *rows, uint32_t row_size, uint32_t *handle)
{
    if (h->used < h->first)
        h->used = h->first;
    while (h->nlate && (!seq || h->late[h->late_head].until < seq))
        free_oldest_late(h);
    if (!h->nfree && h->used == LIVE_LIMIT && h->nlate)
        free_oldest_late(h);
    if (h->nfree) {
        *handle = h->free[--h->nfree];
        return true;
    }
    if (h->used == LIVE_LIMIT || (h->used >= h->room && !make_room(h, rows, row_size)))
        return false;
    *handle = h->used++;
    return true;
}

void handles_give(struct handles *h, uint32_t handle, uint64_t until)
{
    if (!until) {
        h->free[h->nfree++] = handle;
        return;
    }
    if (h->nlate == HANDLES_LATE)
        free_oldest_late(h);
    h->late[(h->late_head + h->nlate++) % HANDLES_LATE] = (struct late_handle){until, handle};
}
