/* SPDX-License-Identifier: Apache-2.0 */
/* VMware's vscsi traces (CloudPhysics), little-endian records without a header:
 *
 *   version 1, 32 bytes   u32 serial, u32 bytes, u32 segments, u16 command, u16 version, u64 lbn,
 *                         u64 microseconds
 *   version 2, 40 bytes   u16 command, u16 version, u32 serial, u32 bytes, u32 segments, u64 lbn,
 *                         u64 microseconds, u64 response in microseconds
 *
 * Source of the layout: vscsi.h of libCacheSim. */
#include "bytes.h"
#include "formats.h"
#include "records.h"

#include <stdlib.h>

#define RECORD_1 32u
#define RECORD_2 40u
#define US_MAX   (UINT64_MAX / 1000)

struct vscsi_state {
    struct records *records;
    unsigned version;
};

struct command {
    uint32_t op, version, size, segments;
    uint64_t lbn, time_us, response_us;
};

static struct command decode(const unsigned char *p, unsigned version)
{
    if (version == 1)
        return (struct command){bytes_u16(p + 12, false),
                                bytes_u16(p + 14, false),
                                bytes_u32(p + 4, false),
                                bytes_u32(p + 8, false),
                                bytes_u64(p + 16, false),
                                bytes_u64(p + 24, false),
                                0};
    return (struct command){bytes_u16(p, false),      bytes_u16(p + 2, false),
                            bytes_u32(p + 8, false),  bytes_u32(p + 12, false),
                            bytes_u64(p + 16, false), bytes_u64(p + 24, false),
                            bytes_u64(p + 32, false)};
}

/* 0: neither reads nor writes data. */
static unsigned direction(uint32_t op)
{
    switch (op) {
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0x88:
        return BOUNCE_FROM_DEVICE;
    case 0x0a:
    case 0x2a:
    case 0xaa:
    case 0x8a:
        return BOUNCE_TO_DEVICE;
    default:
        return 0;
    }
}

static bool sound(const struct command *command, unsigned version)
{
    return command->version >> 8 == version && command->op <= 0xff && command->time_us <= US_MAX &&
           command->response_us <= US_MAX;
}

/* The version of which the first records are, 0: of none. One whole record is enough. */
static unsigned version_of(const unsigned char *p, size_t length)
{
    static const unsigned sizes[] = {0, RECORD_1, RECORD_2};

    for (unsigned version = 1; version <= 2; version++) {
        size_t size = sizes[version], checked = 0;
        struct command command;

        while (checked < 4 && (checked + 1) * size <= length) {
            command = decode(p + checked * size, version);
            if (!sound(&command, version))
                break;
            checked++;
        }
        if (checked == 4 || (checked && (checked + 1) * size > length))
            return version;
    }
    return 0;
}

static int detect(const char *text, size_t length)
{
    return version_of((const unsigned char *)text, length) ? 60 : 0;
}

static enum bounce_status open_vscsi(struct bounce_trace *trace, struct bounce_error *error)
{
    struct vscsi_state *s = calloc(1, sizeof(*s));
    const unsigned char *p;
    size_t got;
    enum bounce_status status;

    trace->state = s;
    if (s)
        s->records = records_create(RECORDS_FIFO);
    if (!s || !s->records || trace_device(trace, "vscsi", 5) == UINT16_MAX)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->recorded.timed = true;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    status = bytes_peek(&trace->lines, 4 * RECORD_2, &p, &got, error);
    if (status)
        return status;
    s->version = version_of(p, got);
    return s->version
               ? BOUNCE_OK
               : bytes_malformed(0, error, "not a vscsi record", "version 1 or 2 was expected");
}

static void close_vscsi(struct bounce_trace *trace)
{
    struct vscsi_state *s = trace->state;

    records_destroy(s->records);
    free(s);
}

static enum bounce_status take(struct bounce_trace *trace, const struct command *command)
{
    struct vscsi_state *s = trace->state;
    unsigned dir = direction(command->op);
    struct record record = {
        .event =
            {
                .time_ns = records_time(trace, s->records, command->time_us * 1000),
                .size = command->size,
                .offset = command->lbn * 512,
                .dir = (uint8_t)dir,
                .kind = BOUNCE_EVENT_ISSUE,
                .segments =
                    (uint16_t)(command->segments > UINT16_MAX ? UINT16_MAX : command->segments),
            },
        .key = NO_KEY,
    };

    trace->counts.records++;
    if (!dir || !command->size) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    return s->version == 2
               ? records_add_timed(trace, s->records, &record, command->response_us * 1000)
               : records_add(trace, s->records, &record);
}

static enum bounce_status read_record(struct bounce_trace *trace, struct bounce_error *error)
{
    struct vscsi_state *s = trace->state;
    size_t size = s->version == 1 ? RECORD_1 : RECORD_2, got;
    uint64_t at = trace->lines.consumed;
    struct command command;
    const unsigned char *p;
    enum bounce_status status = bytes_take(&trace->lines, size, &p, &got, error);

    if (status)
        return status;
    if (got == 0)
        return BOUNCE_END;
    if (got < size)
        return bytes_cut(trace, at, error);
    command = decode(p, s->version);
    if (sound(&command, s->version))
        return take(trace, &command);
    if (trace->options.skip_malformed) {
        trace_skipped(trace);
        return BOUNCE_OK;
    }
    return bytes_malformed(at, error, "not a vscsi record of the version of the first one",
                           "all of one version were expected (--skip-malformed leaves it out)");
}

static enum bounce_status read_vscsi(struct bounce_trace *trace, struct bounce_error *error)
{
    return records_read(trace, ((struct vscsi_state *)trace->state)->records, read_record, error);
}

const struct bounce_format_ops format_vscsi = {
    .detect = detect,
    .open = open_vscsi,
    .read = read_vscsi,
    .close = close_vscsi,
};
