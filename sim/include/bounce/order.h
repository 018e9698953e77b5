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
    uint64_t first_unexplained_id;
};

/* An allocator of the recorded machine, empty. BOUNCE_INVALID: a kernel whose searches cannot be
 * tried without taking slots (bounce_swiotlb_peek()); BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_order_create(const struct bounce_swiotlb_config *recorded,
                                                  struct bounce_order **out,
                                                  struct bounce_error *error);
BOUNCE_API void bounce_order_destroy(struct bounce_order *order);

/* Events in the order of the trace go in, as many as there is room for; returns how many were
 * taken. `devices` is the table they index. */
BOUNCE_API size_t bounce_order_push(struct bounce_order *order, const struct bounce_device *devices,
                                    const struct bounce_event *events, size_t count);

/* The same events come out in the order found, at most `capacity`; with `last` also those that
 * would wait for more. Returns how many; 0: push more. */
BOUNCE_API size_t bounce_order_pop(struct bounce_order *order, struct bounce_event *events,
                                   size_t capacity, bool last);

BOUNCE_API void bounce_order_get_stats(const struct bounce_order *order,
                                       struct bounce_order_stats *stats);

BOUNCE_END_DECLS

#endif
