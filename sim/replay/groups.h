/* SPDX-License-Identifier: Apache-2.0 */
/* Events that belong together and happen later than recorded: a map that waits, what comes with it
 * in its scatter list, its syncs and its unmap. The trace's handles are reused before such a
 * mapping has ended, so each is given a handle of our own. */
#ifndef REPLAY_GROUPS_H
#define REPLAY_GROUPS_H

#include "later.h"

#include "bounce/status.h"

#define GROUP_NONE UINT32_MAX

struct group_slot {  /* of a handle of the trace */
    uint32_t handle; /* ours, or GROUP_NONE */
    uint32_t group;  /* what it waits with or is late with, or GROUP_NONE */
};

struct group {
    uint64_t since; /* when its first map came */
    uint64_t delay; /* how much later than recorded its events happen, once it waits no more */
    uint32_t users; /* handles and events put off; 0: free */
    uint32_t next;  /* in its owner's queue, or of the free ones */
    struct later_list events; /* while it waits, the map first */
    bool waits;
};

struct groups {
    struct group_slot *slots;
    uint32_t nslots;
    uint32_t *free_handles;
    uint32_t nfree;
    uint32_t free_room;
    uint32_t nhandles; /* handed out so far */
    struct group *groups;
    uint32_t ngroups;
    uint32_t free_group;
    struct later later; /* events whose time is known; the owner's number is the group's */
};

void groups_init(struct groups *all);
void groups_free(struct groups *all);
void groups_clear(struct groups *all); /* nothing is mapped, nothing is late */

/* The slot of a handle of the trace; NULL without memory. Valid until the next call. */
struct group_slot *groups_slot(struct groups *all, uint32_t handle);

/* A handle for the slot, if it has none; false without memory. */
bool groups_take_handle(struct groups *all, struct group_slot *slot);
void groups_give_handle(struct groups *all, uint32_t handle);

/* A group that waits, with the slot in it; GROUP_NONE without memory. */
uint32_t groups_begin(struct groups *all, struct group_slot *slot, uint64_t since);
void groups_join(struct groups *all, uint32_t group, struct group_slot *slot);
void groups_leave(struct groups *all, uint32_t group);

/* The trace's handle is free for something else. */
void groups_forget(struct groups *all, struct group_slot *slot);

/* An event of the group, put off for as long as that is; BOUNCE_NO_MEMORY. */
enum bounce_status groups_put_off(struct groups *all, uint32_t group,
                                  const struct bounce_event *event);

/* The group waits no more: its first event is returned, the others are due `delay` late. The owner
 * leaves the group for the event returned. */
void groups_release(struct groups *all, uint32_t group, uint64_t now, struct bounce_event *event);

#endif
