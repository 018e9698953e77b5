/* SPDX-License-Identifier: Apache-2.0 */
/* A replay from the inside, for the files that make it up. */
#ifndef REPLAY_STATE_H
#define REPLAY_STATE_H

#include "throttle.h"

#define NO_HANDLE UINT32_MAX
#define NEVER     UINT64_MAX

struct entry {
    struct bounce_mapping mapping;
    uint32_t next_in_list;
    /* Of the scatter list whose first entry this is: */
    uint32_t list_head; /* entries that are mapped now */
    uint32_t list_tail;
    bool list_failed;
    bool list_counted; /* a failure of it has been counted */
    uint16_t device;
};

struct bounce_replay {
    struct bounce_dma dma;
    struct bounce_replay_hooks hooks;
    struct entry *entries; /* by handle */
    uint32_t room;
    bool times_worker; /* the worker runs by time, not by events of the trace */
    uint64_t worker_delay_ns;
    uint32_t conversion_page_ns;
    uint64_t worker_due_ns; /* NEVER unless it is queued */
    bool as_recorded;
    bool in_step;
    bool put_right;       /* the present map: it would have been answered otherwise */
    bool recorded_growth; /* pools come by events, transient ones lie where they were recorded */
    uint32_t segment_slots;
    struct throttle *throttle; /* NULL: every event happens when it comes */
    struct bounce_stats stats; /* what the allocator does not count itself */
    double external_hiwater;
};

/* ---- replay.c ---- */

/* Unmaps the entry, if it is mapped; `attrs` as BOUNCE_ATTR_*. */
void replay_release(struct bounce_replay *replay, const struct bounce_device *device,
                    struct entry *entry, unsigned attrs);

/* A new mapping's bounce buffer was filled. */
void replay_tell_copy_out(struct bounce_replay *replay, const struct bounce_mapping *mapping);

/* ---- failures.c ---- */

/* A map that the pool did not serve: counted by its cause, and told as a full event if the kernel
 * would log one. */
void failure_count(struct bounce_replay *replay, const struct bounce_event *event,
                   const struct bounce_map_request *request,
                   const struct bounce_map_result *result);

/* ---- scatter_lists.c; `list` is the entry of a list's first handle ---- */

/* Whether the entry is still tried: not after the failure of its list. Of a list that failed when
 * recorded the trace has only the tried entries, so one after a failure begins another attempt. */
bool list_enter(struct entry *list, const struct bounce_event *event);

/* A mapped entry, which belongs to the list from here on. */
void list_link(struct bounce_replay *replay, struct entry *list, uint32_t handle);

/* The entries mapped so far are unmapped at once, without copying back; or, `slowly`, by events to
 * come. O(entries). */
void list_fail(struct bounce_replay *replay, const struct bounce_device *device, struct entry *list,
               bool slowly);

/* Whether a failure counts: the records of a failed list may be several attempts in a row, which
 * count once. `list` is NULL for a map in none. */
bool list_counts_failure(struct entry *list, const struct bounce_event *event);

/* ---- recorded.c: a pool that is the recorded one ---- */

/* What was mapped before the trace began: its slots are taken, without a search in the recorded
 * pool. The original address is not known, its low bits are those of the bounce address. */
void recorded_hold(struct bounce_replay *replay, const struct bounce_device *devices,
                   const struct bounce_event *event);

/* What a recorded pool answered for reasons that the replay does not share: slots that no order
 * explains, pages that its page allocator had or not. False where it is an ordinary map. Needs
 * as_recorded; O(handles) where someone has to make way. */
bool recorded_map(struct bounce_replay *replay, const struct bounce_device *devices,
                  const struct bounce_event *event, const struct bounce_map_request *request,
                  struct entry *entry, struct bounce_map_result *result);

/* Counts whether a map's outcome is the recorded one. */
void recorded_compare(struct bounce_replay *replay, const struct bounce_event *event,
                      const struct bounce_map_result *result);

/* It failed when recorded and would not have: nothing explains it. */
bool recorded_denies(const struct bounce_replay *replay, const struct bounce_event *event);

#endif
