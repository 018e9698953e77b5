/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"
#include "native_encode.h"
#include "native_texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAX (1u << 16) /* entries; from there on every second one goes */

struct index_entry {
    uint64_t offset;
    uint64_t event;
    uint64_t time_ns;
};

struct bounce_native_writer {
    struct bounce_output output;
    struct crc32c crc;
    uint64_t offset; /* bytes written */
    struct bounce_recorded_config config;
    bool has_config;
    struct bounce_device *devices; /* as written last */
    size_t ndevices;
    size_t devices_room;
    struct bounce_event *events; /* of the block at hand */
    uint32_t nevents;
    uint64_t total; /* events written in blocks */
    uint64_t blocks;
    uint32_t blocks_sum;
    struct index_entry *index;
    uint32_t nindex;
    uint32_t index_room;
    uint32_t texts;
    size_t text_bytes;
    uint64_t index_stride; /* blocks from one entry to the next */
    struct native_encoder encoder;
    unsigned char chunk[NATIVE_CHUNK_HEADER + NATIVE_CHUNK_MAX];
};

static void put_u16(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void put_u32(unsigned char *p, uint32_t v)
{
    put_u16(p, v);
    put_u16(p + 2, v >> 16);
}

static void put_u64(unsigned char *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static enum bounce_status put_bytes(struct bounce_native_writer *w, const void *bytes,
                                    size_t length, struct bounce_error *error)
{
    w->offset += length;
    return w->output.write(w->output.context, bytes, length, error);
}

static unsigned char *payload(struct bounce_native_writer *w)
{
    return w->chunk + NATIVE_CHUNK_HEADER;
}

static enum bounce_status put_chunk(struct bounce_native_writer *w, const char *type, size_t length,
                                    struct bounce_error *error)
{
    uint32_t sum;

    memcpy(w->chunk, type, 4);
    put_u32(w->chunk + 4, (uint32_t)length);
    sum = crc32c_add(&w->crc, 0, w->chunk, 8);
    put_u32(w->chunk + 8, crc32c_add(&w->crc, sum, payload(w), length));
    return put_bytes(w, w->chunk, NATIVE_CHUNK_HEADER + length, error);
}

/* ---- the beginning ---- */

/* One "name=value" line; characters that would end it are replaced. */
static size_t put_line(unsigned char *p, const char *name, const char *value)
{
    size_t n = (size_t)snprintf((char *)p, 1024, "%s=%.900s", name, value);

    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ')
            p[i] = '?';
    p[n] = '\n';
    return n + 1;
}

static size_t put_number(unsigned char *p, const char *name, uint64_t value, bool hex)
{
    char text[24];

    snprintf(text, sizeof(text), hex ? "0x%" PRIx64 : "%" PRIu64, value);
    return put_line(p, name, text);
}

static enum bounce_status put_head(struct bounce_native_writer *w,
                                   const struct bounce_native_source *source,
                                   struct bounce_error *error)
{
    enum bounce_status status = put_bytes(w, NATIVE_MAGIC, NATIVE_MAGIC_LENGTH, error);
    unsigned char *p = payload(w);

    if (status)
        return status;
    put_u16(p, NATIVE_MAJOR);
    put_u16(p + 2, NATIVE_MINOR);
    p += 4;
    p += put_line(p, "writer", source->writer ? source->writer : "");
    p += put_line(p, "source", source->file ? source->file : "");
    p += put_line(p, "source_format", source->format ? source->format : "");
    p += put_line(p, "time_unit", "ns");
    if (source->inferred) {
        const struct bounce_inference *i = source->inferred;

        p += put_number(p, "inferred.cpus", i->cpus, false);
        p += put_number(p, "inferred.nslabs", i->nslabs, false);
        p += put_number(p, "inferred.nareas", i->nareas, false);
        p += put_number(p, "inferred.start", i->start, true);
        p += put_number(p, "inferred.explained", i->explained, false);
        p += put_number(p, "inferred.tried", i->tried, false);
        p += put_number(p, "inferred.grew", i->grew, false);
        p += put_number(p, "inferred.in_use", i->in_use, false);
    }
    return put_chunk(w, NATIVE_HEAD, (size_t)(p - payload(w)), error);
}

enum bounce_status bounce_native_create(const struct bounce_output *output,
                                        const struct bounce_native_source *source,
                                        struct bounce_native_writer **out,
                                        struct bounce_error *error)
{
    struct bounce_native_writer *w = calloc(1, sizeof(*w));
    enum bounce_status status;

    if (!w)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    w->output = *output;
    w->index_stride = 1;
    crc32c_init(&w->crc);
    w->events = malloc(NATIVE_BLOCK_EVENTS * sizeof(*w->events));
    status = w->events ? put_head(w, source, error)
                       : bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    if (status) {
        bounce_native_destroy(w);
        return status;
    }
    *out = w;
    return BOUNCE_OK;
}

void bounce_native_destroy(struct bounce_native_writer *w)
{
    if (!w)
        return;
    free(w->devices);
    free(w->events);
    free(w->index);
    native_encoder_free(&w->encoder);
    free(w);
}

/* ---- blocks ---- */

static void index_block(struct bounce_native_writer *w, uint64_t time_ns)
{
    if (w->blocks % w->index_stride)
        return;
    if (w->nindex == w->index_room && w->index_room < INDEX_MAX) {
        uint32_t room = w->index_room ? 2 * w->index_room : 64;
        struct index_entry *more = realloc(w->index, room * sizeof(*more));

        if (!more)
            return; /* a coarser index is still one */
        w->index = more;
        w->index_room = room;
    }
    if (w->nindex == w->index_room) {
        for (uint32_t i = 0; 2 * i < w->nindex; i++)
            w->index[i] = w->index[2 * i];
        w->nindex = (w->nindex + 1) / 2;
        w->index_stride *= 2;
        if (w->blocks % w->index_stride)
            return;
    }
    w->index[w->nindex++] = (struct index_entry){w->offset, w->total, time_ns};
}

static uint64_t unit_of(const struct bounce_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (events[i].time_ns % 1000)
            return 1;
    return 1000;
}

/* The first of the buffered events, as many as fit into a chunk; *done says how many. */
static enum bounce_status put_block(struct bounce_native_writer *w, const struct bounce_event *e,
                                    uint32_t count, uint32_t *done, struct bounce_error *error)
{
    unsigned char *p = payload(w), *limit = p + NATIVE_CHUNK_MAX - NATIVE_EVENT_MAX;
    uint64_t unit = unit_of(e, count);
    unsigned char sum[4];
    enum bounce_status status;
    uint32_t n = 0;

    *done = 0;
    index_block(w, e[0].time_ns);
    native_encoder_reset(&w->encoder, e[0].time_ns, unit);
    put_u64(p + 4, w->total);
    put_u64(p + 12, e[0].time_ns);
    put_u32(p + 20, (uint32_t)unit);
    p += 24;
    while (n < count && p < limit && native_encoder_has_room(&w->encoder)) {
        p = native_encode(&w->encoder, p, &e[n++]);
        if (!p)
            return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    }
    put_u32(payload(w), n);
    status = put_chunk(w, NATIVE_EVNT, (size_t)(p - payload(w)), error);
    memcpy(sum, w->chunk + 8, sizeof(sum));
    w->blocks_sum = crc32c_add(&w->crc, w->blocks_sum, sum, sizeof(sum));
    w->total += n;
    w->blocks++;
    *done = n;
    return status;
}

static enum bounce_status put_blocks(struct bounce_native_writer *w, struct bounce_error *error)
{
    enum bounce_status status = BOUNCE_OK;

    for (uint32_t at = 0, done; at < w->nevents && !status; at += done)
        status = put_block(w, w->events + at, w->nevents - at, &done, error);
    w->nevents = 0;
    return status;
}

enum bounce_status bounce_native_write(struct bounce_native_writer *w,
                                       const struct bounce_event *events, size_t count,
                                       struct bounce_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *reason = native_unfit(&w->encoder, &events[i], w->ndevices, w->config.level);
        enum bounce_status status;

        if (reason)
            return bounce_refuse(error, BOUNCE_INVALID, 0,
                                 "event %" PRIu64 " cannot be written: %s", w->total + w->nevents,
                                 reason);
        w->events[w->nevents++] = events[i];
        if (w->nevents == NATIVE_BLOCK_EVENTS && (status = put_blocks(w, error)))
            return status;
    }
    return BOUNCE_OK;
}

/* ---- what is known of the machine ---- */

static bool same_config(const struct bounce_recorded_config *a,
                        const struct bounce_recorded_config *b)
{
    unsigned char x[NATIVE_NAMES_MAX], y[NATIVE_NAMES_MAX];
    size_t n = native_put_config(x, a);

    return n == native_put_config(y, b) && memcmp(x, y, n) == 0;
}

static bool same_device(const struct bounce_device *a, const struct bounce_device *b)
{
    return a->dma_mask == b->dma_mask && a->seg_boundary == b->seg_boundary &&
           a->min_align_mask == b->min_align_mask && strcmp(a->name, b->name) == 0;
}

/* Devices from `first` on that were not written like that before. */
static enum bounce_status put_devices(struct bounce_native_writer *w,
                                      const struct bounce_device *devices, size_t count, bool all,
                                      struct bounce_error *error)
{
    unsigned char *p = payload(w), *limit = p + NATIVE_CHUNK_MAX - 256;
    enum bounce_status status = BOUNCE_OK;

    for (size_t i = 0; i < count && !status; i++) {
        size_t length = strlen(devices[i].name);

        if (!all && i < w->ndevices && same_device(&devices[i], &w->devices[i]))
            continue;
        p = native_put(p, i);
        *p++ = (unsigned char)length;
        memcpy(p, devices[i].name, length);
        p = native_put(p + length, devices[i].dma_mask);
        p = native_put(p, devices[i].seg_boundary);
        p = native_put(p, devices[i].min_align_mask);
        if (p > limit) {
            status = put_chunk(w, NATIVE_DEVS, (size_t)(p - payload(w)), error);
            p = payload(w);
        }
    }
    if (!status && p > payload(w))
        status = put_chunk(w, NATIVE_DEVS, (size_t)(p - payload(w)), error);
    return status;
}

static bool devices_differ(const struct bounce_native_writer *w,
                           const struct bounce_device *devices, size_t count)
{
    if (count != w->ndevices)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!same_device(&devices[i], &w->devices[i]))
            return true;
    return false;
}

static bool keep_devices(struct bounce_native_writer *w, const struct bounce_device *devices,
                         size_t count)
{
    if (count > w->devices_room) {
        struct bounce_device *more = realloc(w->devices, 2 * count * sizeof(*more));

        if (!more)
            return false;
        w->devices = more;
        w->devices_room = 2 * count;
    }
    if (count)
        memcpy(w->devices, devices, count * sizeof(*devices));
    w->ndevices = count;
    return true;
}

enum bounce_status bounce_native_set(struct bounce_native_writer *w,
                                     const struct bounce_recorded_config *recorded,
                                     const struct bounce_device *devices, size_t ndevices,
                                     struct bounce_error *error)
{
    bool config = !w->has_config || !same_config(&w->config, recorded);
    bool others = devices_differ(w, devices, ndevices);
    enum bounce_status status = BOUNCE_OK;

    if (!config && !others)
        return BOUNCE_OK;
    status = put_blocks(w, error);
    if (!status && config)
        status = put_chunk(w, NATIVE_CONF, native_put_config(payload(w), recorded), error);
    if (!status && others)
        status = put_devices(w, devices, ndevices, false, error);
    if (status)
        return status;
    w->config = *recorded;
    w->has_config = true;
    return keep_devices(w, devices, ndevices)
               ? BOUNCE_OK
               : bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
}

/* ---- texts ---- */

enum bounce_status bounce_native_text(struct bounce_native_writer *w, const char *name,
                                      const char *text, size_t length, struct bounce_error *error)
{
    size_t name_length = strlen(name), room = NATIVE_CHUNK_MAX - name_length - 2, done = 0;
    enum bounce_status status;

    if (!native_text_name(name, name_length))
        return bounce_refuse(error, BOUNCE_INVALID, 0, "text '%.80s': not a name", name);
    if (w->texts == NATIVE_TEXTS_MAX || length > NATIVE_TEXTS_BYTES - w->text_bytes)
        return bounce_refuse(error, BOUNCE_INVALID, 0, "text '%s': more than a recording has",
                             name);
    w->texts++;
    w->text_bytes += length;
    status = put_blocks(w, error);
    do {
        size_t part = length - done < room ? length - done : room;
        unsigned char *p = payload(w);

        *p++ = (unsigned char)name_length;
        for (size_t i = 0; i < name_length; i++)
            *p++ = (unsigned char)name[i];
        *p++ = done > 0;
        memcpy(p, text + done, part);
        done += part;
        if (!status)
            status = put_chunk(w, NATIVE_TEXT, name_length + 2 + part, error);
    } while (!status && done < length);
    return status;
}

/* ---- the end ---- */

static enum bounce_status put_index(struct bounce_native_writer *w, struct bounce_error *error)
{
    enum bounce_status status = BOUNCE_OK;

    for (uint32_t i = 0; i < w->nindex && !status;) {
        unsigned char *p = payload(w);

        for (uint32_t n = 0; n < NATIVE_INDEX_ENTRIES && i < w->nindex; n++, i++, p += 24) {
            put_u64(p, w->index[i].offset);
            put_u64(p + 8, w->index[i].event);
            put_u64(p + 16, w->index[i].time_ns);
        }
        status = put_chunk(w, NATIVE_INDX, (size_t)(p - payload(w)), error);
    }
    return status;
}

enum bounce_status bounce_native_finish(struct bounce_native_writer *w,
                                        const struct bounce_trace_counts *counts,
                                        struct bounce_error *error)
{
    enum bounce_status status = put_blocks(w, error);
    uint64_t summary = w->offset;
    static const char end_magic[8] = {'B', 'N', 'C', ' ', 'e', 'n', 'd', '\n'};
    unsigned char end[NATIVE_END_LENGTH];
    unsigned char *p = payload(w);

    if (!status)
        status = put_chunk(w, NATIVE_CONF, native_put_config(p, &w->config), error);
    if (!status)
        status = put_devices(w, w->devices, w->ndevices, true, error);
    if (!status)
        status = put_index(w, error);
    if (status)
        return status;
    put_u64(p, w->total);
    put_u64(p + 8, w->blocks);
    put_u32(p + 16, w->blocks_sum);
    status = put_chunk(w, NATIVE_DONE, 20 + native_put_counts(p + 20, counts), error);
    if (status)
        return status;
    put_u64(end, summary);
    memcpy(end + 8, end_magic, sizeof(end_magic));
    return put_bytes(w, end, sizeof(end), error);
}
