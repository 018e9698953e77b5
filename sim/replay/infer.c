/* SPDX-License-Identifier: Apache-2.0 */
/* Which pool the recording came from: tries those that the addresses allow. */
#include "infer.h"

#include <stdlib.h>

#define GUESS_MOST   (UINT64_C(1) << 19) /* slots: 1 GiB, what a kernel makes by itself */
#define PAGE_MASK_4K UINT64_C(0xfff)

/* Where the pool begins if the first map of some CPU took the first slots of an empty area; 0 when
 * that contradicts the range of addresses (of a pool that grew, they lie anywhere). */
static uint64_t start_by_cpu(const struct bounce_evidence *evidence, size_t cpu, uint64_t nslabs,
                             uint32_t nareas, bool grew)
{
    uint64_t area_bytes = (nslabs / nareas) << BOUNCE_SLOT_SHIFT;
    uint64_t into = (cpu & (nareas - 1)) * area_bytes;
    uint64_t first = evidence->cpus[cpu].first;
    uint64_t start;

    if (first == UINT64_MAX || first < into)
        return 0;
    start = (first & ~PAGE_MASK_4K) - into;
    if (grew)
        return start;
    if (start > evidence->low || evidence->high > start + (nslabs << BOUNCE_SLOT_SHIFT))
        return 0;
    return start;
}

struct bounce_order_config infer_order(const struct bounce_inference *guess)
{
    return (struct bounce_order_config){
        .pool = {.kernel = bounce_kernel_find(guess->grew ? "linux-6.12-dynamic" : "linux-6.12"),
                 .nslabs = guess->nslabs,
                 .nareas = guess->nareas,
                 .cpus = guess->cpus,
                 .start = guess->start},
        .quick = !guess->thorough,
        .in_use = guess->in_use,
    };
}

/* What every trial has before it, and what it leaves. */
struct trials {
    const struct bounce_evidence *evidence;
    const struct bounce_infer_given *given;
    const struct bounce_device *devices;
    const struct bounce_event *events; /* the first ones of the recording */
    size_t count;
    struct bounce_inference *best; /* of the guesses so far */
};

/* How much an order explains that follows the recording, whichever events come too early or too
 * late in it. Given up once more than `most` outcomes are not explained. */
static enum bounce_status explained(const struct trials *t, struct bounce_inference *guess,
                                    uint64_t most)
{
    struct bounce_order_config config = infer_order(guess);
    struct bounce_event *out = malloc(INFER_BATCH * sizeof(*out));
    struct bounce_order *order = NULL;
    struct bounce_order_stats stats = {0};
    enum bounce_status status = out ? bounce_order_create(&config, &order, NULL) : BOUNCE_NO_MEMORY;
    size_t pushed = 0;

    while (!status && stats.unexplained <= most) {
        pushed += bounce_order_push(order, t->devices, t->events + pushed, t->count - pushed);
        if (!bounce_order_pop(order, out, INFER_BATCH, pushed == t->count) && pushed == t->count)
            break;
        bounce_order_get_stats(order, &stats);
    }
    if (!status) {
        bounce_order_get_stats(order, &stats);
        guess->tried = stats.maps;
        /* A transient pool explains nearly any address, and so do slots of which nobody knows:
         * such outcomes count for nothing. */
        guess->explained =
            stats.unexplained > most ? 0 : stats.explained - stats.transients - stats.by_hidden;
        guess->transients = stats.transients;
        guess->passed = stats.by_hidden;
    }
    bounce_order_destroy(order);
    free(out);
    return status;
}

static uint64_t unexplained(const struct bounce_inference *guess)
{
    return guess->tried - guess->explained - guess->transients - guess->passed;
}

/* With so much freedom a guess explains much that is not so. Beside one without it that explains
 * more than half, it must leave no more than half as many outcomes unexplained. */
static bool is_unlikely(const struct bounce_inference *guess)
{
    return guess->grew || guess->in_use || guess->other_areas;
}

/* Tries the guess; it is the best when it explains more than what was. */
static enum bounce_status try_guess(const struct trials *t, struct bounce_inference guess)
{
    struct bounce_inference *best = t->best;
    uint64_t most = best->explained ? unexplained(best) : t->count / 2;
    enum bounce_status status = explained(t, &guess, most);

    if (status)
        return status == BOUNCE_INVALID ? BOUNCE_OK : status;
    if (is_unlikely(&guess) && !is_unlikely(best) && best->explained * 2 >= best->tried &&
        unexplained(&guess) * 2 > most)
        return BOUNCE_OK;
    if (guess.explained == best->explained && guess.explained)
        best->size_is_lower_bound |= guess.nslabs > best->nslabs;
    if (guess.explained > best->explained || !best->start) {
        bool inferred = best->size_inferred;

        *best = guess;
        best->size_inferred = inferred;
        best->start_inferred = !t->given->start;
    }
    return BOUNCE_OK;
}

/* A pool of this size that was in use: it begins at the lowest address of the range, or ends at
 * the highest.
 */
static enum bounce_status try_size_in_use(const struct trials *t, struct bounce_inference guess,
                                          uint64_t low, uint64_t high)
{
    uint64_t given = t->given->start;
    uint64_t bytes = guess.nslabs << BOUNCE_SLOT_SHIFT;
    uint64_t end = (high + PAGE_MASK_4K) & ~PAGE_MASK_4K;
    uint64_t starts[2] = {low & ~PAGE_MASK_4K, end > bytes ? end - bytes : 0};
    enum bounce_status status = BOUNCE_OK;

    guess.in_use = true;
    for (size_t i = 0; i < 2 && !status; i++) {
        guess.start = given ? given : starts[i];
        if (!guess.start || guess.start > low || guess.start + bytes < high ||
            (i && (given || starts[1] == starts[0])))
            continue;
        status = try_guess(t, guess);
    }
    return status;
}

#define STARTS_MAX 4u

/* Tries the starts that CPUs' first maps suggest for a pool of this size. */
static enum bounce_status try_size(const struct trials *t, struct bounce_inference guess)
{
    const struct bounce_evidence *evidence = t->evidence;
    uint64_t tried[STARTS_MAX];
    size_t ntried = 0;

    for (size_t cpu = 0; cpu < evidence->ncpus && ntried < STARTS_MAX; cpu++) {
        enum bounce_status status;
        bool seen = false;

        guess.start = t->given->start
                          ? t->given->start
                          : start_by_cpu(evidence, cpu, guess.nslabs, guess.nareas, guess.grew);
        for (size_t i = 0; i < ntried; i++)
            seen |= tried[i] == guess.start;
        if (!guess.start || seen)
            continue;
        tried[ntried++] = guess.start;
        status = try_guess(t, guess);
        if (status)
            return status;
    }
    return BOUNCE_OK;
}

/* What boots with `nareas` areas; 0: with as many as are given, or as the kernel makes. */
static struct bounce_boot boot_with(const struct trials *t, uint32_t nareas)
{
    struct bounce_boot boot = t->given->boot;

    if (nareas)
        boot.nareas = nareas;
    return boot;
}

/* The size given, or every power of two that the kernel would leave as it is. */
static enum bounce_status try_sizes(const struct trials *t, uint32_t nareas,
                                    struct bounce_inference guess)
{
    struct bounce_boot boot = boot_with(t, nareas);
    enum bounce_status status = BOUNCE_OK;

    if (boot.nslabs) {
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        status = try_size(t, guess);
        t->best->size_is_lower_bound = false;
        return status;
    }
    for (uint64_t slots = BOUNCE_SEGMENT_SLOTS; slots <= GUESS_MOST && !status; slots *= 2) {
        boot.nslabs = slots;
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        if (guess.nslabs == slots)
            status = try_size(t, guess);
    }
    return status;
}

static enum bounce_status try_sizes_in_use(const struct trials *t, uint32_t nareas,
                                           struct bounce_inference guess, uint64_t low,
                                           uint64_t high)
{
    struct bounce_boot boot = boot_with(t, nareas);
    bool given = boot.nslabs != 0;
    enum bounce_status status = BOUNCE_OK;

    for (uint64_t slots = given ? boot.nslabs : BOUNCE_SEGMENT_SLOTS;
         slots <= GUESS_MOST && !status; slots *= 2) {
        boot.nslabs = slots;
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        if (given || guess.nslabs == slots)
            status = try_size_in_use(t, guess, low, high);
        if (given || (t->best->in_use && t->best->nareas == guess.nareas))
            break; /* larger pools explain no more than the smallest that holds them all */
    }
    return status;
}

/* Whether nearly all outcomes are explained: otherwise it is worth trying more. */
static bool good_enough(const struct bounce_inference *best)
{
    return best->tried && unexplained(best) * 100 <= best->tried;
}

/* Whether so many areas make more slots of the size given than it comes to by itself. */
static bool enlarges(const struct bounce_infer_given *given, uint32_t cpus, uint32_t nareas)
{
    struct bounce_boot boot = given->boot;
    uint64_t nslabs, more;
    uint32_t ignored;

    if (!boot.nslabs)
        return false;
    bounce_boot_round(&boot, cpus, &nslabs, &ignored);
    boot.nareas = nareas;
    bounce_boot_round(&boot, cpus, &more, &ignored);
    return more > nslabs;
}

/* A boot option may have asked for another number of areas than there are CPUs. */
static enum bounce_status try_other_areas(const struct trials *t, bool in_use,
                                          struct bounce_inference guess)
{
    enum bounce_status status = BOUNCE_OK;

    guess.other_areas = true;
    for (uint32_t nareas = 1; nareas <= 64 && !status && !good_enough(t->best); nareas *= 2) {
        if (enlarges(t->given, guess.cpus, nareas))
            continue;
        status = in_use ? try_sizes_in_use(t, nareas, guess, t->evidence->low, t->evidence->high)
                        : try_sizes(t, nareas, guess);
    }
    return status;
}

#define RANGES_MAX 8u

/* One that had grown before the recording began: its first pool is one of the ranges of addresses,
 * and those of others are pools that come when the first map of theirs does. */
static enum bounce_status try_grown_in_use(const struct trials *t, struct bounce_inference guess)
{
    struct infer_range ranges[RANGES_MAX];
    size_t found;
    enum bounce_status status = infer_ranges(t->events, t->count, ranges, RANGES_MAX, &found);

    guess.grew = true;
    for (size_t i = 0; i < found && !status && !good_enough(t->best); i++)
        status = try_sizes_in_use(t, 0, guess, ranges[i].low, ranges[i].high);
    return status;
}

/* How the pool may have been, the likeliest first. */
static enum bounce_status try_pools(const struct trials *t, struct bounce_inference guess)
{
    bool told = t->given->boot.nareas, may_grow = !t->given->never_grew;
    const struct bounce_inference *best = t->best;
    enum bounce_status status = try_sizes(t, 0, guess);

    /* A pool that is empty may have been used before: its cursors are anywhere. */
    if (!status && !good_enough(best))
        status = try_sizes_in_use(t, 0, guess, t->evidence->low, t->evidence->high);
    else if (!status && unexplained(best)) {
        struct bounce_inference used = *best;

        used.in_use = true;
        status = try_guess(t, used);
    }
    if (!status && !good_enough(best) && may_grow) {
        guess.grew = true;
        status = try_sizes(t, 0, guess);
        guess.grew = false;
    }
    if (!status && !good_enough(best) && may_grow)
        status = try_grown_in_use(t, guess);
    if (!status && !good_enough(best) && !told)
        status = try_other_areas(t, false, guess);
    if (!status && !good_enough(best) && !told)
        status = try_other_areas(t, true, guess);
    /* A pool that grows moves much: without a search the order is lost soon. */
    if (!status && unexplained(best) * 2 >= best->tried && may_grow) {
        guess.grew = guess.thorough = true;
        status = try_sizes(t, 0, guess);
    }
    return status;
}

/* That of all addresses; of more than a pool by itself has, the one with most maps. */
static enum bounce_status likeliest_range(const struct trials *t, struct infer_range *range)
{
    const struct bounce_evidence *evidence = t->evidence;
    struct infer_range densest;
    enum bounce_status status;
    size_t found;

    *range = (struct infer_range){evidence->low & ~PAGE_MASK_4K, evidence->high, evidence->maps};
    if (range->high - range->low <= GUESS_MOST << BOUNCE_SLOT_SHIFT)
        return BOUNCE_OK;
    status = infer_ranges(t->events, t->count, &densest, 1, &found);
    if (!status && found)
        *range = (struct infer_range){densest.low & ~PAGE_MASK_4K, densest.high, densest.maps};
    return status;
}

enum bounce_status bounce_infer_pool(const struct bounce_evidence *evidence,
                                     const struct bounce_infer_given *given,
                                     const struct bounce_recorded_config *recorded,
                                     const struct bounce_device *devices,
                                     const struct bounce_event *events, size_t count,
                                     struct bounce_inference *out)
{
    struct bounce_boot boot = given->boot;
    struct bounce_inference guess = {.cpus = given->cpus};
    struct trials trials = {evidence, given, devices, events, count, out};
    enum bounce_status status;

    if (!guess.cpus)
        guess.cpus = recorded->cpus > bounce_evidence_cpus(evidence)
                         ? recorded->cpus
                         : bounce_evidence_cpus(evidence);
    *out = guess;
    bounce_boot_round(&boot, guess.cpus, &out->nslabs, &out->nareas);
    if (!evidence->maps) {
        out->start = given->start ? given->start : bounce_boot_default_start(out->nslabs);
        return BOUNCE_OK;
    }
    out->size_inferred = !boot.nslabs;
    status = try_pools(&trials, guess);
    if (!status && !out->start) {
        /* The addresses fit no pool that was tried: where they lie is all that is known. */
        struct infer_range range;

        status = likeliest_range(&trials, &range);
        if (out->size_inferred)
            while (out->nslabs << BOUNCE_SLOT_SHIFT < range.high - range.low &&
                   out->nslabs < BOUNCE_MAX_NSLABS)
                out->nslabs *= 2;
        out->start = given->start ? given->start : range.low;
        out->start_inferred = !given->start;
        out->size_is_lower_bound = out->size_inferred;
    }
    return status;
}
