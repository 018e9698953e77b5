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

/* What an event says, whatever its name. */
enum kernel_kind {
    KERNEL_BOUNCED,
    KERNEL_MAP,
    KERNEL_UNMAP,
    KERNEL_MAP_SG,
    KERNEL_UNMAP_SG,
    KERNEL_SYNC_FOR_CPU,
    KERNEL_SYNC_FOR_DEVICE,
    KERNEL_SYNC_SG_FOR_CPU,
    KERNEL_SYNC_SG_FOR_DEVICE,
    KERNEL_COHERENT_MEMORY,
};

/* `dma` takes the events; the arrays are scratch. */
struct kernel_text {
    struct dma_events *dma;
    bool big_endian; /* bytes of arrays, where only those are printed */
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
    enum kernel_kind kind;
    kernel_text_handler handle;
    bool tells; /* where mappings begin and end: enough of a trace for the mapping view */
};

/* What the arguments come to, however they were written. Lists stand in the scratch arrays. */
enum kernel_result kernel_text_bounced(struct bounce_trace *trace, struct kernel_text *text,
                                       struct kernel_event *event, uint64_t mask, uint64_t orig,
                                       uint64_t size, bool forced);
enum kernel_result kernel_text_map_sg(struct bounce_trace *trace, struct kernel_text *text,
                                      struct kernel_event *event, const struct sg_entries *list);
enum kernel_result kernel_text_sync_sg(struct bounce_trace *trace, struct kernel_text *text,
                                       struct kernel_event *event, uint32_t count, bool for_cpu);

/* NULL: no event of that name says anything about mappings. */
const struct kernel_text_event *kernel_text_find(const char *name, size_t length);

#endif
