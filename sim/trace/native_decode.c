/* SPDX-License-Identifier: Apache-2.0 */
#include "native_decode.h"

#include "native_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void native_decoder_open(struct native_decoder *d, uint64_t offset, const unsigned char *p,
                         size_t length, uint32_t count, uint64_t time_ns, uint64_t unit_ns)
{
    d->at = p;
    d->end = p + length;
    d->tail = length > NATIVE_EVENT_MAX ? d->end - NATIVE_EVENT_MAX : d->at;
    d->block_offset = offset;
    d->left = d->count = count;
    d->unit_ns = unit_ns;
    native_model_reset(&d->model, time_ns / unit_ns);
}

void native_decoder_free(struct native_decoder *d)
{
    free(d->model.known);
}

static inline const unsigned char *get_signed(const unsigned char *p, uint64_t *v)
{
    p = native_get(p, v);
    *v = native_unzigzag(*v);
    return p;
}

/* NULL: `*wrong` says why. */
static const unsigned char *define_profile(const struct bounce_trace *trace, struct native_model *m,
                                           const unsigned char *p, const char **wrong)
{
    struct native_profile profile = {.kind = p[0], .dir = p[1], .attrs = p[2], .recorded = p[3]};
    uint64_t flags, device, cpu;

    p = native_get(p + 4, &flags);
    p = native_get(p, &device);
    p = native_get(p, &cpu);
    *wrong = "flags, a device or a CPU beyond reason";
    if (m->nprofiles == NATIVE_PROFILES || flags > UINT16_MAX || device > UINT16_MAX ||
        cpu > UINT16_MAX)
        return NULL;
    profile.flags = (uint16_t)flags;
    profile.device = (uint16_t)device;
    profile.cpu = (uint16_t)cpu;
    *wrong = native_check_profile(&profile, trace->ndevices, trace->recorded.level);
    if (*wrong)
        return NULL;
    m->profiles[m->nprofiles++] = profile;
    return p;
}

static inline const unsigned char *get_window(struct native_model *m, const unsigned char *p,
                                              struct bounce_event *e)
{
    unsigned byte = *p++;
    uint64_t step = byte & 3, gap = byte >> 2;

    if (step == NATIVE_SEQ_ESCAPE)
        p = get_signed(p, &step);
    if (gap == NATIVE_GAP_ESCAPE)
        p = get_signed(p, &gap);
    m->seq += step;
    e->seq = m->seq;
    e->bound_seq = native_begins(e->kind) ? e->seq + gap : e->seq - gap;
    return p;
}

/* The fields that most events do not store. False: a value that its field cannot hold. */
static bool get_rest(const unsigned char **at, unsigned fields, unsigned more,
                     struct bounce_event *e, struct native_guess *g)
{
    const unsigned char *p = *at;
    uint64_t v;
    bool good = true;

    if (fields & NATIVE_LIST) {
        p = get_signed(p, &v);
        e->list = (uint32_t)(g->list + v);
    }
    if (more & NATIVE_OFFSET) {
        p = get_signed(p, &v);
        e->offset = g->offset + v;
    }
    if (more & NATIVE_ALIGN) {
        p = native_get(p, &v);
        e->alloc_align_mask = (uint32_t)v;
        good = v <= UINT32_MAX;
    }
    if (more & NATIVE_SEGMENTS) {
        p = native_get(p, &v);
        e->segments = (uint16_t)v;
        good = good && v <= UINT16_MAX;
    }
    *at = p;
    return good;
}

/* One event at `p`; NULL: `*wrong` says why. */
static inline const unsigned char *get_event(const struct bounce_trace *trace,
                                             struct native_decoder *d, const unsigned char *p,
                                             struct bounce_event *e, const char **wrong)
{
    struct native_model *m = &d->model;
    struct native_profile *profile;
    struct native_guess g;
    uint64_t v, handle;
    unsigned fields, more = 0;

    p = native_get(p, &v);
    if (__builtin_expect(v >= m->nprofiles, 0)) {
        *wrong = "a profile that was not defined";
        if (v > m->nprofiles || !(p = define_profile(trace, m, p, wrong)))
            return NULL;
    }
    profile = &m->profiles[v];
    fields = *p++;
    if (fields & NATIVE_MORE)
        more = *p++;
    p = get_signed(p, &v);
    m->time += v;
    handle = native_guess_handle(m, profile);
    if (fields & NATIVE_HANDLE) {
        p = get_signed(p, &v);
        handle += v;
    }
    *wrong = "a handle beyond reason";
    if (handle >= NATIVE_HANDLES ||
        (handle >= m->room && !native_model_reserve(m, (uint32_t)handle)))
        return NULL;
    native_guess_rest(m, profile, (uint32_t)handle, &g);
    *e = (struct bounce_event){
        .time_ns = m->time * d->unit_ns,
        .id = g.id,
        .orig_addr = g.orig,
        .size = g.size,
        .offset = g.offset,
        .handle = (uint32_t)handle,
        .list = g.list,
        .device = profile->device,
        .cpu = profile->cpu,
        .kind = profile->kind,
        .dir = profile->dir,
        .attrs = profile->attrs,
        .recorded = profile->recorded,
        .flags = profile->flags,
    };
    if (fields & NATIVE_ID) {
        p = get_signed(p, &v);
        e->id += v;
    }
    if (fields & NATIVE_SIZE)
        p = native_get(p, &e->size);
    if (fields & NATIVE_ORIG) {
        p = get_signed(p, &v);
        e->orig_addr = profile->orig + (more & NATIVE_ORIG_BYTES ? v : v << NATIVE_PAGE_SHIFT);
    }
    e->tlb_addr = g.tlb | (e->orig_addr & (g.tlb ? profile->low : 0u));
    if (fields & NATIVE_TLB) {
        p = get_signed(p, &v);
        e->tlb_addr += more & NATIVE_TLB_BYTES ? v : v << BOUNCE_SLOT_SHIFT;
    }
    if (fields & NATIVE_WINDOW)
        p = get_window(m, p, e);
    *wrong = "a value beyond its range";
    if (((fields & NATIVE_LIST) || more) && !get_rest(&p, fields, more, e, &g))
        return NULL;
    *wrong = native_check(m, e);
    if (*wrong)
        return NULL;
    native_learn(m, profile, e);
    return p;
}

static enum bounce_status bad_event(const struct native_decoder *d, struct bounce_error *error,
                                    const char *what)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "byte %" PRIu64 ": event %u of the block that begins here: %s; the file "
                         "is damaged, convert it again from the original",
                         d->block_offset, d->count - d->left, what);
}

/* Reading an event that the block cut short would run past its end: the last bytes move to where
 * there is room. */
static void move_tail(struct native_decoder *d)
{
    size_t length = (size_t)(d->end - d->at);

    memset(d->copy, 0, sizeof(d->copy));
    memcpy(d->copy, d->at, length);
    d->at = d->copy;
    d->end = d->copy + length;
    d->tail = NULL;
}

enum bounce_status native_decode(struct native_decoder *d, struct bounce_trace *trace,
                                 struct bounce_event *events, size_t capacity, size_t *got,
                                 struct bounce_error *error)
{
    const char *wrong = NULL;

    while (*got < capacity && d->left) {
        struct bounce_event *e = &events[*got];
        const unsigned char *next;

        if (d->tail && d->at >= d->tail)
            move_tail(d);
        next = get_event(trace, d, d->at, e, &wrong);
        if (!next)
            return bad_event(d, error, wrong);
        if (next > d->end)
            return bad_event(d, error, "it ends beyond the block");
        d->at = next;
        if (e->kind == BOUNCE_EVENT_ISSUE &&
            sizes_add(&trace->sizes, e->size, (enum bounce_dir)e->dir))
            return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
        d->left--;
        (*got)++;
    }
    if (!d->left && d->at != d->end)
        return bad_event(d, error, "more bytes behind the last one");
    return BOUNCE_OK;
}
