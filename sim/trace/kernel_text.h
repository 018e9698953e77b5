/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of mapping events, as the kernel's print formats and all that reuse them print them. */
#ifndef TRACE_KERNEL_TEXT_H
#define TRACE_KERNEL_TEXT_H

#include "dma_events.h"
#include "scan.h"

enum kernel_result {
    KERNEL_TAKEN,
    KERNEL_COHERENT, /* not from the pool: to be counted */
    KERNEL_BAD,
    KERNEL_NO_ROOM, /* out of memory */
};

/* `dma` takes the events; the rest is scratch. */
struct kernel_text {
    struct dma_events *dma;
    uint64_t orig_addrs[SG_ENTRIES_MAX];
    uint64_t dma_addrs[SG_ENTRIES_MAX];
    uint64_t sizes[SG_ENTRIES_MAX];
};

/* `event` holds time and CPU; the rest of it is filled from the arguments at the cursor. */
typedef enum kernel_result (*kernel_text_handler)(struct bounce_trace *trace,
                                                  struct kernel_text *text, struct cursor *c,
                                                  struct kernel_event *event);

struct kernel_text_event {
    const char *name;
    size_t length;
    kernel_text_handler handle;
    bool tells; /* where mappings begin and end: enough of a trace for the mapping view */
};

/* NULL: no event of that name says anything about mappings. */
const struct kernel_text_event *kernel_text_find(const char *name, size_t length);

#endif
