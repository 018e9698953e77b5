/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a trace of any known format and streams it as mapping events. Memory follows live mappings
 * and a bounded window, never the length of the trace. */
#ifndef BOUNCE_TRACE_H
#define BOUNCE_TRACE_H

#include "bounce/boot.h"
#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/note.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* A format: one file in sim/trace and one row in formats.c. */
struct bounce_format {
    const char *name;
    const char *summary;
    const struct bounce_format_ops *ops; /* private to sim/trace */
};

BOUNCE_API const struct bounce_format *bounce_format_at(size_t index);
BOUNCE_API const struct bounce_format *bounce_format_find(const char *name);

/* Where bytes come from. read() fills up to `capacity` bytes and sets *got, 0 at the end; on
 * BOUNCE_IO or BOUNCE_MALFORMED (a broken compressed stream) it fills `error`. */
struct bounce_input {
    void *context;
    enum bounce_status (*read)(void *context, void *buffer, size_t capacity, size_t *got,
                               struct bounce_error *error);
};

/* Recordings of kernel events may hold the same I/O twice: as mappings and as block requests. */
enum bounce_trace_only {
    BOUNCE_ONLY_ANY, /* mappings when there are any, else requests */
    BOUNCE_ONLY_MAPPINGS,
    BOUNCE_ONLY_BLOCK,
};

struct bounce_trace_options {
    const struct bounce_format *format; /* NULL: found out from the content */
    bool skip_malformed;                /* count lines that cannot be read instead of refusing */
    uint8_t only; /* enum bounce_trace_only; formats that know only one of them do not look at it */
};

/* What the events of a trace are. */
enum bounce_trace_level {
    BOUNCE_LEVEL_MAPPINGS, /* maps and unmaps: an engine takes them as they are */
    BOUNCE_LEVEL_REQUESTS, /* requests and packets: bounce/requests.h makes mappings of them */
};

/* What a trace tells of the machine it was recorded on; 0 or false where it does not. */
struct bounce_recorded_config {
    struct bounce_boot boot; /* as a recorded header says, exact */
    uint32_t cpus;
    uint64_t start;       /* of the pool */
    bool has_header;      /* the trace states pool and CPUs itself (ops, native) */
    bool allocator_calls; /* maps are calls of the allocator itself: all of them bounce */
    bool bounces;         /* swiotlb_bounced events were seen */
    bool forced;          /* and said FORCE */
    bool timed;           /* times are real; otherwise 1 us an operation is assumed */
    uint8_t level;        /* enum bounce_trace_level */
    bool has_completions; /* requests: some have ended so far; otherwise all have handle 0 */
    bool guessed_force;   /* forced is an assumption: the trace does not tell what bounces */
    bool guessed_dirs;    /* packets without a direction: taken as received */
    bool guessed_unit;    /* whole numbers as times: taken as nanoseconds */
    bool tells_requeues; /* requests that a driver gives back have records of their own: an end that
                            is missing was lost */
    bool no_mappings;    /* kernel events without a dma event: the block requests were taken */
};

/* Counts so far; final once the trace has ended. */
struct bounce_trace_counts {
    uint64_t records;          /* lines or records that were events of any kind */
    uint64_t other_events;     /* of kinds that say nothing about mappings */
    uint64_t coherent_events;  /* dma_alloc and dma_free outside a restricted pool */
    uint64_t malformed;        /* skipped because they could not be read */
    uint64_t lost_events;      /* the recorder's own loss markers */
    uint64_t unmatched_unmaps; /* of mappings made before the trace began, or lost; of requests:
                                  completions */
    uint64_t unmatched_syncs;
    uint64_t implied_unmaps;  /* an address was given out again without an unmap in between */
    uint64_t truncated_lists; /* scatter lists of which the kernel printed 128 entries */
    uint64_t failed_lists;    /* scatter lists that left only swiotlb_bounced events */
    uint64_t time_steps_back; /* joined recordings: time goes on, the pool is as new */
    uint64_t late_records;    /* too late to be put in order; taken when they came */
    uint64_t not_tracked;     /* mappings beyond the live limit: unmaps are missing */
    uint64_t cut_records;     /* the input ends in one: left out */
    uint64_t shared_devices; /* records of devices beyond the first 4096: under the last of those */
    uint64_t elsewhere_maps; /* of another dma address than the buffer's, and no swiotlb_bounced
                                event: an IOMMU translates, or those were not recorded */
    uint64_t first_ns;       /* time of the first record as recorded */
    uint64_t span_ns;
};

/* The requests so far; all 0 in a trace of mappings. */
struct bounce_request_counts {
    uint64_t count;
    uint64_t reads; /* from the device: packets received too */
    uint64_t writes;
    uint64_t bytes;
    uint64_t size_min;
    uint64_t size_median; /* the upper one of an even number */
    uint64_t size_max;
};

/* What a recorder wrote of its machine, beside the events: a file of its archive, unpacked. */
struct bounce_trace_text {
    char *name;
    char *text; /* `length` bytes and a 0 */
    size_t length;
};

struct bounce_trace;

/* Takes `input` by value (the context stays the caller's). BOUNCE_MALFORMED: no format knows the
 * content, or the first records are broken. */
BOUNCE_API enum bounce_status bounce_trace_open(const struct bounce_input *input,
                                                const struct bounce_trace_options *options,
                                                struct bounce_trace **out,
                                                struct bounce_error *error);
BOUNCE_API void bounce_trace_close(struct bounce_trace *trace);

/* From here on `note` is called with what the reader has to tell beyond the events (bounce/note.h).
 */
BOUNCE_API void bounce_trace_on_note(struct bounce_trace *trace,
                                     void (*note)(void *context, const struct bounce_note *note),
                                     void *context);

/* Up to `capacity` next events. BOUNCE_OK with *got > 0, or BOUNCE_END with *got 0. */
BOUNCE_API enum bounce_status bounce_trace_next(struct bounce_trace *trace,
                                                struct bounce_event *events, size_t capacity,
                                                size_t *got, struct bounce_error *error);

BOUNCE_API const struct bounce_format *bounce_trace_format(const struct bounce_trace *trace);
BOUNCE_API const struct bounce_recorded_config *
bounce_trace_recorded(const struct bounce_trace *trace);
BOUNCE_API const struct bounce_trace_counts *
bounce_trace_get_counts(const struct bounce_trace *trace);

/* Cost: sorts the distinct sizes. */
BOUNCE_API struct bounce_request_counts bounce_trace_requests(const struct bounce_trace *trace);

/* The texts read so far, in the order in which they began; NULL past the last. Of native files
 * alone. Valid until more is read. */
BOUNCE_API const struct bounce_trace_text *bounce_trace_text_at(const struct bounce_trace *trace,
                                                                size_t index);

/* The devices seen so far, in order of appearance; the array may move when more are read. */
BOUNCE_API const struct bounce_device *bounce_trace_devices(const struct bounce_trace *trace,
                                                            size_t *count);

BOUNCE_END_DECLS

#endif
