/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the inference share: the evidence, and the pool of a guess. */
#ifndef REPLAY_INFER_H
#define REPLAY_INFER_H

#include "bounce/infer.h"
#include "bounce/order.h"

#define INFER_BATCH 512u /* events that an order gives back at a time */

struct device_evidence {
    uint64_t maps;
    uint64_t differing; /* bits in which any bounce address differed from its original */
    uint64_t offsets;   /* bits below a slot that were set in any bounce address */
};

struct cpu_evidence {
    uint64_t first; /* bounce address of its first map; UINT64_MAX: none */
};

struct bounce_evidence {
    struct device_evidence *devices;
    size_t ndevices;
    struct cpu_evidence *cpus;
    size_t ncpus;
    uint32_t cpus_seen; /* one more than the highest CPU of any event */
    uint64_t maps;      /* with a bounce address */
    uint64_t low;       /* of their bytes the lowest, and one past the highest */
    uint64_t high;
};

/* The order that a recording of such a pool would have been in. */
struct bounce_order_config infer_order(const struct bounce_inference *guess);

struct infer_range {
    uint64_t low;
    uint64_t high; /* one past the last byte */
    uint64_t maps;
};

/* The ranges, at most `capacity`, in which addresses of the maps lie without gaps that a pool of
 * its own may fill, those with the most maps first. O(count log count). BOUNCE_NO_MEMORY. */
enum bounce_status infer_ranges(const struct bounce_event *events, size_t count,
                                struct infer_range *ranges, size_t capacity, size_t *found);

#endif
