/* SPDX-License-Identifier: Apache-2.0 */
/* Makes traces: streams of map calls or requests with given sizes, lifetimes and arrivals.
 *
 * Deterministic on every machine: integer arithmetic alone, generators of our own. Memory follows
 * what is live at a time. Not a model of any device: what a stream does is told, nothing reacts to
 * a pool that is full. */
#ifndef BOUNCE_GEN_H
#define BOUNCE_GEN_H

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/histogram.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* ---- random numbers ---- */

struct bounce_random {
    uint64_t state; /* any value is a seed */
};

BOUNCE_API uint64_t bounce_random_next(struct bounce_random *random); /* SplitMix64 */
/* 0 to bound - 1, all equally likely; bound at least 1. */
BOUNCE_API uint64_t bounce_random_below(struct bounce_random *random, uint64_t bound);

enum bounce_dist_kind {
    BOUNCE_DIST_CONSTANT,    /* a */
    BOUNCE_DIST_UNIFORM,     /* a to b, a + k * step */
    BOUNCE_DIST_EXPONENTIAL, /* mean a */
    BOUNCE_DIST_LOG_NORMAL,  /* median a, 99 % below b; tails end at 6 sigma */
    BOUNCE_DIST_VALUES,      /* bins: value and weight, at most 2^32 bins, weights below 2^63 */
};

struct bounce_dist {
    uint8_t kind; /* enum bounce_dist_kind */
    uint64_t a;
    uint64_t b;
    uint64_t step;
    const struct bounce_bin
        *bins; /* the caller's; `count` is cumulative: of this and those before */
    size_t nbins;
};

/* A value of the distribution; 0 of one that is empty. Logarithms are good to 2^-30. */
BOUNCE_API uint64_t bounce_dist_draw(const struct bounce_dist *dist, struct bounce_random *random);

/* ---- streams ---- */

enum bounce_arrivals {
    BOUNCE_ARRIVALS_POISSON, /* independent of each other */
    BOUNCE_ARRIVALS_REGULAR, /* evenly spaced */
    BOUNCE_ARRIVALS_CLOSED,  /* `in_flight` at a time, the next one `gap` after one ends */
    BOUNCE_ARRIVALS_LOADS,   /* gaps from `loads` */
};

/* What a stream does with at least `from` operations in flight, the one that began last included.
 */
struct bounce_gen_load {
    uint64_t from;
    struct bounce_dist gap_ns;      /* to the next operation */
    struct bounce_dist lifetime_ns; /* of the one that begins; empty: the stream's */
    struct bounce_dist size;        /* the same */
};

struct bounce_gen_stream {
    uint16_t device;
    uint8_t dir;             /* enum bounce_dir */
    uint8_t arrivals;        /* enum bounce_arrivals */
    bool sync;               /* buffers are synced for the CPU before their unmap */
    uint32_t recycle;        /* ring: percent of the buffers that are synced and stay mapped */
    uint64_t rate_mhz;       /* operations in 1000 s, while it is on and busy */
    uint64_t on_ns, off_ns;  /* bursts: on for so long, then off; on_ns 0: always on */
    uint64_t period_ns;      /* the rate goes up and down like a sine; 0: it does not */
    uint32_t low_permille;   /* the lowest, of rate_mhz */
    uint64_t in_flight;      /* operations at a time, others wait; 0: any number */
    uint64_t ring;           /* so many buffers are mapped ahead, each operation takes the oldest */
    uint64_t operations;     /* stop after so many; 0: no limit */
    struct bounce_dist size; /* bytes of a mapping, or of a request */
    struct bounce_dist segments; /* mappings of an operation, at most BOUNCE_GEN_SEGMENTS */
    struct bounce_dist lifetime_ns;
    struct bounce_dist gap_ns; /* closed: from an end to the next begin */
    struct bounce_dist offset; /* bytes into its page that a buffer begins at, below 4096 */
    const struct bounce_gen_load *loads; /* ascending; the caller's. Their values are drawn
                                          without putting back, until all have come up */
    size_t nloads;
};

struct bounce_gen_device {
    uint64_t queue_depth; /* operations of all its streams at a time, rings apart; 0: any number */
    const uint16_t *cpus; /* one of them for each operation; the caller's */
    size_t ncpus;
    uint32_t high_percent; /* of the buffers, those above 4 GiB */
    uint64_t seg_boundary; /* a mask: no buffer spans a multiple of it, but larger ones; 0: any */
};

#define BOUNCE_GEN_SEGMENTS 256u
#define BOUNCE_GEN_LIVE     (1u << 20) /* mappings live at a time, at most */

struct bounce_gen_config {
    uint64_t seed;
    uint64_t duration_ns; /* nothing begins from here on; what is live ends later */
    bool requests;        /* ISSUE and COMPLETE instead of mappings */
    const struct bounce_gen_device *devices;
    size_t ndevices;
    const struct bounce_gen_stream *streams;
    size_t nstreams;
};

struct bounce_gen;

/* The configuration, and what it points to, is used until the end. BOUNCE_INVALID (with `error`): a
 * stream whose device is not there, a device without CPUs, a ring larger than BOUNCE_GEN_LIVE.
 * BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_gen_create(const struct bounce_gen_config *config,
                                                struct bounce_gen **out,
                                                struct bounce_error *error);
BOUNCE_API void bounce_gen_destroy(struct bounce_gen *gen);

/* Up to `capacity` next events, in order of time. BOUNCE_OK with *got > 0, BOUNCE_END with *got 0.
 * BOUNCE_INVALID (with `error`): more than BOUNCE_GEN_LIVE mappings are live, the lifetimes are too
 * long for the rate. BOUNCE_NO_MEMORY. Cost: logarithmic in what is live. */
BOUNCE_API enum bounce_status bounce_gen_next(struct bounce_gen *gen, struct bounce_event *events,
                                              size_t capacity, size_t *got,
                                              struct bounce_error *error);

BOUNCE_END_DECLS

#endif
