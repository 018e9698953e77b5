/* SPDX-License-Identifier: Apache-2.0 */
/* The native format: what its reader and its writer share. docs/formats/native.md describes the
 * bytes. Both keep the same model of what comes next; only what differs from it is stored. */
#ifndef TRACE_NATIVE_H
#define TRACE_NATIVE_H

#include "lines.h"
#include "reader.h"

#include "bounce/native.h"

#define NATIVE_MAGIC                                                                               \
    "\x89"                                                                                         \
    "BNC\r\n\x1a\n"
#define NATIVE_MAGIC_LENGTH  8u
#define NATIVE_MAJOR         1u /* a reader refuses a larger one */
#define NATIVE_MINOR         1u /* a larger one only adds chunks and names, which are passed over */
#define NATIVE_END_MAGIC     "BNC end\n"
#define NATIVE_END_LENGTH    16u /* u64 offset of the summary, NATIVE_END_MAGIC */
#define NATIVE_CHUNK_HEADER  12u /* type, u32 length, u32 CRC-32C of type, length and payload */
#define NATIVE_CHUNK_MAX     (192u * 1024u) /* bytes of payload */
#define NATIVE_BLOCK_EVENTS  16384u
#define NATIVE_EVENT_MAX     160u  /* bytes: more than any event takes */
#define NATIVE_INDEX_ENTRIES 4096u /* of one chunk; 24 bytes each */
#define NATIVE_PROFILES      1024u /* of one block */
#define NATIVE_HANDLES       LIVE_LIMIT

#define NATIVE_HEAD "HEAD" /* where it comes from */
#define NATIVE_CONF "CONF" /* struct bounce_recorded_config from here on */
#define NATIVE_DEVS "DEVS" /* devices, new or changed */
#define NATIVE_TEXT "TEXT" /* what the recorder wrote of the machine; since minor version 1 */
#define NATIVE_EVNT "EVNT" /* a block of events */
#define NATIVE_INDX "INDX" /* where blocks are */
#define NATIVE_DONE "DONE" /* the counts */

/* Fields that are stored because they differ from what the model says; in this order, behind the
 * profile, this mask and the time. */
enum native_field {
    NATIVE_HANDLE = 1u << 0,
    NATIVE_ID = 1u << 1,
    NATIVE_SIZE = 1u << 2,
    NATIVE_ORIG = 1u << 3, /* in pages from the profile's last one */
    NATIVE_TLB = 1u << 4,  /* in slots */
    NATIVE_WINDOW = 1u << 5,
    NATIVE_LIST = 1u << 6,
    NATIVE_MORE = 1u << 7, /* a second mask: */
};

enum native_more {
    NATIVE_ORIG_BYTES = 1u << 0,
    NATIVE_TLB_BYTES = 1u << 1,
    NATIVE_OFFSET = 1u << 2,
    NATIVE_ALIGN = 1u << 3,
    NATIVE_SEGMENTS = 1u << 4,
};

#define NATIVE_PAGE_SHIFT 12u
#define NATIVE_SEQ_ESCAPE 3u  /* two low bits of the window byte: seq after the last one */
#define NATIVE_GAP_ESCAPE 63u /* the other six: how far bound_seq is */
#define NATIVE_LANES      64u /* CPUs that share a guess differ by a multiple of it */

/* Everything that many events have in common, and what the last of them was like. */
struct native_profile {
    uint16_t device;
    uint16_t cpu;
    uint8_t kind;
    uint8_t dir;
    uint8_t attrs;
    uint8_t recorded;
    uint16_t flags;
    uint16_t low; /* bits that the bounce address has from the original one */
    uint32_t handle;
    uint64_t orig;
    uint64_t size;
    uint64_t offset;
};

/* A handle as the events so far left it. */
struct native_known {
    uint64_t id;
    uint64_t size;
    uint32_t block; /* in which that was; the model forgets between blocks */
    uint32_t next;  /* handle of what was mapped next */
    /* Of native_check(): */
    uint32_t list;   /* first handle of its scatter list */
    uint32_t serial; /* number of that list, 0: in none */
    uint32_t open;   /* as a first entry: number of the list to which more entries may come */
    uint32_t live;
};

struct native_model {
    struct native_known *known; /* by handle */
    uint32_t room;
    uint32_t block; /* from 1 on */
    struct native_profile profiles[NATIVE_PROFILES];
    uint32_t nprofiles;
    uint64_t time; /* in units of the block */
    uint64_t seq;
    uint64_t id; /* of the last map or request */
    uint64_t tlb[NATIVE_LANES];
    uint32_t list[NATIVE_LANES];
    uint32_t begun;                     /* handle of the last map or request */
    uint32_t newest;                    /* highest handle so far */
    uint32_t free[NATIVE_BLOCK_EVENTS]; /* handles that ended in this block: a stack */
    uint32_t nfree;
    uint32_t lists; /* numbered so far by native_check() */
};

/* What the model says of the event whose profile is known. */
struct native_guess {
    uint64_t id;
    uint64_t size;
    uint64_t orig;
    uint64_t tlb;
    uint64_t offset;
    uint32_t list;
    uint32_t handle;
};

void native_model_reset(struct native_model *model, uint64_t time);
bool native_model_reserve(struct native_model *model, uint32_t handle);

static inline bool native_begins(uint8_t kind)
{
    return kind == BOUNCE_EVENT_MAP || kind == BOUNCE_EVENT_ALLOC || kind == BOUNCE_EVENT_ISSUE;
}

static inline bool native_ends(uint8_t kind)
{
    return kind == BOUNCE_EVENT_UNMAP || kind == BOUNCE_EVENT_COMPLETE;
}

static inline const struct native_known *native_known_at(const struct native_model *m,
                                                         uint32_t handle)
{
    return handle < m->room && m->known[handle].block == m->block ? &m->known[handle] : NULL;
}

static inline uint32_t native_guess_handle(const struct native_model *m,
                                           const struct native_profile *p)
{
    const struct native_known *last;

    if (native_begins(p->kind))
        return m->nfree ? m->free[m->nfree - 1] : m->newest + 1;
    if (!native_ends(p->kind))
        return p->handle;
    last = native_known_at(m, p->handle);
    return last ? last->next : 0;
}

/* The rest, once the handle is known. */
static inline void native_guess_rest(const struct native_model *m, const struct native_profile *p,
                                     uint32_t handle, struct native_guess *g)
{
    const struct native_known *known;

    *g = (struct native_guess){.list = BOUNCE_NO_LIST, .handle = handle};
    if (native_begins(p->kind)) {
        g->id = m->id + 1;
        g->size = p->size;
        g->orig = p->kind == BOUNCE_EVENT_MAP ? p->orig + p->size : 0;
        g->offset = p->kind == BOUNCE_EVENT_ISSUE ? p->offset + p->size : 0;
        g->tlb = p->recorded == BOUNCE_RECORDED_ADDRESS ? m->tlb[p->cpu % NATIVE_LANES] : 0;
        if (p->flags & BOUNCE_EVENT_LIST_FIRST)
            g->list = handle;
        else if (p->flags & BOUNCE_EVENT_IN_LIST)
            g->list = m->list[p->cpu % NATIVE_LANES];
    } else if ((known = native_known_at(m, handle))) {
        g->id = known->id;
        g->size = native_ends(p->kind) ? known->size : p->size;
    } else {
        g->id = m->id;
    }
}

/* Takes a handle that was not the expected one off the stack, where it is likely to be near. */
static inline void native_unstack(struct native_model *m, uint32_t handle)
{
    uint32_t low = m->nfree > 8 ? m->nfree - 8 : 0;

    for (uint32_t i = m->nfree; i-- > low;)
        if (m->free[i] == handle) {
            m->nfree--;
            for (; i < m->nfree; i++)
                m->free[i] = m->free[i + 1];
            return;
        }
}

/* Learns from an event; its handle has room. */
static inline void native_learn(struct native_model *m, struct native_profile *p,
                                const struct bounce_event *e)
{
    struct native_known *known = &m->known[e->handle];
    uint32_t lane = p->cpu % NATIVE_LANES;

    if (native_begins(p->kind)) {
        struct native_known *before = &m->known[m->begun];

        if (before->block == m->block)
            before->next = e->handle;
        native_unstack(m, e->handle);
        if (e->handle > m->newest)
            m->newest = e->handle;
        known->id = m->id = e->id;
        known->size = e->size;
        known->block = m->block;
        known->next = 0;
        m->begun = e->handle;
        if (p->recorded == BOUNCE_RECORDED_ADDRESS) {
            uint64_t mask = (UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1;

            if (e->tlb_addr & mask)
                p->low = (e->tlb_addr ^ e->orig_addr) & mask ? 0 : (uint16_t)mask;
            else if (e->orig_addr & mask)
                p->low = 0;
            m->tlb[lane] = (e->tlb_addr + e->size + mask) & ~mask;
        }
        if (p->flags & BOUNCE_EVENT_IN_LIST)
            m->list[lane] = e->list;
        if ((p->recorded == BOUNCE_RECORDED_FULL || (p->flags & BOUNCE_EVENT_LIST_OPEN)) &&
            m->nfree < NATIVE_BLOCK_EVENTS)
            m->free[m->nfree++] = e->handle;
    } else if (native_ends(p->kind) && m->nfree < NATIVE_BLOCK_EVENTS) {
        m->free[m->nfree++] = e->handle;
    }
    p->handle = e->handle;
    p->orig = e->orig_addr;
    p->size = e->size;
    p->offset = e->offset;
}

/* ---- numbers ---- */

static inline uint64_t native_zigzag(uint64_t v)
{
    return v << 1 ^ (v >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t native_unzigzag(uint64_t v)
{
    return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

/* v / 2^shift, rounding down as for a signed number. */
static inline uint64_t native_shift_down(uint64_t v, unsigned shift)
{
    return v >> shift | (v >> 63 ? ~(UINT64_MAX >> shift) : 0);
}

static inline unsigned char *native_put(unsigned char *p, uint64_t v)
{
    while (v > 127) {
        *p++ = (unsigned char)(v | 128);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

/* Reads at most 10 bytes; higher bits than 64 are lost. */
static inline const unsigned char *native_get(const unsigned char *p, uint64_t *v)
{
    uint64_t value = *p & 127u;

    for (unsigned shift = 7; *p++ & 128 && shift < 70; shift += 7)
        value |= (uint64_t)(*p & 127u) << shift;
    *v = value;
    return p;
}

/* ---- named values: struct fields by table (native_names.c) ---- */

/* All of them, behind one another: a byte of length, the name, the value. Returns bytes written;
 * NATIVE_NAMES_MAX is enough for either table. */
#define NATIVE_NAMES_MAX 2048u
size_t native_put_config(unsigned char *p, const struct bounce_recorded_config *config);
size_t native_put_counts(unsigned char *p, const struct bounce_trace_counts *counts);

/* Names that are not known are passed over. False: the bytes end too early. */
bool native_get_config(const unsigned char *p, size_t length, struct bounce_recorded_config *out);
bool native_get_counts(const unsigned char *p, size_t length, struct bounce_trace_counts *out);

#endif
