/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/infer.h"

#include "bounce/order.h"

#include <stdlib.h>

#define MAX_MIN_ALIGN_BITS 12u
#define GUESS_MOST         (UINT64_C(1) << 19) /* slots: 1 GiB, what a kernel makes by itself */
#define SLOT_MASK          ((UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1)
#define PAGE_MASK_4K       UINT64_C(0xfff)

struct device_evidence {
    uint64_t maps;
    uint64_t differing; /* bits in which any bounce address differed from its original */
    uint64_t offsets;   /* bits below a slot that were set in any bounce address */
};

struct cpu_evidence {
    uint64_t first; /* bounce address of its first map; UINT64_MAX: none */
};

struct bounce_evidence {
    struct device_evidence *devices;
    size_t ndevices;
    struct cpu_evidence *cpus;
    size_t ncpus;
    uint64_t maps;
    uint64_t low;
    uint64_t high;
};

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

bool bounce_evidence_add(struct bounce_evidence *evidence, const struct bounce_event *events,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bounce_event *event = &events[i];
        struct device_evidence *device;

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

void bounce_infer_begun(const struct bounce_evidence *evidence, struct bounce_event *events,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bounce_event *map = &events[i];

        if (map->kind != BOUNCE_EVENT_MAP || map->recorded != BOUNCE_RECORDED_NOTHING ||
            !map->tlb_addr || map->tlb_addr < evidence->low || map->tlb_addr >= evidence->high)
            continue;
        map->recorded = BOUNCE_RECORDED_ADDRESS;
        map->flags = BOUNCE_EVENT_HELD;
    }
}

size_t bounce_infer_held(uint64_t low, uint64_t high, struct bounce_event *events, size_t count,
                         struct bounce_event *held, uint32_t first_handle)
{
    size_t found = 0;

    for (size_t i = 0; i < count && first_handle + found < BOUNCE_HELD_TOLD; i++) {
        struct bounce_event *unmap = &events[i];

        if (!(unmap->flags & BOUNCE_EVENT_UNMATCHED) || unmap->handle < BOUNCE_HELD_MAX ||
            unmap->tlb_addr < low || unmap->tlb_addr >= high)
            continue;
        unmap->handle = first_handle + (uint32_t)found;
        held[found++] = (struct bounce_event){
            .id = UINT64_MAX,
            .orig_addr = unmap->tlb_addr,
            .tlb_addr = unmap->tlb_addr,
            .size = unmap->size,
            .handle = unmap->handle,
            .list = BOUNCE_NO_LIST,
            .device = unmap->device,
            .cpu = unmap->cpu,
            .kind = BOUNCE_EVENT_MAP,
            .dir = unmap->dir,
            .recorded = BOUNCE_RECORDED_ADDRESS,
            .flags = BOUNCE_EVENT_HELD,
        };
    }
    return found;
}

static uint32_t cpus_seen(const struct bounce_evidence *evidence)
{
    return evidence->ncpus ? (uint32_t)evidence->ncpus : 1;
}

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

#define ORDER_BATCH 512u

static struct bounce_order_config trial_of(const struct bounce_inference *guess)
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

/* How much an order explains that follows the recording, whichever events come too early or too
 * late in it. Given up once more than `most` outcomes are not explained. */
static enum bounce_status explained(struct bounce_inference *guess,
                                    const struct bounce_device *devices,
                                    const struct bounce_event *events, size_t count, uint64_t most)
{
    struct bounce_order_config config = trial_of(guess);
    struct bounce_event *out = malloc(ORDER_BATCH * sizeof(*out));
    struct bounce_order *order = NULL;
    struct bounce_order_stats stats = {0};
    enum bounce_status status = out ? bounce_order_create(&config, &order, NULL) : BOUNCE_NO_MEMORY;
    size_t pushed = 0;

    while (!status && stats.unexplained <= most) {
        pushed += bounce_order_push(order, devices, events + pushed, count - pushed);
        if (!bounce_order_pop(order, out, ORDER_BATCH, pushed == count) && pushed == count)
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

/* Tries the guess; keeps it in *out when it explains more than what is there. */
static enum bounce_status try_guess(const struct bounce_infer_given *given,
                                    const struct bounce_device *devices,
                                    const struct bounce_event *events, size_t count,
                                    struct bounce_inference guess, struct bounce_inference *out)
{
    uint64_t most = unexplained(out);
    enum bounce_status status;

    if (!out->explained)
        most = count / 2;
    status = explained(&guess, devices, events, count, most);
    if (status)
        return status == BOUNCE_INVALID ? BOUNCE_OK : status;
    if (is_unlikely(&guess) && !is_unlikely(out) && out->explained * 2 >= out->tried &&
        unexplained(&guess) * 2 > most)
        return BOUNCE_OK;
    if (guess.explained == out->explained && guess.explained)
        out->size_is_lower_bound |= guess.nslabs > out->nslabs;
    if (guess.explained > out->explained || !out->start) {
        bool inferred = out->size_inferred;

        *out = guess;
        out->size_inferred = inferred;
        out->start_inferred = !given->start;
    }
    return BOUNCE_OK;
}

/* A pool of this size that was in use: it begins at the lowest address seen, or ends at the
 * highest.
 */
static enum bounce_status
try_size_in_use(const struct bounce_evidence *evidence, const struct bounce_infer_given *given,
                const struct bounce_device *devices, const struct bounce_event *events,
                size_t count, struct bounce_inference guess, struct bounce_inference *out)
{
    uint64_t bytes = guess.nslabs << BOUNCE_SLOT_SHIFT;
    uint64_t end = (evidence->high + PAGE_MASK_4K) & ~PAGE_MASK_4K;
    uint64_t starts[2] = {evidence->low & ~PAGE_MASK_4K, end > bytes ? end - bytes : 0};
    enum bounce_status status = BOUNCE_OK;

    guess.in_use = true;
    for (size_t i = 0; i < 2 && !status; i++) {
        guess.start = given->start ? given->start : starts[i];
        if (!guess.start || guess.start > evidence->low || guess.start + bytes < evidence->high ||
            (i && (given->start || starts[1] == starts[0])))
            continue;
        status = try_guess(given, devices, events, count, guess, out);
    }
    return status;
}

#define STARTS_MAX 4u

/* Tries the starts that CPUs' first maps suggest for a pool of this size. */
static enum bounce_status try_size(const struct bounce_evidence *evidence,
                                   const struct bounce_infer_given *given,
                                   const struct bounce_device *devices,
                                   const struct bounce_event *events, size_t count,
                                   struct bounce_inference guess, struct bounce_inference *out)
{
    uint64_t tried[STARTS_MAX];
    size_t ntried = 0;

    for (size_t cpu = 0; cpu < evidence->ncpus && ntried < STARTS_MAX; cpu++) {
        enum bounce_status status;
        bool seen = false;

        guess.start = given->start
                          ? given->start
                          : start_by_cpu(evidence, cpu, guess.nslabs, guess.nareas, guess.grew);
        for (size_t i = 0; i < ntried; i++)
            seen |= tried[i] == guess.start;
        if (!guess.start || seen)
            continue;
        tried[ntried++] = guess.start;
        status = try_guess(given, devices, events, count, guess, out);
        if (status)
            return status;
    }
    return BOUNCE_OK;
}

/* The size given, or every power of two that the kernel would leave as it is; with `nareas` of
 * them, or as many as it makes. */
static enum bounce_status
try_sizes(const struct bounce_evidence *evidence, const struct bounce_infer_given *given,
          const struct bounce_device *devices, const struct bounce_event *events, size_t count,
          uint32_t nareas, struct bounce_inference guess, struct bounce_inference *out)
{
    struct bounce_boot boot = given->boot;
    enum bounce_status status = BOUNCE_OK;

    if (nareas)
        boot.nareas = nareas;
    if (boot.nslabs) {
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        status = try_size(evidence, given, devices, events, count, guess, out);
        out->size_is_lower_bound = false;
        return status;
    }
    for (uint64_t slots = BOUNCE_SEGMENT_SLOTS; slots <= GUESS_MOST && !status; slots *= 2) {
        boot.nslabs = slots;
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        if (guess.nslabs == slots)
            status = try_size(evidence, given, devices, events, count, guess, out);
    }
    return status;
}

static enum bounce_status try_sizes_in_use(const struct bounce_evidence *evidence,
                                           const struct bounce_infer_given *given,
                                           const struct bounce_device *devices,
                                           const struct bounce_event *events, size_t count,
                                           uint32_t nareas, struct bounce_inference guess,
                                           struct bounce_inference *out)
{
    struct bounce_boot boot = given->boot;
    enum bounce_status status = BOUNCE_OK;

    if (nareas)
        boot.nareas = nareas;
    for (uint64_t slots = boot.nslabs ? boot.nslabs : BOUNCE_SEGMENT_SLOTS;
         slots <= GUESS_MOST && !status; slots *= 2) {
        boot.nslabs = slots;
        bounce_boot_round(&boot, guess.cpus, &guess.nslabs, &guess.nareas);
        if (given->boot.nslabs || guess.nslabs == slots)
            status = try_size_in_use(evidence, given, devices, events, count, guess, out);
        if (given->boot.nslabs || (out->in_use && out->nareas == guess.nareas))
            break; /* larger pools explain no more than the smallest that holds them all */
    }
    return status;
}

/* Whether nearly all outcomes are explained: otherwise it is worth trying more. */
static bool good_enough(const struct bounce_inference *out)
{
    return out->tried && unexplained(out) * 100 <= out->tried;
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
static enum bounce_status try_other_areas(const struct bounce_evidence *evidence,
                                          const struct bounce_infer_given *given,
                                          const struct bounce_device *devices,
                                          const struct bounce_event *events, size_t count,
                                          bool in_use, struct bounce_inference guess,
                                          struct bounce_inference *out)
{
    enum bounce_status status = BOUNCE_OK;

    guess.other_areas = true;
    for (uint32_t nareas = 1; nareas <= 64 && !status && !good_enough(out); nareas *= 2) {
        if (enlarges(given, guess.cpus, nareas))
            continue;
        status = in_use
                     ? try_sizes_in_use(evidence, given, devices, events, count, nareas, guess, out)
                     : try_sizes(evidence, given, devices, events, count, nareas, guess, out);
    }
    return status;
}

/* How the pool may have been, the likeliest first. */
static enum bounce_status try_pools(const struct bounce_evidence *evidence,
                                    const struct bounce_infer_given *given,
                                    const struct bounce_device *devices,
                                    const struct bounce_event *events, size_t count,
                                    struct bounce_inference guess, struct bounce_inference *out)
{
    bool told = given->boot.nareas;
    enum bounce_status status = try_sizes(evidence, given, devices, events, count, 0, guess, out);

    /* A pool that is empty may have been used before: its cursors are anywhere. */
    if (!status && !good_enough(out))
        status = try_sizes_in_use(evidence, given, devices, events, count, 0, guess, out);
    else if (!status && unexplained(out)) {
        struct bounce_inference used = *out;

        used.in_use = true;
        status = try_guess(given, devices, events, count, used, out);
    }
    if (!status && !good_enough(out) && !given->never_grew) {
        guess.grew = true;
        status = try_sizes(evidence, given, devices, events, count, 0, guess, out);
        guess.grew = false;
    }
    if (!status && !good_enough(out) && !told)
        status = try_other_areas(evidence, given, devices, events, count, false, guess, out);
    if (!status && !good_enough(out) && !told)
        status = try_other_areas(evidence, given, devices, events, count, true, guess, out);
    /* A pool that grows moves much: without a search the order is lost soon. */
    if (!status && unexplained(out) * 2 >= out->tried && !given->never_grew) {
        guess.grew = guess.thorough = true;
        status = try_sizes(evidence, given, devices, events, count, 0, guess, out);
    }
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
    enum bounce_status status;

    if (!guess.cpus)
        guess.cpus = recorded->cpus > cpus_seen(evidence) ? recorded->cpus : cpus_seen(evidence);
    *out = guess;
    bounce_boot_round(&boot, guess.cpus, &out->nslabs, &out->nareas);
    if (!evidence->maps) {
        out->start = given->start ? given->start : bounce_boot_default_start(out->nslabs);
        return BOUNCE_OK;
    }
    out->size_inferred = !boot.nslabs;
    status = try_pools(evidence, given, devices, events, count, guess, out);
    if (!status && !out->start) {
        /* The addresses fit no pool that starts empty: the lowest one is all that is known. */
        uint64_t span = evidence->high - (evidence->low & ~PAGE_MASK_4K);

        if (out->size_inferred)
            while (out->nslabs << BOUNCE_SLOT_SHIFT < span && out->nslabs < BOUNCE_MAX_NSLABS)
                out->nslabs *= 2;
        out->start = given->start ? given->start : evidence->low & ~PAGE_MASK_4K;
        out->start_inferred = !given->start;
        out->size_is_lower_bound = out->size_inferred;
    }
    return status;
}

/* Adds what was found out to be held, takes away what was found out to be gone; returns how many
 * there are then. */
static size_t follow_hidden(const struct bounce_event *event, struct bounce_event *held,
                            size_t count, size_t capacity)
{
    bool is_map = event->kind == BOUNCE_EVENT_MAP && (event->flags & BOUNCE_EVENT_HELD);

    if (!(event->flags & BOUNCE_EVENT_IMPLIED) || event->id != UINT64_MAX)
        return count;
    if (is_map && count < capacity)
        held[count++] = *event;
    for (size_t i = 0; i < count && !is_map; i++)
        if (held[i].handle == event->handle)
            held[i] = held[--count];
    return count;
}

static int by_address(const void *a, const void *b)
{
    const struct bounce_event *x = a, *y = b;

    return x->tlb_addr < y->tlb_addr ? -1 : x->tlb_addr > y->tlb_addr;
}

enum bounce_status bounce_infer_hidden(const struct bounce_inference *inference,
                                       const struct bounce_device *devices,
                                       const struct bounce_event *events, size_t count,
                                       struct bounce_event *held, size_t capacity, size_t *found)
{
    struct bounce_order_config config = trial_of(inference);
    struct bounce_event *out = malloc(ORDER_BATCH * sizeof(*out));
    struct bounce_order *order = NULL;
    enum bounce_status status = out ? bounce_order_create(&config, &order, NULL) : BOUNCE_NO_MEMORY;
    size_t pushed = 0, got = 1;

    *found = 0;
    while (!status && (got || pushed < count)) {
        pushed += bounce_order_push(order, devices, events + pushed, count - pushed);
        got = bounce_order_pop(order, out, ORDER_BATCH, pushed == count);
        for (size_t i = 0; i < got; i++)
            *found = follow_hidden(&out[i], held, *found, capacity);
    }
    qsort(held, *found, sizeof(*held), by_address);
    for (size_t i = 0; i < *found; i++)
        held[i].time_ns = 0;
    bounce_order_destroy(order);
    free(out);
    return status;
}
