/* SPDX-License-Identifier: Apache-2.0 */
/* What every reader turns its records into and every engine takes: mapping events. */
#ifndef BOUNCE_EVENT_H
#define BOUNCE_EVENT_H

#include "bounce/device.h"
#include "bounce/export.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

enum bounce_event_kind {
    BOUNCE_EVENT_MAP,
    BOUNCE_EVENT_ALLOC, /* coherent memory from a restricted pool */
    BOUNCE_EVENT_UNMAP,
    BOUNCE_EVENT_SYNC_FOR_CPU,
    BOUNCE_EVENT_SYNC_FOR_DEVICE,
    BOUNCE_EVENT_WORKER,  /* the queued growth worker runs */
    BOUNCE_EVENT_RESTART, /* another boot: nothing is mapped, the pool is as new */

    /* Requests: an engine makes mappings of them. `handle` pairs them, `id` counts them. */
    BOUNCE_EVENT_ISSUE,    /* given to the device: `size` bytes, dir, `segments` pieces or 0 */
    BOUNCE_EVENT_COMPLETE, /* the device is done with it */

    BOUNCE_EVENT_LOST, /* records of `cpu` are missing here, `size` of them */
    BOUNCE_EVENT_GROW, /* the recorded pool grew: tlb_addr, `size` slots, `segments` areas, under
                          `offset` newer ones; engines on another pool take no notice */
};

/* What the recording says of a map. */
enum bounce_recorded {
    BOUNCE_RECORDED_NOTHING, /* not told */
    BOUNCE_RECORDED_DIRECT,  /* mapped without bouncing, at its own address */
    BOUNCE_RECORDED_ADDRESS, /* bounced to tlb_addr */
    BOUNCE_RECORDED_OK,      /* bounced, address not told */
    BOUNCE_RECORDED_FULL,    /* found no room */
    BOUNCE_RECORDED_TRIED,   /* went to the pool, outcome not told */
    BOUNCE_RECORDED_BOUNCES, /* not told either: whoever made the event says that it has to */
};

enum bounce_event_flag {
    BOUNCE_EVENT_IN_LIST = 1u << 0,    /* an entry of scatter list `list` */
    BOUNCE_EVENT_LIST_FIRST = 1u << 1, /* its first one */
    BOUNCE_EVENT_LIST_LAST = 1u << 2,  /* its last one, as far as the trace tells */
    BOUNCE_EVENT_LIST_OPEN = 1u << 3,  /* of a list that failed when recorded: entries that were
                                          never tried are not in the trace, nor is its unmap; its
                                          driver may have tried again without a trace of that */
    BOUNCE_EVENT_IMPLIED = 1u << 4,    /* not in the trace: follows from its addresses */
    BOUNCE_EVENT_UNMATCHED = 1u << 5,  /* UNMAP at tlb_addr of what was mapped before the trace */
    BOUNCE_EVENT_HELD = 1u << 6,       /* MAP before the trace began: its slots are taken; without
                                          an address, somewhere, by a device without limits */
    BOUNCE_EVENT_PLACED = 1u << 7,    /* MAP that no order explains: its recorded slots are taken */
    BOUNCE_EVENT_TRANSIENT = 1u << 8, /* MAP that the recorded kernel gave a pool of its own */
    BOUNCE_EVENT_CURSOR = 1u << 9,    /* MAP: the cursor of its area was not known until then */
    BOUNCE_EVENT_SLOWLY = 1u << 10,   /* MAP at which its list failed: other CPUs' events came while
                                         it gave back its entries, so UNMAP events do that */
    BOUNCE_EVENT_DENIED = 1u << 11,   /* MAP that failed when recorded, which no order explains */
    BOUNCE_EVENT_BY_WORKER = 1u << 12, /* ISSUE: a worker of the block layer issued it, which does
                                          so with what the driver has put back */
    BOUNCE_EVENT_MADE = 1u << 13, /* UNMAP that the order made, before its record or without one */
};

#define BOUNCE_NO_LIST   UINT32_MAX
#define BOUNCE_HELD_MAX  4096u /* handles below are kept free for BOUNCE_EVENT_HELD: */
#define BOUNCE_HELD_TOLD 2048u /* those below this one of bounce_infer_held() */

/* Handles are small numbers, reused once the mapping is gone, so that an engine
 * keeps its state in arrays. `id` never repeats. Times start at 0. */
struct bounce_event {
    uint64_t time_ns;
    uint64_t id;        /* of the mapping: the trace's own, or counted from 0 */
    uint64_t orig_addr; /* MAP */
    uint64_t tlb_addr;  /* MAP with BOUNCE_RECORDED_ADDRESS; UNMAP with BOUNCE_EVENT_UNMATCHED;
                           MAP with BOUNCE_RECORDED_NOTHING: its address where it may have bounced
                           before the records begin (bounce_infer_begun()) */
    uint64_t size;      /* bytes of the mapping or of the sync */
    uint64_t offset;    /* SYNC: bytes into the buffer; ISSUE: address on the device, bytes */
    uint64_t seq;       /* place of its record among the trace's, from 1; 0: order is exact */
    uint64_t bound_seq; /* MAP: happened before that record; UNMAP: happened after that one */
    uint32_t handle;
    uint32_t list; /* handle of the first entry of its scatter list, or BOUNCE_NO_LIST */
    uint32_t alloc_align_mask;
    uint16_t device; /* index into the trace's device table */
    uint16_t cpu;
    uint8_t kind;      /* enum bounce_event_kind */
    uint8_t dir;       /* enum bounce_dir */
    uint8_t attrs;     /* enum bounce_attr */
    uint8_t recorded;  /* enum bounce_recorded */
    uint16_t flags;    /* enum bounce_event_flag */
    uint16_t segments; /* ISSUE: pieces; GROW: areas */
};

/* Slots that belong to what no record tells of: bounce_infer_hidden(). */
static inline bool bounce_event_is_hidden(const struct bounce_event *event)
{
    return event->kind == BOUNCE_EVENT_MAP && (event->flags & BOUNCE_EVENT_HELD) &&
           (event->flags & BOUNCE_EVENT_IMPLIED);
}

BOUNCE_END_DECLS

#endif
