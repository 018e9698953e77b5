/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an event is one that a reader makes. Engines rely on that: handles index their arrays,
 * lists are chained through their entries. The writer refuses what is not, and so does the reader.
 */
#ifndef TRACE_NATIVE_CHECK_H
#define TRACE_NATIVE_CHECK_H

#include "native.h"

/* Of a profile: once a block. */
static inline const char *native_check_profile(const struct native_profile *p, size_t ndevices,
                                               uint8_t level)
{
    bool request = p->kind == BOUNCE_EVENT_ISSUE || p->kind == BOUNCE_EVENT_COMPLETE;
    bool neither = p->kind == BOUNCE_EVENT_RESTART || p->kind == BOUNCE_EVENT_WORKER ||
                   p->kind == BOUNCE_EVENT_LOST || p->kind == BOUNCE_EVENT_GROW;
    unsigned of_maps = BOUNCE_EVENT_HELD | BOUNCE_EVENT_PLACED | BOUNCE_EVENT_TRANSIENT |
                       BOUNCE_EVENT_CURSOR | BOUNCE_EVENT_SLOWLY | BOUNCE_EVENT_DENIED;
    unsigned list_flags = BOUNCE_EVENT_LIST_FIRST | BOUNCE_EVENT_LIST_LAST | BOUNCE_EVENT_LIST_OPEN;

    if (p->kind > BOUNCE_EVENT_GROW)
        return "an event of no known kind";
    if (p->dir > BOUNCE_DIR_NONE || p->recorded > BOUNCE_RECORDED_BOUNCES)
        return "a direction or outcome that does not exist";
    if (p->cpu >= BOUNCE_MAX_CPUS)
        return "a CPU beyond 8191";
    if (p->device >= ndevices && !neither)
        return "a device that was not told before";
    if (!neither && request != (level == BOUNCE_LEVEL_REQUESTS))
        return "requests and mappings in one trace";
    if (p->kind == BOUNCE_EVENT_ISSUE && p->dir > BOUNCE_FROM_DEVICE)
        return "a request without a direction";
    if ((p->flags & (list_flags | BOUNCE_EVENT_IN_LIST)) && p->kind != BOUNCE_EVENT_MAP)
        return "a list of something else than maps";
    if ((p->flags & list_flags) && !(p->flags & BOUNCE_EVENT_IN_LIST))
        return "an end of a list outside a list";
    if ((p->flags & BOUNCE_EVENT_UNMATCHED) && p->kind != BOUNCE_EVENT_UNMAP)
        return "an unmatched event that is no unmap";
    if ((p->flags & of_maps) && p->kind != BOUNCE_EVENT_MAP)
        return "a flag of maps at another event";
    if ((p->flags & BOUNCE_EVENT_HELD) && (p->flags & BOUNCE_EVENT_IN_LIST))
        return "a held event in a list";
    return NULL;
}

static inline void native_close_list(struct native_model *m, struct native_known *known)
{
    if (known->serial && m->known[known->list].open == known->serial)
        m->known[known->list].open = 0;
    known->serial = 0;
}

static inline const char *native_check_begin(struct native_model *m, const struct bounce_event *e)
{
    struct native_known *known = &m->known[e->handle];
    bool in_list = e->flags & BOUNCE_EVENT_IN_LIST;

    if (!e->size || e->size > (e->kind == BOUNCE_EVENT_ISSUE ? UINT64_C(1) << 32 : INT64_MAX))
        return "a size beyond reason";
    if (e->kind == BOUNCE_EVENT_ISSUE) {
        known->live = 1;
        return NULL;
    }
    if (known->live)
        return "a handle that is mapped already";
    if (e->tlb_addr > UINT64_MAX - e->size || (e->alloc_align_mask & (e->alloc_align_mask + 1)))
        return "an address or mask beyond reason";
    /* A list ends with the first of its entries that ends: chains never cross. */
    native_close_list(m, known);
    known->open = 0;
    if (in_list) {
        if (e->list >= m->room || (e->flags & BOUNCE_EVENT_LIST_FIRST && e->list != e->handle))
            return "an entry of a list that does not exist";
        if (e->flags & BOUNCE_EVENT_LIST_FIRST)
            known->open = ++m->lists ? m->lists : ++m->lists;
        if (!m->known[e->list].open)
            return "an entry of a list that has ended";
        known->list = e->list;
        known->serial = m->known[e->list].open;
    }
    known->live =
        e->recorded != BOUNCE_RECORDED_FULL && !(e->flags & BOUNCE_EVENT_LIST_OPEN) ? 1 : 0;
    return NULL;
}

/* NULL, or what is wrong with an event whose profile and handle are good; follows what is live. */
static inline const char *native_check(struct native_model *m, const struct bounce_event *e)
{
    struct native_known *known = &m->known[e->handle];

    if (!(e->flags & BOUNCE_EVENT_IN_LIST) && e->list != BOUNCE_NO_LIST)
        return "a list of an event that is in none";
    if (e->time_ns > INT64_MAX)
        return "a time beyond reason";
    switch ((enum bounce_event_kind)e->kind) {
    case BOUNCE_EVENT_MAP:
    case BOUNCE_EVENT_ALLOC:
    case BOUNCE_EVENT_ISSUE:
        return native_check_begin(m, e);
    case BOUNCE_EVENT_UNMAP:
    case BOUNCE_EVENT_COMPLETE:
        if (e->size > INT64_MAX || e->tlb_addr > UINT64_MAX - e->size)
            return "a size beyond reason";
        if (!known->live != ((e->flags & BOUNCE_EVENT_UNMATCHED) != 0))
            return "an end of something that has not begun";
        native_close_list(m, known);
        known->live = 0;
        return NULL;
    case BOUNCE_EVENT_SYNC_FOR_CPU:
    case BOUNCE_EVENT_SYNC_FOR_DEVICE:
        if (!known->live)
            return "a sync of something that is not mapped";
        return e->size > INT64_MAX || e->offset > INT64_MAX ? "a size beyond reason" : NULL;
    case BOUNCE_EVENT_RESTART:
        for (uint32_t handle = 0; handle < m->room; handle++) {
            m->known[handle].live = m->known[handle].open = m->known[handle].serial = 0;
        }
        return NULL;
    case BOUNCE_EVENT_WORKER:
    case BOUNCE_EVENT_LOST:
        break;
    case BOUNCE_EVENT_GROW: /* as bounce_swiotlb_add_pool() takes them */
        if (e->size > BOUNCE_MAX_NSLABS || e->offset > UINT32_MAX)
            return "a pool beyond reason";
        break;
    }
    return NULL;
}

#endif
