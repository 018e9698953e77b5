/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what native_write.c writes: chunk by chunk out of the input's buffer, events straight into
 * the caller's array. */
#include "bytes.h"
#include "crc32c.h"
#include "formats.h"
#include "native_decode.h"
#include "native_texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct native_reader {
    struct crc32c crc;
    struct native_decoder block;
    uint64_t events; /* so far */
    uint64_t blocks;
    uint32_t blocks_sum;
    bool done; /* the counts have been read */
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

#define BLOCK_HEADER 24u /* u32 events, u64 events before, u64 time, u32 unit */

/* A block refers to the bytes of its chunk until its last event has been read. */
static enum bounce_status open_block(struct bounce_trace *trace, uint64_t offset,
                                     const unsigned char *p, size_t length, uint32_t sum,
                                     struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    unsigned char bytes[4] = {(unsigned char)sum, (unsigned char)(sum >> 8),
                              (unsigned char)(sum >> 16), (unsigned char)(sum >> 24)};
    uint32_t count, unit_ns;

    if (length < BLOCK_HEADER)
        return damaged(offset, error, "a block without its header");
    count = bytes_u32(p, false);
    unit_ns = bytes_u32(p + 20, false);
    if (!count || count > NATIVE_BLOCK_EVENTS || bytes_u64(p + 4, false) != r->events || !unit_ns)
        return damaged(offset, error, "a block out of its place");
    r->blocks++;
    r->blocks_sum = crc32c_add(&r->crc, r->blocks_sum, bytes, sizeof(bytes));
    native_decoder_open(&r->block, offset, p + BLOCK_HEADER, length - BLOCK_HEADER, count,
                        bytes_u64(p + 12, false), unit_ns);
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
    unsigned char copy[40 + BOUNCE_DEVICE_NAME_MAX] = {0}; /* four numbers, the name, its length */
    size_t left = (size_t)(end - *at), length;
    const unsigned char *p = copy, *name;
    uint64_t index, dma_mask, boundary, min_align;
    uint16_t device;

    memcpy(copy, *at, left < sizeof(copy) ? left : sizeof(copy));
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

    native_decoder_free(&r->block);
    free(r);
}

/* Up to the first block: what is known from the start. */
static enum bounce_status open_native(struct bounce_trace *trace, struct bounce_error *error)
{
    struct native_reader *r = calloc(1, sizeof(*r));
    enum bounce_status status;

    trace->state = r;
    if (!r || !native_model_reserve(&r->block.model, 0))
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    crc32c_init(&r->crc);
    status = read_head(trace, error);
    while (!status && !r->block.left && !r->done)
        status = read_chunk(trace, error);
    return status;
}

static enum bounce_status next_native(struct bounce_trace *trace, struct bounce_event *events,
                                      size_t capacity, size_t *got, struct bounce_error *error)
{
    struct native_reader *r = trace->state;
    enum bounce_status status = BOUNCE_OK;

    while (!status && *got < capacity) {
        if (r->block.left) {
            size_t before = *got;

            status = native_decode(&r->block, trace, events, capacity, got, error);
            r->events += *got - before;
        } else {
            status = read_chunk(trace, error);
        }
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
