/* SPDX-License-Identifier: Apache-2.0 */
/* Scatter lists: what is mapped together, and given back together when one of it fails. */
#include "replay_state.h"

bool list_counts_failure(struct entry *list, const struct bounce_event *event)
{
    bool again = list && list->list_counted && (event->flags & BOUNCE_EVENT_LIST_OPEN);

    if (list)
        list->list_counted = true;
    return !again;
}

bool list_enter(struct entry *list, const struct bounce_event *event)
{
    bool first = event->flags & BOUNCE_EVENT_LIST_FIRST;

    if (first || (list->list_failed && (event->flags & BOUNCE_EVENT_LIST_OPEN))) {
        list->list_failed = false;
        list->list_head = list->list_tail = NO_HANDLE;
    }
    if (first)
        list->list_counted = false;
    return !list->list_failed;
}

void list_link(struct bounce_replay *replay, struct entry *list, uint32_t handle)
{
    if (list->list_head != NO_HANDLE && list->list_tail == handle)
        return; /* mapped again: it would be its own successor */
    replay->entries[handle].next_in_list = NO_HANDLE;
    if (list->list_head == NO_HANDLE)
        list->list_head = handle;
    else
        replay->entries[list->list_tail].next_in_list = handle;
    list->list_tail = handle;
}

void list_fail(struct bounce_replay *replay, const struct bounce_device *device, struct entry *list,
               bool slowly)
{
    for (uint32_t handle = list->list_head; handle != NO_HANDLE && !slowly;
         handle = replay->entries[handle].next_in_list)
        replay_release(replay, device, &replay->entries[handle], BOUNCE_ATTR_SKIP_CPU_SYNC);
    list->list_failed = true;
    replay->stats.events_lists_failed++;
}
