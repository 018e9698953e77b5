/* SPDX-License-Identifier: Apache-2.0 */
/* What each cause means and what helps. The kernel rules behind the sentences: kernel/dma/swiotlb.c
 * and Documentation/core-api/swiotlb.rst of 6.12. */
#include "advice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More than 4 GiB cannot lie below 4 GiB, where the default pool has to be. */
#define LARGEST_POOL_BYTES (UINT64_C(1) << 32)

void advice_why(struct advising *a, const char *format, ...)
{
    char *to = a->advice->why + a->why_length;
    size_t room = sizeof a->advice->why - a->why_length;
    if (a->why_length && room > 2) {
        *to++ = ' ';
        room--;
        a->why_length++;
    }
    va_list list;
    va_start(list, format);
    int n = vsnprintf(to, room, format, list);
    va_end(list);
    if (n > 0)
        a->why_length += (size_t)n < room ? (size_t)n : room - 1;
}

void advice_help(struct advising *a, const char *format, ...)
{
    if (a->advice->helps_count == BOUNCE_ADVICE_ITEMS)
        return;
    char *to = a->advice->helps[a->advice->helps_count++];
    va_list list;
    va_start(list, format);
    vsnprintf(to, sizeof a->advice->helps[0], format, list);
    va_end(list);
}

void advice_no_help(struct advising *a, const char *format, ...)
{
    if (a->advice->no_help_count == BOUNCE_ADVICE_ITEMS)
        return;
    char *to = a->advice->no_help[a->advice->no_help_count++];
    va_list list;
    va_start(list, format);
    vsnprintf(to, sizeof a->advice->no_help[0], format, list);
    va_end(list);
}

void advice_may_be(struct advising *a, const char *name)
{
    if (a->advice->may_be_count < BOUNCE_ADVICE_ITEMS)
        a->advice->may_be[a->advice->may_be_count++] = name;
}

void advice_larger_pool(struct advising *a, const char *when)
{
    uint64_t slots = a->result->suggested_nslabs;
    uint64_t slot = a->options->slot_size;
    if (slots && slots <= LARGEST_POOL_BYTES / slot)
        advice_help(a,
                    "%s: boot with swiotlb=%" PRIu64 " (%" PRIu64 " MiB); the pool must fit below "
                    "4 GiB in one piece, check \"software IO TLB: mapped\" after the boot",
                    when, slots, slots * slot >> 20);
}

/* -2 read as an unsigned number of 32 or 64 bits. */
static bool looks_negative(const struct bounce_log_record *r, int64_t *value)
{
    if (r->has & BOUNCE_LOG_NEGATIVE) {
        *value = r->size <= INT64_MAX ? -(int64_t)r->size : INT64_MIN;
        return true;
    }
    if (r->size >= UINT64_C(1) << 63) {
        *value = -(int64_t)(UINT64_MAX - r->size) - 1;
        return true;
    }
    if (r->size <= UINT32_MAX && r->size > UINT32_MAX - 4096u) {
        *value = (int64_t)r->size - (INT64_C(1) << 32);
        return true;
    }
    return false;
}

static void why_oversize(struct advising *a)
{
    const struct bounce_explain_options *o = a->options;
    uint64_t stock = (uint64_t)o->slot_size * o->segment_slots;
    uint64_t size = a->record->size;
    int64_t negative;
    if (looks_negative(a->record, &negative)) {
        advice_why(a,
                   "The size is %" PRId64 " read as an unsigned number: a negative value (often an "
                   "error code) was passed as a length, which is a bug of the driver.",
                   negative);
    } else {
        advice_why(a,
                   "%" PRIu64 " bytes are %" PRIu64 " slots; one mapping is at most %" PRIu64
                   " bytes (%" PRIu64 " slots), because a buffer never crosses a slot set of %u "
                   "slots. This fails however much of the pool is free.",
                   size, a->result->needed, a->result->max_size, a->result->max_size / o->slot_size,
                   o->segment_slots);
        if (size <= stock)
            advice_why(a,
                       "(Without min_align_mask 0x%x it would be %" PRIu64 " bytes: between the "
                       "two it depends on the low address bits of the buffer.)",
                       o->min_align_mask, stock);
        else if (o->granule > 1 && size % o->granule == 0 && size - stock <= o->granule)
            advice_why(a,
                       "The printed size is rounded up to the granule of %u bytes: a buffer of "
                       "%" PRIu64 " bytes that does not start on a granule gives this too.",
                       o->granule, stock);
    }
    if (a->result->free_known && a->record->used > a->record->total / 10 * 9)
        advice_why(a, "(The pool is also nearly full: a second, separate problem.)");
}

static void advise_oversize(struct advising *a)
{
    int64_t negative;
    why_oversize(a);
    if (looks_negative(a->record, &negative)) {
        advice_help(a, "fix the driver: check the length before it is mapped");
        advice_no_help(a, "any swiotlb= value, SWIOTLB_DYNAMIC or number of areas");
        return;
    }
    advice_help(a,
                "in the driver: keep each segment within dma_max_mapping_size() (lower the maximum "
                "segment or transfer size, dma_set_max_seg_size())");
    advice_help(a, "in the driver: long-lived or large buffers from dma_alloc_coherent() or "
                   "dma_alloc_noncoherent(), which do not bounce from this pool");
    advice_help(a, "no bouncing at all: a wider DMA mask if the device can, or an IOMMU");
    advice_help(a,
                "for a disk, until the driver is fixed: echo %" PRIu64
                " > /sys/block/DISK/queue/max_sectors_kb",
                a->result->max_size >> 10);
    advice_no_help(a, "any swiotlb= value: the limit is the slot set, not the pool");
    advice_no_help(a, "SWIOTLB_DYNAMIC (the same limit holds), or another number of areas");
}

static void advise_exhausted(struct advising *a)
{
    const struct bounce_log_record *r = a->record;
    if (r->has & BOUNCE_LOG_HAS_USED)
        advice_why(
            a, "Slots needed: %" PRIu64 "; free: %" PRIu64 " of %" PRIu64 " (%" PRIu64 " used).",
            a->result->needed, a->result->free, r->total, r->used);
    else
        advice_why(a, "Slots needed: %" PRIu64 "; the whole pool has %" PRIu64 ".",
                   a->result->needed, r->total);
    if (r->has & BOUNCE_LOG_HAS_USED && r->used > r->total)
        advice_why(a, "(More used than total: the kernel counts transient pools as used, a sign of "
                      "SWIOTLB_DYNAMIC.)");
    advice_why(a,
               "Either the load needs a larger pool, or a driver leaks (maps and never unmaps).");
    advice_help(a, "tell load from leak: read io_tlb_used in /sys/kernel/debug/swiotlb while the "
                   "devices are idle; in a leak it never falls");
    advice_larger_pool(a, "load");
    advice_help(a, "load: a kernel with CONFIG_SWIOTLB_DYNAMIC (6.6 and later), which adds pools");
    advice_help(a, "load: less in flight: smaller receive rings, lower queue depth");
    advice_help(a, "leak: fix the driver (CONFIG_DMA_API_DEBUG names mappings never undone)");
    advice_no_help(a, "a larger pool against a leak: it only takes longer to fill");
    advice_no_help(a, "another number of areas: the pool as a whole is full");
    advice_may_be(a, "load");
    advice_may_be(a, "leak");
}

static void advise_no_pool(struct advising *a)
{
    const struct bounce_log_boot *boot = &a->options->boot;
    if (a->record->kind == BOUNCE_LOG_NO_POOL)
        advice_why(a, "The kernel says that the pool could not be had when it was set up.");
    else
        advice_why(a, "The pool of this device has 0 slots, so no request of any size can be met; "
                      "the device cannot reach its buffer and nothing can be bounced.");
    if (boot->noforce)
        advice_why(a, "The command line in this log has swiotlb=noforce, which allocates no pool.");
    if (boot->no_memory)
        advice_why(a, "The boot messages in this log say that the pool got no memory or was given "
                      "back.");
    if (boot->iommu_off)
        advice_why(a, "The command line in this log turns the IOMMU off.");
    if (boot->nslabs && !boot->no_memory)
        advice_why(a,
                   "The boot messages show a pool of %" PRIu64
                   " slots: it was given back later, or this device uses another one.",
                   boot->nslabs);
    advice_help(a, "look for \"software IO TLB\" in the boot log: was a pool allocated?");
    advice_help(a, "take swiotlb=noforce, swiotlb=0 or iommu=off off the command line");
    advice_help(a, "leave room below 4 GiB for it (crashkernel=, large reservations), or ask for "
                   "less with swiotlb=<slots>");
    advice_help(a,
                "let the device reach all memory: an IOMMU, or the right DMA mask in its driver");
    advice_no_help(a, "a larger swiotlb= value, unless the option itself was what failed");
}

static void advise_cannot_tell(struct advising *a)
{
    const struct bounce_explain_options *o = a->options;
    if (!(a->record->has & BOUNCE_LOG_HAS_SIZE)) {
        advice_why(a, "The line gives no size.");
    } else {
        advice_why(a,
                   "%" PRIu64 " bytes (%" PRIu64
                   " slots) fit into one slot set, so the size is not "
                   "the reason.",
                   a->record->size, a->result->needed);
        if (a->record->cut)
            advice_why(a, "The rest of the line is missing.");
        else
            advice_why(a, "How full the pool was is not printed by this kernel.");
    }
    if (o->boot.nslabs)
        advice_why(a, "The boot messages show a pool of %" PRIu64 " slots.", o->boot.nslabs);
    advice_help(a, "read io_tlb_used and io_tlb_nslabs in /sys/kernel/debug/swiotlb (or the "
                   "kernel's debugfs) while it happens");
    advice_help(a, "a newer kernel: its message says total and used");
    advice_help(a, "maybe a larger pool (swiotlb=<slots>), if it was full; if io_tlb_used never "
                   "falls it is a leak and will not help");
    advice_no_help(a, "smaller requests: the size is within the limit");
    advice_may_be(a, "exhausted");
    advice_may_be(a, "fragmented");
    advice_may_be(a, "alignment");
    advice_may_be(a, "leak");
    advice_may_be(a, "no_pool");
}

void bounce_explain_advise(const struct bounce_explain_options *options,
                           const struct bounce_log_record *record,
                           const struct bounce_explain_result *result, struct bounce_advice *advice)
{
    memset(advice, 0, sizeof *advice);
    struct advising a = {options, record, result, advice, 0};
    switch (result->cause) {
    case BOUNCE_EXPLAIN_NO_POOL:
        advise_no_pool(&a);
        break;
    case BOUNCE_EXPLAIN_OVERSIZE:
        advise_oversize(&a);
        break;
    case BOUNCE_EXPLAIN_EXHAUSTED:
        advise_exhausted(&a);
        break;
    case BOUNCE_EXPLAIN_NO_RUN:
        advise_no_run(&a);
        break;
    case BOUNCE_EXPLAIN_CANNOT_TELL:
    case BOUNCE_EXPLAIN_CAUSES:
        advise_cannot_tell(&a);
        break;
    }
}
