/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule of the kernel's search made a mapping fail, as far as the printed numbers settle it.
 */
#include "bounce/explain.h"

#include <string.h>

/* The kernel's rule for large buffers is about its page; 4 KiB is assumed, 16 and 64 KiB kernels
 * are told with the granule. */
#define PAGE_BYTES 4096u

static bool power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static uint64_t ceil_div(uint64_t n, uint64_t d)
{
    return n / d + (n % d != 0);
}

static uint64_t round_up_power(uint64_t n)
{
    uint64_t p = 1;
    while (p < n && p < UINT64_C(1) << 63)
        p <<= 1;
    return p;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void bounce_explain_options_init(struct bounce_explain_options *options)
{
    memset(options, 0, sizeof *options);
    options->slot_size = 2048;
    options->segment_slots = 128;
}

const char *bounce_explain_cause_name(enum bounce_explain_cause cause)
{
    static const char *const names[BOUNCE_EXPLAIN_CAUSES] = {
        "no_pool", "oversize", "exhausted", "space_but_no_run", "cannot_tell",
    };
    return (unsigned)cause < BOUNCE_EXPLAIN_CAUSES ? names[cause] : "unknown";
}

const char *bounce_explain_cause_words(enum bounce_explain_cause cause)
{
    static const char *const words[BOUNCE_EXPLAIN_CAUSES] = {
        "there is no bounce buffer pool at all",
        "the request is larger than any bounce buffer can be; a bigger pool cannot help",
        "the pool is used up: fewer free slots than the request needs",
        "the pool has room, but no usable run of free slots long enough",
        "this kernel prints no totals, so the line alone cannot say why",
    };
    return (unsigned)cause < BOUNCE_EXPLAIN_CAUSES ? words[cause] : "unknown";
}

const char *bounce_explain_options_fault(const struct bounce_explain_options *o)
{
    if (!power_of_two(o->slot_size) || o->slot_size < 256 || o->slot_size > 1u << 20)
        return "the slot size must be a power of two from 256 to 1048576 bytes";
    if (!power_of_two(o->segment_slots) || o->segment_slots > 65536)
        return "the slots of a slot set must be a power of two up to 65536";
    if ((o->min_align_mask & (o->min_align_mask + 1)) != 0 ||
        o->min_align_mask >= (uint64_t)o->slot_size * o->segment_slots)
        return "min_align_mask must be 2^n - 1 and less than a slot set, such as fff";
    if (o->granule != 0 && !power_of_two(o->granule))
        return "the granule must be a power of two, such as 65536";
    if (o->areas_given && (o->areas == 0 || o->areas > BOUNCE_EXPLAIN_AREAS_MAX))
        return "the number of areas must be from 1 to 65536";
    return NULL;
}

/* How many runs of `needed` slots that start at phase, phase + align, ... fit side by side into one
 * slot set. Each must lose a slot before none is left, and one slot spoils only one of them. */
static uint64_t runs_in_segment(uint64_t segment, uint64_t needed, uint64_t align, uint64_t phase)
{
    if (needed == 0 || phase + needed > segment)
        return 0;
    uint64_t step = ceil_div(needed, align) * align;
    return (segment - needed - phase) / step + 1;
}

struct alignment {
    uint64_t align; /* slots between two aligned starts */
    uint64_t phase; /* the worst place of the first one in a slot set */
    bool exact;     /* `phase` is what it is, not the worst case */
};

/* The start rule of 6.9 and later: alloc_align_mask, or the page for >= a page when no mask is set,
 * and the bits of min_align_mask above that follow the original address. */
static struct alignment start_rule(const struct bounce_explain_options *o, uint64_t size)
{
    uint64_t granule = o->granule > 1 ? o->granule : 0;
    if (!granule && !o->min_align_mask && size >= PAGE_BYTES)
        granule = PAGE_BYTES;
    uint64_t alloc = granule > o->slot_size ? granule / o->slot_size : 1;
    uint64_t mask = ((uint64_t)o->min_align_mask + 1) / o->slot_size;
    struct alignment rule = {alloc, 0, true};
    if (mask > alloc) {
        /* which start fits depends on the original address: any multiple of `alloc` */
        rule.align = mask;
        rule.phase = mask - alloc;
        rule.exact = false;
    } else if (alloc > 1 && granule > PAGE_BYTES) {
        /* the pool is page-aligned, no more, unless the boot messages tell where it starts */
        uint64_t page = PAGE_BYTES > o->slot_size ? PAGE_BYTES / o->slot_size : 1;
        if (o->boot.nslabs) {
            uint64_t start = o->boot.start / o->slot_size % alloc;
            rule.phase = start ? alloc - start : 0;
        } else {
            rule.phase = alloc > page ? alloc - page : 0;
            rule.exact = false;
        }
    }
    return rule;
}

/* Are the areas known those of the pool the line talks about? */
static uint32_t usable_areas(const struct bounce_explain_options *o, uint64_t total,
                             uint64_t segments)
{
    if (!o->areas)
        return 0;
    if (!o->areas_given && o->boot.nslabs && o->boot.nslabs != total)
        return 0; /* grown, or another pool */
    uint64_t most = segments ? segments : 1;
    return o->areas < most ? o->areas : (uint32_t)smaller(most, UINT32_MAX);
}

static void judge_areas(const struct bounce_explain_options *o, uint64_t total,
                        struct bounce_explain_result *r)
{
    uint64_t least = r->needed ? r->needed - 1 : 0; /* an area with so few free is of no use */
    r->areas = usable_areas(o, total, r->segments);
    uint64_t areas = r->areas ? r->areas : r->segments; /* a kernel makes no more than that */
    if (r->areas) {
        r->area_slots = total / r->areas;
        r->best_area_least = ceil_div(r->free, r->areas);
        r->best_area_most = smaller(r->free, r->area_slots);
    }
    bool settled = r->areas == 1 || r->free > areas * least;
    r->area_limited = settled ? BOUNCE_SUSPECT_RULED_OUT : BOUNCE_SUSPECT_POSSIBLE;
}

static void judge_runs(const struct bounce_explain_options *o, uint64_t size, uint64_t used,
                       struct bounce_explain_result *r)
{
    uint64_t segment = o->segment_slots;
    r->spoilers = r->segments * runs_in_segment(segment, r->needed, 1, 0);
    r->fragmented = used < r->spoilers ? BOUNCE_SUSPECT_RULED_OUT : BOUNCE_SUSPECT_POSSIBLE;

    struct alignment rule = start_rule(o, size);
    r->align_slots = (uint32_t)rule.align;
    r->alignment = BOUNCE_SUSPECT_POSSIBLE;
    if (rule.align > segment) /* not every slot set has an aligned start: nothing is proved */
        return;
    uint64_t runs = runs_in_segment(segment, r->needed, rule.align, rule.phase);
    r->align_spoilers = r->segments * runs;
    if (rule.exact && !runs)
        r->alignment = BOUNCE_SUSPECT_CERTAIN;
    else if (o->masks_known && used < r->align_spoilers)
        r->alignment = BOUNCE_SUSPECT_RULED_OUT;
}

static void classify(const struct bounce_explain_options *o, const struct bounce_log_record *record,
                     struct bounce_explain_result *r)
{
    bool totals = (record->has & BOUNCE_LOG_HAS_TOTAL) != 0;
    bool used = totals && (record->has & BOUNCE_LOG_HAS_USED) != 0;
    bool sized = (record->has & BOUNCE_LOG_HAS_SIZE) != 0;
    bool negative = (record->has & BOUNCE_LOG_NEGATIVE) != 0;
    r->free_known = used;
    if (used)
        r->free = record->used < record->total ? record->total - record->used : 0;

    if (record->kind == BOUNCE_LOG_NO_POOL || (totals && record->total == 0)) {
        r->cause = BOUNCE_EXPLAIN_NO_POOL;
        return;
    }
    /* A negative number is a huge one: the size is unsigned in the kernel. */
    if (sized && (negative ? record->size != 0 : record->size > r->max_size)) {
        r->cause = BOUNCE_EXPLAIN_OVERSIZE;
        return;
    }
    if (!sized || !totals) {
        r->cause = BOUNCE_EXPLAIN_CANNOT_TELL;
        return;
    }
    if (r->needed > record->total || (used && r->free < r->needed)) {
        r->cause = BOUNCE_EXPLAIN_EXHAUSTED;
        uint64_t taken = used && record->used > record->total ? record->used : record->total;
        r->suggested_nslabs = round_up_power(smaller(taken, UINT64_MAX >> 1) + 1);
        return;
    }
    if (!used) {
        r->cause = BOUNCE_EXPLAIN_CANNOT_TELL;
        return;
    }
    r->cause = BOUNCE_EXPLAIN_NO_RUN;
    r->suggested_nslabs = round_up_power(smaller(record->total, UINT64_MAX >> 1) + 1);
    r->segments = record->total / o->segment_slots;
    judge_areas(o, record->total, r);
    judge_runs(o, record->size, record->used, r);
}

enum bounce_status bounce_explain(const struct bounce_explain_options *options,
                                  const struct bounce_log_record *record,
                                  struct bounce_explain_result *result)
{
    if (bounce_explain_options_fault(options) || record->kind == BOUNCE_LOG_SUPPRESSED)
        return BOUNCE_INVALID;
    memset(result, 0, sizeof *result);
    uint64_t slot = options->slot_size;
    uint64_t lost = options->min_align_mask ? ceil_div(options->min_align_mask, slot) * slot : 0;
    result->max_size = slot * options->segment_slots - lost;
    result->needed_known =
        (record->has & BOUNCE_LOG_HAS_SIZE) != 0 && !(record->has & BOUNCE_LOG_NEGATIVE);
    if (result->needed_known)
        result->needed = ceil_div(record->size, slot);
    classify(options, record, result);
    return BOUNCE_OK;
}
