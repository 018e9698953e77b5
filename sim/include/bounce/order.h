/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a recorded kernel really took and gave back its slots.
 *
 * A map allocates between its swiotlb_bounced record and its dma_map record, an unmap frees before
 * its own record, and CPUs overlap: the order of the text is not the order in the pool. Every event
 * of a trace says in which window it happened (seq and bound_seq). This finds an order inside those
 * windows, each CPU's own order kept, under which the recorded kernel's allocator gives every
 * recorded address and failure.
 *
 * It streams: a bounded number of events is held back. Where nothing explains a record (events
 * lost, another kernel, another user of the pool), the recorded state is taken over and the search
 * goes on from there, so that one gap does not derail what follows. */
#ifndef BOUNCE_ORDER_H
#define BOUNCE_ORDER_H

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/status.h"
#include "bounce/swiotlb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_order;

struct bounce_order_stats {
    uint64_t maps;        /* whose outcome the trace tells */
    uint64_t explained;   /* of these, reproduced by the allocator in the order found */
    uint64_t unexplained; /* the rest: recorded state taken over */
    uint64_t moved;       /* events that came out at another place than they were recorded */
    uint64_t moved_most;  /* records that one of them was moved by, at most */
    uint64_t early_frees; /* unmaps that were put before their record */
    uint64_t conflicts;   /* recorded addresses whose slots another mapping still held */
    uint64_t transients;  /* maps that got a pool of their own */
    uint64_t cursors;     /* areas whose cursor a gap had left unknown, seen by their next map */
    uint64_t found_out;   /* mappings known by their unmaps alone: made in a gap, or before it */
    uint64_t hidden;      /* slots that searches passed over: held by what is in no record */
    uint64_t by_hidden;   /* maps that only such slots explain */
    uint64_t searched;    /* maps for which more than the greedy order was tried */
    uint64_t first_unexplained_id;
};

/* A recorded outcome that no order explains. */
struct bounce_order_unexplained {
    uint64_t id;
    uint64_t record; /* place of its record among the trace's, from 1 */
    uint64_t time_ns;
    uint64_t recorded; /* address; 0: it failed */
    uint64_t expected; /* what the allocator gave in the order found so far; 0: nothing */
    uint16_t device;
    uint16_t cpu;
    bool told; /* the record tells no address but that it went well */
};

#define BOUNCE_ORDER_REPORTS 64u

/* A pool that the recorded kernel added. */
struct bounce_order_grown {
    uint64_t start;
    uint64_t nslabs;
    uint64_t before_id;     /* of the first map in it: it came before that one */
    uint64_t before_record; /* that map's record */
    uint64_t time_ns;
    uint32_t nareas;
    uint32_t newer; /* pools that were there already and are searched before it */
};

struct bounce_order_config {
    struct bounce_swiotlb_config pool; /* of the recorded machine, as it started */
    bool quick;  /* the first order that comes to mind: to compare configurations */
    bool in_use; /* the pool was in use when the recording began: cursors are not known */
};

/* An allocator of the recorded machine, empty. BOUNCE_INVALID: a kernel whose searches cannot be
 * tried without taking slots (bounce_swiotlb_peek()); BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_order_create(const struct bounce_order_config *config,
                                                  struct bounce_order **out,
                                                  struct bounce_error *error);
BOUNCE_API void bounce_order_destroy(struct bounce_order *order);

/* Events in the order of the trace go in, as many as there is room for; returns how many were
 * taken. `devices` is the table they index. */
BOUNCE_API size_t bounce_order_push(struct bounce_order *order, const struct bounce_device *devices,
                                    const struct bounce_event *events, size_t count);

/* The same events come out in the order found, at most `capacity`; with `last` also those that
 * would wait for more. Returns how many; 0: push more. Besides them: BOUNCE_EVENT_GROW where the
 * pool grew, and MAP with BOUNCE_EVENT_HELD for what a gap hid. BOUNCE_EVENT_LOST does not come
 * out. */
BOUNCE_API size_t bounce_order_pop(struct bounce_order *order, struct bounce_event *events,
                                   size_t capacity, bool last);

BOUNCE_API void bounce_order_get_stats(const struct bounce_order *order,
                                       struct bounce_order_stats *stats);

/* The first BOUNCE_ORDER_REPORTS outcomes that are not explained; returns how many there are. */
BOUNCE_API size_t bounce_order_get_unexplained(const struct bounce_order *order,
                                               const struct bounce_order_unexplained **reports);

/* Pool `index` of those that came, in the order in which they were found; false past the end. */
BOUNCE_API bool bounce_order_get_grown(const struct bounce_order *order, size_t index,
                                       struct bounce_order_grown *grown);

BOUNCE_END_DECLS

#endif
