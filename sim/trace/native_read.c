/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what native_write.c writes: chunk by chunk out of the input's buffer, events straight into
 * the caller's array. */
#include "bytes.h"
#include "crc32c.h"
#include "formats.h"
#include "native.h"
#include "native_check.h"
#include "native_texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct native_reader {
    struct crc32c crc;
    /* The block at hand, within the input's buffer: */
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *tail; /* its last bytes, copied so that reading past them is harmless */
    uint64_t block_offset;
    uint32_t left; /* events */
    uint32_t count;
    uint64_t unit_ns;
    uint64_t events; /* so far */
    uint64_t blocks;
    uint32_t blocks_sum;
    bool done; /* the counts have been read */
    unsigned char copy[3 * NATIVE_EVENT_MAX];
    struct native_model model;
};

static int detect(const char *text, size_t length)
{
    return length >= NATIVE_MAGIC_LENGTH && memcmp(text, NATIVE_MAGIC, NATIVE_MAGIC_LENGTH) == 0
               ? 100
               : 0;
}

static enum bounce_status cut_off(uint64_t at, struct bounce_error *error, const char *what)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "byte %" PRIu64 ": the input ends in the %s that begins here; a complete "
                         "native file was expected",
                         at, what);
}

static enum bounce_status damaged(uint64_t at, struct bounce_error *error, const char *what)
{
    return bytes_malformed(at, error, what,
                           "the file is damaged, convert it again from the original");
}

/* ---- chunks ---- */

/* A block refers to the bytes of its chunk until its last event has been read. */
static enum bounce_status open_block(struct bounce_trace *trace, uint64_t offset,
                                     const unsigned char *p, size_t length, uint32_t sum,
                                     struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    unsigned char bytes[4] = {(unsigned char)sum, (unsigned char)(sum >> 8),
                              (unsigned char)(sum >> 16), (unsigned char)(sum >> 24)};
    uint64_t time_ns;

    if (length < 24)
        return damaged(offset, error, "a block without its header");
    r->left = r->count = bytes_u32(p, false);
    time_ns = bytes_u64(p + 12, false);
    r->unit_ns = bytes_u32(p + 20, false);
    if (!r->count || r->count > NATIVE_BLOCK_EVENTS || bytes_u64(p + 4, false) != r->events ||
        !r->unit_ns)
        return damaged(offset, error, "a block out of its place");
    r->at = p + 24;
    r->end = p + length;
    r->tail = length - 24 > NATIVE_EVENT_MAX ? r->end - NATIVE_EVENT_MAX : r->at;
    r->block_offset = offset;
    r->blocks++;
    r->blocks_sum = crc32c_add(&r->crc, r->blocks_sum, bytes, sizeof(bytes));
    native_model_reset(&r->model, time_ns / r->unit_ns);
    return BOUNCE_OK;
}

static enum bounce_status read_config(struct bounce_trace *trace, uint64_t offset,
                                      const unsigned char *p, size_t length,
                                      struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    struct bounce_recorded_config config = {0};

    if (!native_get_config(p, length, &config) || config.boot.nslabs > BOUNCE_MAX_NSLABS ||
        config.boot.nareas > BOUNCE_MAX_CPUS || config.cpus > BOUNCE_MAX_CPUS ||
        config.start > INT64_MAX || config.level > BOUNCE_LEVEL_REQUESTS ||
        (config.has_header && (!config.boot.nslabs || !config.cpus)))
        return damaged(offset, error, "a configuration that no machine has");
    if (r->events && config.level != trace->recorded.level)
        return damaged(offset, error, "requests and mappings in one trace");
    trace->recorded = config;
    return BOUNCE_OK;
}

static bool read_device(struct bounce_trace *trace, const unsigned char **at,
                        const unsigned char *end)
{
    unsigned char copy[40 + BOUNCE_DEVICE_NAME_MAX] = {0};
    size_t left = (size_t)(end - *at), length;
    const unsigned char *p = copy, *name;
    uint64_t index, dma_mask, boundary, min_align;
    uint16_t device;

    memcpy(copy, *at, left < sizeof(copy) - 32 ? left : sizeof(copy) - 32);
    p = native_get(p, &index);
    length = *p++;
    name = p;
    if (!length || length >= BOUNCE_DEVICE_NAME_MAX || index > trace->ndevices)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] == 0x7f)
            return false;
    p = native_get(p + length, &dma_mask);
    p = native_get(p, &boundary);
    p = native_get(p, &min_align);
    if ((size_t)(p - copy) > left || (min_align & (min_align + 1)) || min_align > UINT32_MAX ||
        (boundary & (boundary + 1)) || boundary < (1u << BOUNCE_SLOT_SHIFT) - 1)
        return false;
    device = trace_device(trace, (const char *)name, length);
    if (device != index)
        return false;
    trace->devices[device].dma_mask = dma_mask;
    trace->devices[device].seg_boundary = boundary;
    trace->devices[device].min_align_mask = (uint32_t)min_align;
    *at += p - copy;
    return true;
}

static enum bounce_status read_devices(struct bounce_trace *trace, uint64_t offset,
                                       const unsigned char *p, size_t length,
                                       struct bounce_error *error)
{
    const unsigned char *end = p + length;

    while (p < end)
        if (!read_device(trace, &p, end))
            return damaged(offset, error, "a device table that is none");
    return BOUNCE_OK;
}

static enum bounce_status read_text(struct bounce_trace *trace, uint64_t offset,
                                    const unsigned char *p, size_t length,
                                    struct bounce_error *error)
{
    bool memory;
    const char *wrong = native_texts_add(&trace->texts, p, length, &memory);

    if (memory)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "%s", wrong);
    return wrong ? damaged(offset, error, wrong) : BOUNCE_OK;
}

static enum bounce_status read_done(struct bounce_trace *trace, uint64_t offset,
                                    const unsigned char *p, size_t length,
                                    struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    struct bounce_trace_counts counts = {0};

    if (length < 20 || !native_get_counts(p + 20, length - 20, &counts))
        return damaged(offset, error, "counts that are none");
    if (bytes_u64(p, false) != r->events || bytes_u64(p + 8, false) != r->blocks ||
        bytes_u32(p + 16, false) != r->blocks_sum)
        return damaged(offset, error, "counts or checksum of another file");
    trace->counts = counts;
    r->done = true;
    return BOUNCE_OK;
}

/* What follows the counts: the end mark, and nothing else. */
static enum bounce_status read_end(struct bounce_trace *trace, struct bounce_error *error)
{
    uint64_t offset = trace->lines.consumed;
    const unsigned char *p;
    size_t got;
    enum bounce_status status = bytes_take(&trace->lines, NATIVE_END_LENGTH, &p, &got, error);

    if (status)
        return status;
    if (got < NATIVE_END_LENGTH)
        return cut_off(offset, error, "end mark");
    if (memcmp(p + 8, NATIVE_END_MAGIC, 8) != 0 || bytes_u64(p, false) > offset)
        return damaged(offset, error, "no end mark behind the counts");
    offset = trace->lines.consumed;
    status = bytes_peek(&trace->lines, 1, &p, &got, error);
    if (status)
        return status;
    if (got)
        return bytes_malformed(offset, error, "more bytes behind the end of the native file",
                               "one native file at a time was expected");
    return BOUNCE_END;
}

/* The next chunk. Types that are not known come from a later minor version: passed over. */
static enum bounce_status read_chunk(struct bounce_trace *trace, struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    uint64_t offset = trace->lines.consumed;
    const unsigned char *p;
    size_t got, length;
    uint32_t sum;
    char type[4];
    enum bounce_status status;

    if (r->done)
        return read_end(trace, error);
    status = bytes_peek(&trace->lines, NATIVE_CHUNK_HEADER, &p, &got, error);
    if (status)
        return status;
    if (got < NATIVE_CHUNK_HEADER)
        return cut_off(offset, error, "chunk");
    memcpy(type, p, 4);
    length = bytes_u32(p + 4, false);
    if (length > NATIVE_CHUNK_MAX)
        return damaged(offset, error, "no chunk of a native file");
    status = bytes_take(&trace->lines, NATIVE_CHUNK_HEADER + length, &p, &got, error);
    if (status)
        return status;
    if (got < NATIVE_CHUNK_HEADER + length)
        return cut_off(offset, error, "chunk");
    sum = bytes_u32(p + 8, false);
    if (crc32c_add(&r->crc, crc32c_add(&r->crc, 0, p, 8), p + NATIVE_CHUNK_HEADER, length) != sum)
        return damaged(offset, error, "a chunk whose checksum does not fit");
    p += NATIVE_CHUNK_HEADER;
    if (memcmp(type, NATIVE_EVNT, 4) == 0)
        return open_block(trace, offset, p, length, sum, error);
    if (memcmp(type, NATIVE_CONF, 4) == 0)
        return read_config(trace, offset, p, length, error);
    if (memcmp(type, NATIVE_DEVS, 4) == 0)
        return read_devices(trace, offset, p, length, error);
    if (memcmp(type, NATIVE_TEXT, 4) == 0)
        return read_text(trace, offset, p, length, error);
    if (memcmp(type, NATIVE_DONE, 4) == 0)
        return read_done(trace, offset, p, length, error);
    return BOUNCE_OK;
}

static enum bounce_status read_head(struct bounce_trace *trace, struct bounce_error *error)
{
    const unsigned char *p;
    size_t got;
    enum bounce_status status = bytes_peek(&trace->lines, 24, &p, &got, error);

    if (status)
        return status;
    if (got < NATIVE_MAGIC_LENGTH || memcmp(p, NATIVE_MAGIC, NATIVE_MAGIC_LENGTH) != 0)
        return bytes_malformed(0, error, "not a native file",
                               "one that `bouncesim convert` wrote was expected");
    if (got < 24)
        return cut_off(0, error, "header");
    if (memcmp(p + 8, NATIVE_HEAD, 4) != 0)
        return damaged(8, error, "a native file without a header");
    if (bytes_u16(p + 20, false) > NATIVE_MAJOR)
        return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                             "byte 20: native format version %u, of a newer bouncesim; version %u "
                             "is the newest that this one reads",
                             bytes_u16(p + 20, false), NATIVE_MAJOR);
    return bytes_take(&trace->lines, NATIVE_MAGIC_LENGTH, &p, &got, error);
}

static void close_native(struct bounce_trace *trace)
{
    struct native_reader *r = trace->state;

    free(r->model.known);
    free(r);
}

/* Up to the first block: what is known from the start. */
static enum bounce_status open_native(struct bounce_trace *trace, struct bounce_error *error)
{
    struct native_reader *r = calloc(1, sizeof(*r));
    enum bounce_status status;

    trace->state = r;
    if (!r || !native_model_reserve(&r->model, 0))
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    crc32c_init(&r->crc);
    status = read_head(trace, error);
    while (!status && !r->left && !r->done)
        status = read_chunk(trace, error);
    return status;
}

/* ---- events ---- */

static inline const unsigned char *get_signed(const unsigned char *p, uint64_t *v)
{
    p = native_get(p, v);
    *v = native_unzigzag(*v);
    return p;
}

/* NULL: `*wrong` says why. */
static const unsigned char *define_profile(struct bounce_trace *trace, const unsigned char *p,
                                           const char **wrong)
{
    struct native_model *m = &((struct native_reader *)trace->state)->model;
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
static inline const unsigned char *get_event(struct bounce_trace *trace, struct native_reader *r,
                                             const unsigned char *p, struct bounce_event *e,
                                             const char **wrong)
{
    struct native_model *m = &r->model;
    struct native_profile *profile;
    struct native_guess g;
    uint64_t v, handle;
    unsigned fields, more = 0;

    p = native_get(p, &v);
    if (__builtin_expect(v >= m->nprofiles, 0)) {
        *wrong = "a profile that was not defined";
        if (v > m->nprofiles || !(p = define_profile(trace, p, wrong)))
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
        .time_ns = m->time * r->unit_ns,
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

static enum bounce_status bad_event(const struct native_reader *r, struct bounce_error *error,
                                    const char *what)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "byte %" PRIu64 ": event %u of the block that begins here: %s; the file "
                         "is damaged, convert it again from the original",
                         r->block_offset, r->count - r->left, what);
}

/* Reading an event that the block cut short would run past its end: the last bytes move to where
 * there is room. */
static void move_tail(struct native_reader *r)
{
    size_t length = (size_t)(r->end - r->at);

    memset(r->copy, 0, sizeof(r->copy));
    memcpy(r->copy, r->at, length);
    r->at = r->copy;
    r->end = r->copy + length;
    r->tail = NULL;
}

static enum bounce_status get_events(struct bounce_trace *trace, struct bounce_event *events,
                                     size_t capacity, size_t *got, struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    const char *wrong = NULL;

    while (*got < capacity && r->left) {
        struct bounce_event *e = &events[*got];
        const unsigned char *next;

        if (r->tail && r->at >= r->tail)
            move_tail(r);
        next = get_event(trace, r, r->at, e, &wrong);
        if (!next)
            return bad_event(r, error, wrong);
        if (next > r->end)
            return bad_event(r, error, "it ends beyond the block");
        r->at = next;
        if (e->kind == BOUNCE_EVENT_ISSUE &&
            sizes_add(&trace->sizes, e->size, (enum bounce_dir)e->dir))
            return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
        r->left--;
        r->events++;
        (*got)++;
    }
    if (!r->left && r->at != r->end)
        return bad_event(r, error, "more bytes behind the last one");
    return BOUNCE_OK;
}

static enum bounce_status next_native(struct bounce_trace *trace, struct bounce_event *events,
                                      size_t capacity, size_t *got, struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    enum bounce_status status = BOUNCE_OK;

    while (!status && *got < capacity) {
        status =
            r->left ? get_events(trace, events, capacity, got, error) : read_chunk(trace, error);
        if (!r->done)
            trace->counts.records = r->events; /* of progress; the true ones come last */
    }
    return status;
}

const struct bounce_format_ops format_native = {
    .detect = detect,
    .open = open_native,
    .next = next_native,
    .close = close_native,
};
