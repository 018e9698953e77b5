/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's own trace events (dma:*, swiotlb:*) to mapping events.
 *
 * A map is a swiotlb_bounced event and, later on the same CPU, the dma_map_* event that tells its
 * address. Its place in the order is that of swiotlb_bounced: there the allocator ran. It waits in
 * the queue until the second event has come; what is never answered was a scatter list that failed.
 * Source: include/trace/events/{dma,swiotlb}.h and kernel/dma/direct.c of 6.12.117. */
#ifndef TRACE_DMA_EVENTS_H
#define TRACE_DMA_EVENTS_H

#include "reader.h"

#define SG_ENTRIES_MAX 8192u /* far beyond what the kernel prints of one list */

#define KERNEL_LEVELS 4u /* process, softirq, hardirq, NMI: each may interrupt those before it */

/* What all of them share. */
struct kernel_event {
    uint64_t time_ns;
    uint16_t cpu;
    uint16_t device;
    uint8_t dir;
    uint8_t attrs;
    uint8_t level; /* below KERNEL_LEVELS; 0 where the record does not tell */
    bool flat;     /* it does not */
};

struct dma_events; /* live mappings, pending maps by CPU */

struct dma_events *dma_events_create(void);
void dma_events_destroy(struct dma_events *state);

/* Each appends to the trace's queue; false when memory has run out. */
bool dma_events_bounced(struct bounce_trace *trace, struct dma_events *state,
                        const struct kernel_event *event, uint64_t orig_addr, uint64_t size);
bool dma_events_map(struct bounce_trace *trace, struct dma_events *state,
                    const struct kernel_event *event, uint64_t dma_addr, uint64_t orig_addr,
                    uint64_t size);
bool dma_events_unmap(struct bounce_trace *trace, struct dma_events *state,
                      const struct kernel_event *event, uint64_t dma_addr, uint64_t size);
bool dma_events_sync(struct bounce_trace *trace, struct dma_events *state,
                     const struct kernel_event *event, uint64_t dma_addr, uint64_t size,
                     bool for_cpu);

/* Entries beyond `count` were not printed when `truncated`. */
struct sg_entries {
    const uint64_t *orig_addrs;
    const uint64_t *dma_addrs;
    const uint64_t *sizes;
    uint32_t count;
    bool truncated;
};
bool dma_events_map_sg(struct bounce_trace *trace, struct dma_events *state,
                       const struct kernel_event *event, const struct sg_entries *list);
bool dma_events_unmap_sg(struct bounce_trace *trace, struct dma_events *state,
                         const struct kernel_event *event, const uint64_t *orig_addrs,
                         uint32_t count);

/* Another boot begins: whatever is mapped is gone. */
void dma_events_restart(struct bounce_trace *trace, struct dma_events *state, uint64_t time_ns);

/* Records of that CPU are missing: what it had begun is not known any more. */
void dma_events_lost(struct bounce_trace *trace, struct dma_events *state, uint16_t cpu,
                     uint64_t count, uint64_t time_ns);

/* The oldest event of the queue is taken as a failed list now; all of them at the end. */
void dma_events_settle(struct bounce_trace *trace, struct dma_events *state);
void dma_events_finish(struct bounce_trace *trace, struct dma_events *state);

#endif
