/* SPDX-License-Identifier: Apache-2.0 */
#include "native_encode.h"

#include "native_check.h"

#include <stdlib.h>
#include <string.h>

static struct native_profile profile_of(const struct bounce_event *e)
{
    return (struct native_profile){
        .device = e->device,
        .cpu = e->cpu,
        .kind = e->kind,
        .dir = e->dir,
        .attrs = e->attrs,
        .recorded = e->recorded,
        .flags = e->flags,
    };
}

static bool same_profile(const struct native_profile *a, const struct native_profile *b)
{
    return a->device == b->device && a->cpu == b->cpu && a->kind == b->kind && a->dir == b->dir &&
           a->attrs == b->attrs && a->recorded == b->recorded && a->flags == b->flags;
}

static uint32_t profile_hash(const struct native_profile *p)
{
    uint64_t x = (uint64_t)p->device << 48 | (uint64_t)p->cpu << 32 | (uint64_t)p->kind << 28 |
                 (uint64_t)p->dir << 24 | (uint64_t)p->recorded << 16 | (uint64_t)p->attrs << 8 |
                 p->flags;

    x *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 40) % PROFILE_SLOTS;
}

/* Index of its profile; nprofiles when it is a new one (*slot is where it goes). */
static uint32_t find_profile(const struct native_encoder *c, const struct native_profile *p,
                             uint32_t *slot)
{
    const struct native_model *m = &c->model;

    for (*slot = profile_hash(p); c->profile_slots[*slot]; *slot = (*slot + 1) % PROFILE_SLOTS) {
        uint32_t at = c->profile_slots[*slot] - 1u;

        if (same_profile(&m->profiles[at], p))
            return at;
    }
    return m->nprofiles;
}

static unsigned char *put_profile(struct native_encoder *c, unsigned char *p,
                                  const struct bounce_event *e, struct native_profile **out)
{
    struct native_profile wanted = profile_of(e);
    struct native_model *m = &c->model;
    uint32_t slot, at = find_profile(c, &wanted, &slot);

    p = native_put(p, at);
    *out = &m->profiles[at];
    if (at < m->nprofiles)
        return p;
    c->profile_slots[slot] = (uint16_t)(at + 1);
    m->profiles[m->nprofiles++] = wanted;
    *p++ = e->kind;
    *p++ = e->dir;
    *p++ = e->attrs;
    *p++ = e->recorded;
    p = native_put(p, e->flags);
    p = native_put(p, e->device);
    return native_put(p, e->cpu);
}

static unsigned char *put_signed(unsigned char *p, uint64_t difference)
{
    return native_put(p, native_zigzag(difference));
}

static unsigned char *put_window(struct native_model *m, unsigned char *p,
                                 const struct bounce_event *e)
{
    uint64_t step = e->seq - m->seq;
    uint64_t gap = native_begins(e->kind) ? e->bound_seq - e->seq : e->seq - e->bound_seq;
    unsigned low = step < NATIVE_SEQ_ESCAPE ? (unsigned)step : NATIVE_SEQ_ESCAPE;
    unsigned high = gap < NATIVE_GAP_ESCAPE ? (unsigned)gap : NATIVE_GAP_ESCAPE;

    *p++ = (unsigned char)(high << 2 | low);
    if (low == NATIVE_SEQ_ESCAPE)
        p = put_signed(p, step);
    if (high == NATIVE_GAP_ESCAPE)
        p = put_signed(p, gap);
    m->seq = e->seq;
    return p;
}

/* What differs from the guess, as masks. */
static unsigned fields_of(const struct bounce_event *e, const struct native_profile *profile,
                          uint32_t handle, const struct native_guess *g, unsigned *more)
{
    uint64_t page = (UINT64_C(1) << NATIVE_PAGE_SHIFT) - 1;
    uint64_t slot = (UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1;
    unsigned fields = 0;

    *more = 0;
    fields |= e->handle != handle ? NATIVE_HANDLE : 0;
    fields |= e->id != g->id ? NATIVE_ID : 0;
    fields |= e->size != g->size ? NATIVE_SIZE : 0;
    fields |= e->orig_addr != g->orig ? NATIVE_ORIG : 0;
    fields |= e->tlb_addr != g->tlb ? NATIVE_TLB : 0;
    fields |= e->seq || e->bound_seq ? NATIVE_WINDOW : 0;
    fields |= e->list != g->list ? NATIVE_LIST : 0;
    if ((fields & NATIVE_ORIG) && ((e->orig_addr - profile->orig) & page))
        *more |= NATIVE_ORIG_BYTES;
    if ((fields & NATIVE_TLB) && ((e->tlb_addr - g->tlb) & slot))
        *more |= NATIVE_TLB_BYTES;
    *more |= e->offset != g->offset ? NATIVE_OFFSET : 0;
    *more |= e->alloc_align_mask ? NATIVE_ALIGN : 0;
    *more |= e->segments ? NATIVE_SEGMENTS : 0;
    return fields | (*more ? NATIVE_MORE : 0);
}

unsigned char *native_encode(struct native_encoder *c, unsigned char *p,
                             const struct bounce_event *e)
{
    struct native_model *m = &c->model;
    struct native_profile *profile;
    struct native_guess g;
    uint32_t handle;
    unsigned fields, more;
    uint64_t time = e->time_ns / c->unit_ns;

    if (!native_model_reserve(m, e->handle))
        return NULL;
    p = put_profile(c, p, e, &profile);
    handle = native_guess_handle(m, profile);
    native_guess_rest(m, profile, e->handle, &g);
    g.tlb |= e->orig_addr & (g.tlb ? profile->low : 0u);
    fields = fields_of(e, profile, handle, &g, &more);
    *p++ = (unsigned char)fields;
    if (more)
        *p++ = (unsigned char)more;
    p = put_signed(p, time - m->time);
    m->time = time;
    if (fields & NATIVE_HANDLE)
        p = put_signed(p, (uint64_t)e->handle - handle);
    if (fields & NATIVE_ID)
        p = put_signed(p, e->id - g.id);
    if (fields & NATIVE_SIZE)
        p = native_put(p, e->size);
    if (fields & NATIVE_ORIG)
        p = put_signed(p, more & NATIVE_ORIG_BYTES
                              ? e->orig_addr - profile->orig
                              : native_shift_down(e->orig_addr - profile->orig, NATIVE_PAGE_SHIFT));
    if (fields & NATIVE_TLB)
        p = put_signed(p, more & NATIVE_TLB_BYTES
                              ? e->tlb_addr - g.tlb
                              : native_shift_down(e->tlb_addr - g.tlb, BOUNCE_SLOT_SHIFT));
    if (fields & NATIVE_WINDOW)
        p = put_window(m, p, e);
    if (fields & NATIVE_LIST)
        p = put_signed(p, (uint64_t)e->list - g.list);
    if (more & NATIVE_OFFSET)
        p = put_signed(p, e->offset - g.offset);
    if (more & NATIVE_ALIGN)
        p = native_put(p, e->alloc_align_mask);
    if (more & NATIVE_SEGMENTS)
        p = native_put(p, e->segments);
    native_learn(m, profile, e);
    return p;
}

void native_encoder_reset(struct native_encoder *c, uint64_t time_ns, uint64_t unit_ns)
{
    native_model_reset(&c->model, time_ns / unit_ns);
    memset(c->profile_slots, 0, sizeof(c->profile_slots));
    c->unit_ns = unit_ns;
}

void native_encoder_free(struct native_encoder *c)
{
    free(c->model.known);
    free(c->checked.known);
}

const char *native_unfit(struct native_encoder *c, const struct bounce_event *e, size_t ndevices,
                         uint8_t level)
{
    struct native_profile profile = profile_of(e);
    const char *reason = native_check_profile(&profile, ndevices, level);

    if (reason)
        return reason;
    if (e->handle >= NATIVE_HANDLES)
        return "too many live mappings";
    if (!native_model_reserve(&c->checked, e->handle))
        return "out of memory";
    return native_check(&c->checked, e);
}
