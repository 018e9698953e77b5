/* SPDX-License-Identifier: Apache-2.0 */
/* Records in order of time; of equal times, in the order they came. */
#ifndef TRACE_RECORD_HEAP_H
#define TRACE_RECORD_HEAP_H

#include "records.h"

struct record_heap {
    struct record *records; /* earliest first */
    uint32_t count;
    uint32_t room;
    uint64_t next_order;
};

/* Sets the record's order and place. BOUNCE_NO_MEMORY. Logarithmic in the records held. */
enum bounce_status record_heap_put(struct record_heap *heap, const struct record *record,
                                   uint64_t place);

/* The earliest; there must be one. */
struct record record_heap_take(struct record_heap *heap);

#endif
