/* SPDX-License-Identifier: GPL-2.0-only */
/* Linked lists. */
#ifndef KT_STUBS_LISTS_H
#define KT_STUBS_LISTS_H

#include "language.h"

#define LIST_HEAD_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
static inline void INIT_LIST_HEAD(struct list_head *head)
{
    head->next = head->prev = head;
}
#define INIT_LIST_HEAD_RCU(head) INIT_LIST_HEAD(head)
static inline void kt_link(struct list_head *entry, struct list_head *before,
                           struct list_head *after)
{
    entry->prev = before;
    entry->next = after;
    before->next = entry;
    after->prev = entry;
}
static inline void list_add(struct list_head *entry, struct list_head *head)
{
    kt_link(entry, head, head->next);
}
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
    kt_link(entry, head->prev, head);
}
/* The entry keeps its links, so a walk that stands on it can go on. */
static inline void list_del(struct list_head *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
}
static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}
#define list_add_rcu(entry, head)      list_add(entry, head)
#define list_add_tail_rcu(entry, head) list_add_tail(entry, head)
#define list_del_rcu(entry)            list_del(entry)
#define list_for_each_entry(p, head, member)                                                       \
    for ((p) = container_of((head)->next, __typeof__(*(p)), member); &(p)->member != (head);       \
         (p) = container_of((p)->member.next, __typeof__(*(p)), member))
#define list_for_each_entry_rcu(p, head, member, ...) list_for_each_entry(p, head, member)

#endif
