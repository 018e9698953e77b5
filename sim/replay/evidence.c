/* SPDX-License-Identifier: Apache-2.0 */
#include "infer.h"

#include <stdlib.h>

#define MAX_MIN_ALIGN_BITS 12u
#define SLOT_MASK          ((UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1)

struct bounce_evidence *bounce_evidence_create(void)
{
    struct bounce_evidence *evidence = calloc(1, sizeof(*evidence));

    if (evidence)
        evidence->low = UINT64_MAX;
    return evidence;
}

void bounce_evidence_destroy(struct bounce_evidence *evidence)
{
    if (!evidence)
        return;
    free(evidence->devices);
    free(evidence->cpus);
    free(evidence);
}

static bool reserve(struct bounce_evidence *evidence, uint16_t device, uint16_t cpu)
{
    if (device >= evidence->ndevices) {
        size_t wanted = device + 1u;
        struct device_evidence *more =
            realloc(evidence->devices, wanted * sizeof(*evidence->devices));

        if (!more)
            return false;
        for (size_t i = evidence->ndevices; i < wanted; i++)
            more[i] = (struct device_evidence){0, 0, 0};
        evidence->devices = more;
        evidence->ndevices = wanted;
    }
    if (cpu >= evidence->ncpus) {
        size_t wanted = cpu + 1u;
        struct cpu_evidence *more = realloc(evidence->cpus, wanted * sizeof(*evidence->cpus));

        if (!more)
            return false;
        for (size_t i = evidence->ncpus; i < wanted; i++)
            more[i].first = UINT64_MAX;
        evidence->cpus = more;
        evidence->ncpus = wanted;
    }
    return true;
}

/* Workers, losses and restarts happen on no CPU, or on one that the trace does not tell. */
static bool tells_cpu(const struct bounce_event *event)
{
    return event->kind != BOUNCE_EVENT_WORKER && event->kind != BOUNCE_EVENT_RESTART &&
           event->kind != BOUNCE_EVENT_LOST && event->kind != BOUNCE_EVENT_GROW &&
           !(event->flags & BOUNCE_EVENT_HELD);
}

uint32_t bounce_evidence_cpus(const struct bounce_evidence *evidence)
{
    return evidence->cpus_seen ? evidence->cpus_seen : 1;
}

bool bounce_evidence_add(struct bounce_evidence *evidence, const struct bounce_event *events,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bounce_event *event = &events[i];
        struct device_evidence *device;

        if (event->cpu >= evidence->cpus_seen && tells_cpu(event))
            evidence->cpus_seen = event->cpu + 1u;
        if (event->kind != BOUNCE_EVENT_MAP || event->recorded < BOUNCE_RECORDED_ADDRESS ||
            (event->flags & BOUNCE_EVENT_HELD))
            continue;
        if ((event->device >= evidence->ndevices || event->cpu >= evidence->ncpus) &&
            !reserve(evidence, event->device, event->cpu))
            return false;
        if (event->recorded != BOUNCE_RECORDED_ADDRESS)
            continue;
        device = &evidence->devices[event->device];
        device->maps++;
        device->differing |= event->tlb_addr ^ event->orig_addr;
        device->offsets |= event->tlb_addr & SLOT_MASK;
        evidence->maps++;
        if (event->tlb_addr < evidence->low)
            evidence->low = event->tlb_addr;
        if (event->tlb_addr + event->size > evidence->high)
            evidence->high = event->tlb_addr + event->size;
        if (evidence->cpus[event->cpu].first == UINT64_MAX)
            evidence->cpus[event->cpu].first = event->tlb_addr;
    }
    return true;
}

bool bounce_evidence_range(const struct bounce_evidence *evidence, uint64_t *low, uint64_t *high)
{
    if (!evidence->maps)
        return false;
    *low = evidence->low;
    *high = evidence->high;
    return true;
}

uint32_t bounce_evidence_min_align_mask(const struct bounce_evidence *evidence, uint16_t device)
{
    const struct device_evidence *d;
    unsigned agreeing;

    if (device >= evidence->ndevices || !evidence->devices[device].maps)
        return 0;
    d = &evidence->devices[device];
    agreeing = d->differing ? (unsigned)__builtin_ctzll(d->differing) : 64;
    if (agreeing >= MAX_MIN_ALIGN_BITS)
        return (1u << MAX_MIN_ALIGN_BITS) - 1;
    /* Below a page, agreement alone is chance (zeros on both sides): an offset must show. */
    if (!(d->offsets & ((UINT64_C(1) << agreeing) - 1)))
        return 0;
    return (1u << agreeing) - 1;
}
