/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader tells of a trace beyond its events: where something began, what it repaired or left
 * out, and what contradicts itself. For `bouncesim lint`; costs nothing unless asked for. */
#ifndef BOUNCE_NOTE_H
#define BOUNCE_NOTE_H

#include "bounce/export.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

enum bounce_note_kind {
    BOUNCE_NOTE_MAP,             /* a mapping or request began: id */
    BOUNCE_NOTE_UNMATCHED_UNMAP, /* unmap or completion without what it ends */
    BOUNCE_NOTE_UNMATCHED_SYNC,
    BOUNCE_NOTE_IMPLIED_UNMAP, /* begun again without an end in between: id of the older one */
    BOUNCE_NOTE_OTHER_SIZE,    /* unmap of `size` bytes of a mapping of `told` */
    BOUNCE_NOTE_OTHER_DIR,     /* unmap with direction `size` of a mapping with `told` */
    BOUNCE_NOTE_OTHER_DEVICE,  /* unmap by `device` of a mapping of device number `told` */
    BOUNCE_NOTE_TRUNCATED_LIST,
    BOUNCE_NOTE_FAILED_LIST,
    BOUNCE_NOTE_RESTART,     /* time goes far back: another recording, by `size` ns */
    BOUNCE_NOTE_TIME_BACK,   /* a little back, by `size` ns */
    BOUNCE_NOTE_LATE_RECORD, /* too late to be put in order */
    BOUNCE_NOTE_LOST_EVENTS, /* `size` of them */
    BOUNCE_NOTE_MALFORMED,
    BOUNCE_NOTE_CUT_RECORD, /* the input ends in it */
    BOUNCE_NOTE_NOT_TRACKED,
    BOUNCE_NOTE_KINDS
};

#define BOUNCE_NOTE_NO_DEVICE UINT16_MAX

struct bounce_note {
    uint64_t place;   /* line of the text, or number of the record, from 1 */
    uint64_t seq;     /* as bounce_event.seq, where events have it */
    uint64_t time_ns; /* as events have it; 0 where it is not known */
    uint64_t id;
    uint64_t addr; /* bounce address, of a list its first original address; 0: not told */
    uint64_t size;
    uint64_t told;   /* what the map said; UNMATCHED_UNMAP of a list: the original address, or 0 */
    uint16_t device; /* or BOUNCE_NOTE_NO_DEVICE */
    uint8_t kind;    /* enum bounce_note_kind */
    bool is_line;
};

BOUNCE_END_DECLS

#endif
