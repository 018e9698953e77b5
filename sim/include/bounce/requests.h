/* SPDX-License-Identifier: Apache-2.0 */
/* Makes mappings of the requests and packets of a trace that knows no mappings.
 *
 * Approximate: the trace tells when a device was given what, not where the buffers lay.
 *   - A request of up to the largest mapping (256 KiB, less what min_align_mask costs, as
 *     swiotlb_max_mapping_size() says) is one mapping; a larger one is as many as it takes, since
 * the block layer would have split it. Told segments make it a scatter list of that many pieces of
 *     about the same size, whole pages or sectors.
 *   - Buffers begin at the start of a page, anywhere in 64 GiB above 4 GiB, by a seeded generator.
 *   - Mapped when issued, unmapped when completed, without delay in between.
 *   - Without completions in the trace every request takes the same, assumed service time.
 *   - Slots that devices without requests hold are one-slot mappings beside the first request's
 *     device, of one without limits.
 *   - Open loop: a request that finds the pool full is dropped, and nothing is issued later for it.
 * docs/formats/requests.md says what that means for results.
 *
 * Memory: what the live requests need, at most BOUNCE_REQUESTS_LIVE mappings. */
#ifndef BOUNCE_REQUESTS_H
#define BOUNCE_REQUESTS_H

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_REQUESTS_LIVE      (1u << 20)
#define BOUNCE_DEFAULT_SERVICE_NS UINT64_C(100000)

struct bounce_requests_config {
    bool assume_service; /* the trace has no completions, or they are not to be used */
    uint64_t service_ns; /* from issue to completion then */
    uint64_t seed;       /* of the addresses */
    uint32_t held_slots; /* taken in front of the first request, for good */
};

struct bounce_requests_counts {
    uint64_t requests;
    uint64_t mappings;
    uint64_t split;       /* requests larger than the largest mapping */
    uint64_t not_tracked; /* requests beyond the limit of live mappings: left out */
    uint64_t outstanding; /* live now */
};

struct bounce_requests;

/* BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_requests_create(const struct bounce_requests_config *config,
                                                     struct bounce_requests **out,
                                                     struct bounce_error *error);
BOUNCE_API void bounce_requests_destroy(struct bounce_requests *requests);

/* Takes events of a trace and gives mapping events, at most `capacity`; *taken says how many of
 * the `count` it is done with, so the rest comes again. `count` 0: the trace has ended; with
 * assumed service times requests then end one after the other. *got 0 with *taken == count: nothing
 * more to give for these. `devices` is the table the events index. Events that are no requests pass
 * unchanged, RESTART ends all requests. BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_requests_next(struct bounce_requests *requests,
                                                   const struct bounce_device *devices,
                                                   const struct bounce_event *events, size_t count,
                                                   size_t *taken, struct bounce_event *out,
                                                   size_t capacity, size_t *got);

BOUNCE_API void bounce_requests_get_counts(const struct bounce_requests *requests,
                                           struct bounce_requests_counts *counts);

BOUNCE_END_DECLS

#endif
