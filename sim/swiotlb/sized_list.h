/* SPDX-License-Identifier: Apache-2.0 */
/* Doubly linked lists of slot numbers, any number of them over one pool; a slot is in one at most.
 */
#ifndef SWIOTLB_SIZED_LIST_H
#define SWIOTLB_SIZED_LIST_H

#include "bounce/status.h"

#include <stdint.h>
#include <stdlib.h>

struct slot_links {
    uint32_t next;
    uint32_t previous;
};

struct slot_lists {
    uint32_t nslabs;
    struct slot_links *links; /* of the slots, then the head of each list */
};

static inline enum bounce_status slot_lists_create(struct slot_lists *lists, uint32_t nslabs,
                                                   uint32_t count)
{
    lists->nslabs = nslabs;
    lists->links = calloc((size_t)nslabs + count, sizeof(*lists->links));
    return lists->links ? BOUNCE_OK : BOUNCE_NO_MEMORY;
}

static inline void slot_list_clear(struct slot_lists *lists, uint32_t list)
{
    uint32_t head = lists->nslabs + list;

    lists->links[head] = (struct slot_links){head, head};
}

/* The first slot; any number >= lists->nslabs is the end. */
static inline uint32_t slot_list_first(const struct slot_lists *lists, uint32_t list)
{
    return lists->links[lists->nslabs + list].next;
}

static inline uint32_t slot_list_next(const struct slot_lists *lists, uint32_t slot)
{
    return lists->links[slot].next;
}

static inline void slot_list_link(struct slot_lists *lists, uint32_t before, uint32_t slot)
{
    uint32_t next = lists->links[before].next;

    lists->links[slot] = (struct slot_links){next, before};
    lists->links[before].next = slot;
    lists->links[next].previous = slot;
}

static inline void slot_list_push(struct slot_lists *lists, uint32_t list, uint32_t slot)
{
    slot_list_link(lists, lists->nslabs + list, slot);
}

static inline void slot_list_append(struct slot_lists *lists, uint32_t list, uint32_t slot)
{
    slot_list_link(lists, lists->links[lists->nslabs + list].previous, slot);
}

static inline void slot_list_remove(struct slot_lists *lists, uint32_t slot)
{
    struct slot_links links = lists->links[slot];

    lists->links[links.previous].next = links.next;
    lists->links[links.next].previous = links.previous;
}

#endif
