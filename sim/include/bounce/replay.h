/* SPDX-License-Identifier: Apache-2.0 */
/* The open-loop engine: takes mapping events in order, keeps the mappings, counts what happens. */
#ifndef BOUNCE_REPLAY_H
#define BOUNCE_REPLAY_H

#include "bounce/dma.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/stats.h"
#include "bounce/swiotlb.h"

BOUNCE_BEGIN_DECLS

struct bounce_replay;

/* Maps of devices that may wait do so while much of the pool is in use (Michael Kelley's proposal
 * of 2024-08-22): one after the other above high_percent of the slots, and on down to low_percent.
 */
struct bounce_throttle_config {
    uint32_t high_percent;      /* 0..100; proposed: 70 */
    uint32_t low_percent;       /* 0..high_percent; proposed: 65 */
    const char *const *devices; /* names of those that may wait, copied; none: all */
    size_t ndevices;
};

struct bounce_replay_config {
    struct bounce_swiotlb_config pool;
    bool force;
    bool allocator_calls;
    /* The pool is the recorded one: what no order explains is placed where it was recorded. */
    bool as_recorded;
    /* And the events come in an order that was found: a map that is answered otherwise all the same
     * gets its recorded slots, or none, so that what follows is right again. Needs as_recorded. */
    bool in_step;
    /* And it grew: pools come with BOUNCE_EVENT_GROW, not from a worker. Needs as_recorded. */
    bool recorded_growth;
    uint64_t worker_delay_ns;    /* growing kernels: from the failure that queues the worker to the
                                    pool it adds; streams of allocator calls say themselves when */
    uint32_t conversion_page_ns; /* encrypted guests: bounce_guest_conversion_ns() */
    /* NULL: no map waits. Not with a pool for each device. Times of events that were put off are
     * later than recorded, and never earlier than those before them. */
    const struct bounce_throttle_config *throttle;
};

/* What an engine reports as it goes; each may be NULL. The pointers are valid during the call. */
struct bounce_replay_hooks {
    void *context;
    /* After every map that went to the pool, in event order. */
    void (*mapped)(void *context, const struct bounce_event *event,
                   const struct bounce_map_result *result);
    /* After every map that the kernel logs as full, right after `mapped`. */
    void (*full)(void *context, const struct bounce_event *event,
                 const struct bounce_map_result *result, const struct bounce_pressure *pressure);
    /* After every event that may have changed the pool. */
    void (*changed)(void *context, const struct bounce_event *event,
                    const struct bounce_swiotlb *mem);
    /* For those who follow what the slots hold. `taken`: after every map and coherent allocation
     * that got slots, right after `mapped`. `freed`: right before the slots of one are given back,
     * whatever gives them back; a restart gives all of them back without it. */
    void (*taken)(void *context, const struct bounce_event *event,
                  const struct bounce_map_result *result, const struct bounce_swiotlb *mem);
    void (*freed)(void *context, const struct bounce_mapping *mapping);
    /* For those who move real bytes: every copy between a buffer (`copy`) and its bounce buffer.
     * Of a map it comes before `mapped`, of an unmap after `freed`. */
    void (*copied)(void *context, const struct bounce_mapping *mapping,
                   const struct bounce_copy *copy, uint64_t tlb_addr, bool to_device);
};

/* BOUNCE_INVALID as bounce_swiotlb_create(), BOUNCE_NO_MEMORY. `hooks` may be NULL. */
BOUNCE_API enum bounce_status bounce_replay_create(const struct bounce_replay_config *config,
                                                   const struct bounce_replay_hooks *hooks,
                                                   struct bounce_replay **out,
                                                   struct bounce_error *error);
BOUNCE_API void bounce_replay_destroy(struct bounce_replay *replay);

/* Applies `count` events; `devices` is the table they index, and may differ from call to call in
 * place and length. BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_replay_run(struct bounce_replay *replay,
                                                const struct bounce_device *devices,
                                                const struct bounce_event *events, size_t count);

/* After the last event: what throttling has put off happens. Without throttling it does nothing.
 * BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_replay_finish(struct bounce_replay *replay,
                                                   const struct bounce_device *devices);

BOUNCE_API const struct bounce_swiotlb *bounce_replay_mem(const struct bounce_replay *replay);

/* The mapping behind a handle as it is now; `state` is BOUNCE_UNMAPPED when there is none. Valid
 * until the next bounce_replay_run(); NULL for a handle beyond those seen so far. */
BOUNCE_API const struct bounce_mapping *bounce_replay_mapping(const struct bounce_replay *replay,
                                                              uint32_t handle);

/* Everything counted so far. */
BOUNCE_API void bounce_replay_stats(const struct bounce_replay *replay, struct bounce_stats *stats);

BOUNCE_END_DECLS

#endif
