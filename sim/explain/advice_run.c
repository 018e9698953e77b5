/* SPDX-License-Identifier: Apache-2.0 */
/* Room by count, no usable run: what the numbers prove, what they leave open. */
#include "advice.h"

#include <inttypes.h>
#include <string.h>

static bool starts_with(struct bounce_log_span span, const char *word)
{
    size_t n = strlen(word);
    return span.length >= n && memcmp(span.text, word, n) == 0;
}

/* The drivers that set min_align_mask 0xfff in 6.12. */
static bool driver_aligns(struct bounce_log_span device)
{
    return starts_with(device, "nvme") || starts_with(device, "hv_storvsc") ||
           starts_with(device, "hv_netvsc");
}

static void why_areas(struct advising *a)
{
    const struct bounce_explain_result *r = a->result;
    const struct bounce_log_boot *boot = &a->options->boot;
    if (r->areas > 1)
        advice_why(a,
                   "Areas: %u of %" PRIu64 " slots; the freest has at least %" PRIu64
                   " and at most %" PRIu64 " free slots, so %s.",
                   r->areas, r->area_slots, r->best_area_least, r->best_area_most,
                   r->area_limited == BOUNCE_SUSPECT_RULED_OUT
                       ? "at least one area had enough by count"
                       : "each one may have had too few");
    else if (r->areas == 1)
        advice_why(a, "Areas: one, so areas are not the reason.");
    else if (boot->nslabs && boot->nslabs != a->record->total)
        advice_why(a,
                   "Areas: the boot messages speak of %" PRIu64 " slots, so this pool has grown or "
                   "is another one, and its areas are not known.",
                   boot->nslabs);
    else if (r->area_limited == BOUNCE_SUSPECT_RULED_OUT)
        advice_why(a, "Areas: however many there are, at least one had enough free slots.");
    else
        advice_why(a, "Areas: not known; since 6.0 each may have had too few (--areas N tells).");
}

static void why_fragments(struct advising *a)
{
    const struct bounce_explain_result *r = a->result;
    uint64_t segment = a->options->segment_slots;
    if (r->fragmented == BOUNCE_SUSPECT_RULED_OUT) {
        advice_why(a,
                   "Fragmentation: ruled out; it takes at least %" PRIu64
                   " used slots to leave no free run of %" PRIu64 ", and %" PRIu64 " were used.",
                   r->spoilers, r->needed, a->record->used);
    } else if (r->needed == segment) {
        advice_why(a,
                   "Fragmentation: the request needs a wholly free slot set of %" PRIu64
                   " slots; the free slots could make at most %" PRIu64 " of the %" PRIu64
                   ", and one used slot spoils a set.",
                   segment, r->free / segment, r->segments);
    } else {
        advice_why(a,
                   "Fragmentation: possible; %" PRIu64
                   " used slots can be enough to leave no free run of %" PRIu64 ".",
                   r->spoilers, r->needed);
    }
}

static void why_alignment(struct advising *a)
{
    const struct bounce_explain_result *r = a->result;
    const struct bounce_explain_options *o = a->options;
    uint64_t bytes = (uint64_t)r->align_slots * o->slot_size;
    if (r->alignment == BOUNCE_SUSPECT_CERTAIN)
        advice_why(a,
                   "Alignment: certain; with starts only every %" PRIu64 " bytes and the pool at "
                   "0x%" PRIx64 " no slot set holds such a run, at any load.",
                   bytes, o->boot.start);
    else if (r->alignment == BOUNCE_SUSPECT_RULED_OUT)
        advice_why(a,
                   "Alignment: ruled out for the masks given (6.9 and later; earlier searches skip "
                   "some starts).");
    else if (o->masks_known && r->align_slots > 1)
        advice_why(a, "Alignment: possible; a run may start only every %" PRIu64 " bytes.", bytes);
    else if (r->area_limited == BOUNCE_SUSPECT_RULED_OUT &&
             r->fragmented == BOUNCE_SUSPECT_RULED_OUT)
        advice_why(a, "Alignment: the rule left over: a mask of the device (min_align_mask), an "
                      "IOMMU granule larger than the page, or its segment boundary. Give "
                      "--min-align-mask and --granule to check.");
    else
        advice_why(a, "Alignment: possible, the masks of the device are not known "
                      "(--min-align-mask, --granule).");
    if (!o->masks_known && driver_aligns(a->record->device))
        advice_why(a, "This driver sets min_align_mask 0xfff.");
}

static void sort_suspects(struct advising *a)
{
    const struct bounce_explain_result *r = a->result;
    struct bounce_advice *advice = a->advice;
    const struct {
        enum bounce_suspect state;
        const char *name;
    } suspects[] = {
        {r->fragmented, "fragmented"},
        {r->area_limited, "area_limited"},
        {r->alignment, "alignment"},
    };
    for (unsigned i = 0; i < 3; i++)
        if (suspects[i].state == BOUNCE_SUSPECT_RULED_OUT)
            advice->ruled_out[advice->ruled_out_count++] = suspects[i].name;
        else if (r->alignment != BOUNCE_SUSPECT_CERTAIN || i == 2)
            advice_may_be(a, suspects[i].name);
    if (advice->may_be_count)
        return;
    advice_may_be(a, "segment_boundary");
    advice_may_be(a, "count_moved");
    advice_why(
        a, "What is left: the device's segment boundary, a count that moved between the "
           "search and the message, or a fault of the kernel's search (there was one around 6.3).");
}

void advise_no_run(struct advising *a)
{
    const struct bounce_explain_result *r = a->result;
    if (r->needed == 0) {
        advice_why(a,
                   "The size is 0: a driver mapped an empty buffer, which is a bug of the driver.");
        advice_help(a, "fix the driver: do not map a buffer of 0 bytes");
        advice_no_help(a, "any swiotlb= value");
        return;
    }
    advice_why(a,
               "%" PRIu64 " slots are free and the request needs %" PRIu64
               ", side by side in one slot set and one area; the kernel found no such place.",
               r->free, r->needed);
    why_areas(a);
    why_fragments(a);
    why_alignment(a);
    sort_suspects(a);

    bool crowded =
        r->fragmented != BOUNCE_SUSPECT_RULED_OUT && r->alignment != BOUNCE_SUSPECT_CERTAIN;
    if (crowded) {
        advice_larger_pool(a, "more room");
        advice_help(a, "a kernel with CONFIG_SWIOTLB_DYNAMIC (6.6 and later): a request that finds "
                       "no place gets a pool of its own");
        advice_help(a, "smaller requests (for a disk: a lower queue/max_sectors_kb): short runs "
                       "are easier to find");
        if (r->area_limited != BOUNCE_SUSPECT_RULED_OUT)
            advice_help(a, "maybe fewer areas (swiotlb=<slots>,<areas>): large areas pack "
                           "differently, at the price of lock waiting; try it in `bouncesim run`");
        if (r->free < a->record->total / 20)
            advice_help(a, "if io_tlb_used never falls it is a leak: fix the driver instead");
    } else {
        advice_help(a, "find the rule: min_align_mask of the driver, IOMMU granule (kernel page "
                       "size of 16 or 64 KiB), segment boundary");
        if (r->alignment == BOUNCE_SUSPECT_CERTAIN)
            advice_help(a, "smaller requests: at most a slot set less one granule");
        advice_help(a, "a newer kernel: alignment faults in the search were mended up to 6.9");
        advice_no_help(a, "a larger pool: there was room enough");
    }
    if (r->area_limited == BOUNCE_SUSPECT_RULED_OUT)
        advice_no_help(a, "fewer areas: at least one had enough free slots");
    if (crowded)
        advice_no_help(a, "counting free slots: the run matters, not the sum");
}
