/* SPDX-License-Identifier: Apache-2.0 */
#include "groups.h"

#include <stdlib.h>

#define NONE GROUP_NONE

void groups_init(struct groups *all)
{
    *all = (struct groups){.free_group = NONE};
    later_init(&all->later);
}

void groups_free(struct groups *all)
{
    free(all->slots);
    free(all->free_handles);
    free(all->groups);
    later_free(&all->later);
}

void groups_clear(struct groups *all)
{
    later_clear(&all->later);
    for (uint32_t i = 0; i < all->nslots; i++)
        all->slots[i] = (struct group_slot){NONE, NONE};
    all->free_group = NONE;
    for (uint32_t i = all->ngroups; i-- > 0;) {
        all->groups[i].next = all->free_group;
        all->free_group = i;
    }
    all->nfree = 0;
    all->nhandles = 0;
}

static uint32_t grown(uint32_t room, uint32_t at)
{
    room = room ? room : 64;
    while (room <= at)
        room *= 2;
    return room;
}

struct group_slot *groups_slot(struct groups *all, uint32_t handle)
{
    uint32_t room = grown(all->nslots, handle);

    if (handle >= all->nslots) {
        struct group_slot *slots = realloc(all->slots, room * sizeof(*slots));

        if (!slots)
            return NULL;
        all->slots = slots;
        while (all->nslots < room)
            slots[all->nslots++] = (struct group_slot){NONE, NONE};
    }
    return &all->slots[handle];
}

bool groups_take_handle(struct groups *all, struct group_slot *slot)
{
    if (slot->handle != NONE)
        return true;
    if (all->nfree) {
        slot->handle = all->free_handles[--all->nfree];
        return true;
    }
    /* Room to give back all there are, so that giving one back cannot fail. */
    if (all->nhandles >= all->free_room) {
        uint32_t room = grown(all->free_room, all->nhandles);
        uint32_t *handles = realloc(all->free_handles, room * sizeof(*handles));

        if (!handles)
            return false;
        all->free_handles = handles;
        all->free_room = room;
    }
    slot->handle = all->nhandles++;
    return true;
}

void groups_give_handle(struct groups *all, uint32_t handle)
{
    all->free_handles[all->nfree++] = handle;
}

uint32_t groups_begin(struct groups *all, struct group_slot *slot, uint64_t since)
{
    uint32_t g;

    if (all->free_group == NONE) {
        uint32_t room = grown(all->ngroups, all->ngroups);
        struct group *groups = realloc(all->groups, room * sizeof(*groups));

        if (!groups)
            return NONE;
        all->groups = groups;
        for (uint32_t i = room; i-- > all->ngroups;) {
            groups[i].next = all->free_group;
            all->free_group = i;
        }
        all->ngroups = room;
    }
    g = all->free_group;
    all->free_group = all->groups[g].next;
    all->groups[g] = (struct group){.since = since, .next = NONE, .waits = true};
    later_list_init(&all->groups[g].events);
    groups_join(all, g, slot);
    return g;
}

void groups_join(struct groups *all, uint32_t group, struct group_slot *slot)
{
    slot->group = group;
    all->groups[group].users++;
}

void groups_leave(struct groups *all, uint32_t group)
{
    if (group == NONE || --all->groups[group].users)
        return;
    all->groups[group].next = all->free_group;
    all->free_group = group;
}

void groups_forget(struct groups *all, struct group_slot *slot)
{
    uint32_t group = slot->group;

    *slot = (struct group_slot){NONE, NONE};
    groups_leave(all, group);
}

enum bounce_status groups_put_off(struct groups *all, uint32_t group,
                                  const struct bounce_event *event)
{
    struct group *g = &all->groups[group];

    if (!(g->waits ? later_list_add(&all->later, &g->events, event, group)
                   : later_add(&all->later, event->time_ns + g->delay, event, group)))
        return BOUNCE_NO_MEMORY;
    g->users++;
    return BOUNCE_OK;
}

void groups_release(struct groups *all, uint32_t group, uint64_t now, struct bounce_event *event)
{
    struct group *g = &all->groups[group];
    uint32_t owner;

    g->waits = false;
    g->delay = now - g->since;
    later_list_take(&all->later, &g->events, event, &owner);
    later_list_release(&all->later, &g->events, g->delay);
}
