/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace asks of a pool, without replaying it: sizes, lifetimes, how much is mapped at a
 * time, rates. Takes mapping events (MAP to UNMAP) and requests (ISSUE to COMPLETE) alike.
 *
 * An operation is a map call: one mapping, a whole scatter list, or a request. A stream is what a
 * device does in one direction.
 *
 * Memory follows live mappings, devices and distinct sizes, never the length of the trace. */
#ifndef BOUNCE_PROFILE_H
#define BOUNCE_PROFILE_H

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/histogram.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_profile_config {
    bool force;           /* maps bounce where the trace does not tell */
    bool allocator_calls; /* all do */
    bool tells_bounces;   /* the trace tells of every map whether it bounced */
    bool assume_service;  /* requests: the trace has no completions */
    uint64_t service_ns;  /* from issue to completion then */
};

/* What is mapped at a time. Slots are those of bounced mappings, with offset, padding and rounding;
 * of a request, those of the mappings it would be cut into. */
struct bounce_level {
    uint64_t maps; /* now: mappings, or requests */
    uint64_t bytes;
    uint64_t slots;
    uint64_t maps_peak;
    uint64_t bytes_peak;
    uint64_t slots_peak;
    uint64_t slots_peak_ns; /* when it was first reached */
    double maps_mean;       /* over the span; set by bounce_profile_finish() */
    double bytes_mean;
    double slots_mean;
};

/* What a stream does with that many operations in flight as one begins, this one included: by
 * powers of two, number n is 2^n to 2^(n+1) - 1 of them. */
#define BOUNCE_PROFILE_LOADS 20u

struct bounce_profile_load {
    struct bounce_histogram gaps;  /* ns to the next operation */
    struct bounce_histogram times; /* ns to its end */
    struct bounce_histogram sizes; /* of its mappings */
};

struct bounce_profile_stream {
    uint64_t maps;
    uint64_t bytes;
    uint64_t bounced; /* of the maps; requests do not tell: 0 */
    uint64_t bounced_bytes;
    uint64_t failed; /* maps that were recorded as failed */
    uint64_t tried;  /* entries of scatter lists that failed, outcome not told */
    uint64_t ended;  /* maps whose end was seen */
    uint64_t held;   /* mapped before the trace began */
    uint64_t live;   /* never ended, once finished */
    uint64_t syncs;
    uint64_t sync_bytes;
    uint64_t operations;
    uint64_t oversize;     /* maps over 256 KiB */
    uint64_t unaligned;    /* buffer, or place on the device, not at a multiple of 4096 */
    uint64_t padded_slots; /* taken because of offsets, beyond what the sizes need */
    uint64_t slots;        /* taken by all maps together */
    uint64_t slots_max;    /* by one mapping */
    uint64_t in_flight;    /* operations */
    uint64_t in_flight_peak;
    uint64_t last_ns; /* when its last operation began */
    uint8_t last_load;
    struct bounce_histogram sizes;
    struct bounce_histogram lifetimes; /* of maps, ns */
    struct bounce_histogram segments;  /* mappings an operation */
    struct bounce_profile_load loads[BOUNCE_PROFILE_LOADS];
};

/* Busiest interval of that length, counted from time 0 in steps of it. */
struct bounce_burst {
    uint64_t window_ns;
    uint64_t maps_peak;
    uint64_t bytes_peak;
    uint64_t slots_peak; /* taken in it */
    uint64_t maps_peak_ns;
    /* Of the present interval: */
    uint64_t index;
    uint64_t maps;
    uint64_t bytes;
    uint64_t slots;
};

#define BOUNCE_BURSTS 3u /* 1, 10 and 100 ms */

struct bounce_profile_totals {
    struct bounce_level level;
    struct bounce_burst bursts[BOUNCE_BURSTS];
    uint64_t restarts; /* boots after the first */
    uint64_t last_ns;  /* time of the last event */
    uint64_t not_tracked;
    bool has_offsets; /* requests: places on the device are told */
};

struct bounce_profile;

/* BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_profile_create(const struct bounce_profile_config *config,
                                                    struct bounce_profile **out,
                                                    struct bounce_error *error);
BOUNCE_API void bounce_profile_destroy(struct bounce_profile *profile);

/* `devices` is the table the events index; it may grow from call to call. BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_profile_add(struct bounce_profile *profile,
                                                 const struct bounce_device *devices,
                                                 const struct bounce_event *events, size_t count);

/* After the last event, once: means over `span_ns`, and what is live has never ended.
 * BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_profile_finish(struct bounce_profile *profile,
                                                    uint64_t span_ns);

BOUNCE_API const struct bounce_profile_totals *
bounce_profile_get_totals(const struct bounce_profile *profile);
/* NULL where the device has done nothing (in that direction). */
BOUNCE_API const struct bounce_level *
bounce_profile_device_level(const struct bounce_profile *profile, size_t device);
BOUNCE_API const struct bounce_profile_stream *
bounce_profile_stream_of(const struct bounce_profile *profile, size_t device, enum bounce_dir dir);
/* Maps issued on that CPU. */
BOUNCE_API uint64_t bounce_profile_cpu_maps(const struct bounce_profile *profile, uint32_t cpu);

BOUNCE_END_DECLS

#endif
