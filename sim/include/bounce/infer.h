/* SPDX-License-Identifier: Apache-2.0 */
/* What the recorded addresses tell of the machine: min_align_mask of each device, where the pool
 * lies, how large it is and how many areas it has.
 *
 * A trace is streamed, so this is asked of its first events; evidence from the rest is collected on
 * the way and can be used in a second pass. */
#ifndef BOUNCE_INFER_H
#define BOUNCE_INFER_H

#include "bounce/boot.h"
#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/kernels.h"
#include "bounce/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_evidence; /* collected from recorded addresses; owned by the caller */

BOUNCE_API struct bounce_evidence *bounce_evidence_create(void);
BOUNCE_API void bounce_evidence_destroy(struct bounce_evidence *evidence);

/* Adds what `count` events tell. False without memory. */
BOUNCE_API bool bounce_evidence_add(struct bounce_evidence *evidence,
                                    const struct bounce_event *events, size_t count);

/* Addresses seen: the lowest and one past the highest byte; false when there are none. */
BOUNCE_API bool bounce_evidence_range(const struct bounce_evidence *evidence, uint64_t *low,
                                      uint64_t *high);

/* CPUs seen: one more than the highest that any event names, at least 1. */
BOUNCE_API uint32_t bounce_evidence_cpus(const struct bounce_evidence *evidence);

/* The largest mask under which all bounce and original addresses of a device agree, at most 0xfff
 * (the only one that a driver of 6.12 sets: nvme, hv_storvsc, netvsc); 0 when nothing shows one. */
BOUNCE_API uint32_t bounce_evidence_min_align_mask(const struct bounce_evidence *evidence,
                                                   uint16_t device);

/* Maps of which only the end was recorded: those whose address lies among the trace's bounce
 * addresses become events with BOUNCE_EVENT_HELD. */
BOUNCE_API void bounce_infer_begun(const struct bounce_evidence *evidence,
                                   struct bounce_event *events, size_t count);

/* What was mapped before the trace began: for every unmap without a map whose address lies in
 * [low, high), a MAP event with BOUNCE_EVENT_HELD goes to `held`, and the unmap gets its handle,
 * counted from first_handle and below BOUNCE_HELD_TOLD. Those that have one already are left
 * alone. Returns how many there are. */
BOUNCE_API size_t bounce_infer_held(uint64_t low, uint64_t high, struct bounce_event *events,
                                    size_t count, struct bounce_event *held, uint32_t first_handle);

/* What the user or the trace's header fixed; 0 where they did not. */
struct bounce_infer_given {
    struct bounce_boot boot;
    uint32_t cpus;
    uint64_t start;
    const struct bounce_kernel *kernel;
    bool never_grew; /* the recorded kernel cannot, or was seen not to */
    bool used_known; /* the recorded kernel's io_tlb_used when the recording began */
    uint64_t used;
};

struct bounce_inference {
    uint32_t cpus;
    uint64_t nslabs; /* rounded */
    uint32_t nareas;
    uint64_t start;
    bool size_inferred;
    bool start_inferred;
    bool grew;                /* addresses lie outside it too: it grew while it was recorded */
    bool in_use;              /* the pool was in use when the recording began */
    bool thorough;            /* found by a search for the order, not by the first that comes */
    bool other_areas;         /* not as many as the CPUs make */
    bool size_is_lower_bound; /* nothing in the events tells how much larger it was */
    uint64_t tried;           /* maps with a recorded address among the first events */
    uint64_t explained;       /* of these, addresses that this configuration reproduces */
    uint64_t transients;      /* and those that look like transient pools */
    uint64_t passed;          /* and those that passed over slots of which no record tells */
};

/* Tries every pool size that the addresses allow on the first events, and takes the one that
 * reproduces most of them. `devices` must have their min_align_mask set. Cost: one replay of
 * `events` for each power of two from the addresses' span to 4 GiB. BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_infer_pool(const struct bounce_evidence *evidence,
                                                const struct bounce_infer_given *given,
                                                const struct bounce_recorded_config *recorded,
                                                const struct bounce_device *devices,
                                                const struct bounce_event *events, size_t count,
                                                struct bounce_inference *out);

/* Of a pool that was in use: slots that its searches passed over among the same events, although no
 * record tells who holds them. Each goes to `held` as a MAP event with BOUNCE_EVENT_HELD and
 * BOUNCE_EVENT_IMPLIED, in the order of the addresses, at most `capacity`; handles are the caller's
 * to set. Cost: one replay of `events`. BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_infer_hidden(const struct bounce_inference *inference,
                                                  const struct bounce_device *devices,
                                                  const struct bounce_event *events, size_t count,
                                                  struct bounce_event *held, size_t capacity,
                                                  size_t *found);

BOUNCE_END_DECLS

#endif
