/* SPDX-License-Identifier: Apache-2.0 */
/* blktrace's binary records, of one CPU (NAME.blktrace.N) or merged (`blkparse -d`), in the byte
 * order of the machine that wrote them. Source of the layout: include/uapi/linux/blktrace_api.h of
 * 6.12. */
#include "blktrace.h"

#include "bytes.h"
#include "formats.h"
#include "records.h"

#include <stdio.h>
#include <stdlib.h>

enum { ACTION_REQUEUE = 6, ACTION_ISSUE = 7, ACTION_COMPLETE = 8 };

#define ACTION_CGROUP    0x100u /* a cgroup id stands in the payload */
#define CATEGORY(bit)    ((uint32_t)(bit) << 16)
#define CATEGORY_WRITE   CATEGORY(0x2)
#define CATEGORY_PC      CATEGORY(0x200)
#define CATEGORY_NOTIFY  CATEGORY(0x400)
#define CATEGORY_DISCARD CATEGORY(0x2000)
#define PASSTHROUGH_KEY  (UINT64_C(1) << 63)

struct blktrace_state {
    struct records *records;
    bool big;
};

bool blktrace_is_record(const unsigned char *p, size_t length, bool *big)
{
    if (length < BLKTRACE_RECORD)
        return false;
    *big = bytes_u32(p, true) == BLKTRACE_MAGIC;
    return *big || bytes_u32(p, false) == BLKTRACE_MAGIC;
}

static int detect(const char *text, size_t length)
{
    bool big;

    return blktrace_is_record((const unsigned char *)text, length, &big) ? 100 : 0;
}

static enum bounce_status open_blktrace(struct bounce_trace *trace, struct bounce_error *error)
{
    struct blktrace_state *s = calloc(1, sizeof(*s));
    const unsigned char *p;
    size_t got;
    enum bounce_status status;

    trace->state = s;
    if (s)
        s->records = records_create(RECORDS_LOST);
    if (!s || !s->records)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->recorded.timed = true;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    trace->recorded.tells_requeues = true;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    status = bytes_peek(&trace->lines, BLKTRACE_RECORD, &p, &got, error);
    if (!status && !blktrace_is_record(p, got, &s->big))
        return bytes_malformed(0, error, "not a blktrace record",
                               "the magic 0x65617407 was expected");
    return status;
}

static void close_blktrace(struct bounce_trace *trace)
{
    struct blktrace_state *s = trace->state;

    records_destroy(s->records);
    free(s);
}

static uint16_t device_of(struct bounce_trace *trace, uint32_t device)
{
    char name[24];
    int length = snprintf(name, sizeof(name), "%u:%u", device >> 20, device & 0xfffff);

    return trace_device_or_last(trace, name, (size_t)length);
}

static enum bounce_status take(struct bounce_trace *trace, const unsigned char *p)
{
    struct blktrace_state *s = trace->state;
    uint64_t sector = bytes_u64(p + 16, s->big);
    uint32_t size = bytes_u32(p + 24, s->big);
    uint32_t action = bytes_u32(p + 28, s->big);
    uint32_t device = bytes_u32(p + 36, s->big);
    uint32_t cpu = bytes_u32(p + 40, s->big);
    uint32_t what = action & 0xffff & ~ACTION_CGROUP;
    struct record record = {.event = {.size = size, .cpu = (uint16_t)cpu}};

    trace->counts.records++;
    if (action & CATEGORY_NOTIFY) {
        trace->counts.other_events++; /* its time may lie long before the events */
        return BOUNCE_OK;
    }
    record.event.time_ns = records_time(trace, s->records, bytes_u64(p + 8, s->big));
    if (cpu >= trace->recorded.cpus && cpu < BOUNCE_MAX_CPUS)
        trace->recorded.cpus = cpu + 1;
    if ((what != ACTION_ISSUE && what != ACTION_COMPLETE && what != ACTION_REQUEUE) ||
        action & CATEGORY_DISCARD || !size) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    if (cpu >= BOUNCE_MAX_CPUS)
        record.event.cpu = 0;
    record.event.device = device_of(trace, device);
    if (record.event.device == UINT16_MAX)
        return BOUNCE_NO_MEMORY;
    record.event.kind = what == ACTION_ISSUE ? BOUNCE_EVENT_ISSUE : BOUNCE_EVENT_COMPLETE;
    record.event.dir = action & CATEGORY_WRITE ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
    record.event.offset = sector * 512;
    record.fifo = action & CATEGORY_PC;
    record.quiet = what == ACTION_REQUEUE;
    record.key = records_key(action & CATEGORY_PC ? PASSTHROUGH_KEY + record.event.dir : sector,
                             record.event.device);
    return records_add(trace, s->records, &record);
}

/* BOUNCE_END at the end of the input. */
static enum bounce_status read_record(struct bounce_trace *trace, struct bounce_error *error)
{
    struct blktrace_state *s = trace->state;
    uint64_t at = trace->lines.consumed;
    const unsigned char *p;
    size_t got, whole;
    bool big;
    enum bounce_status status = bytes_peek(&trace->lines, BLKTRACE_RECORD, &p, &got, error);

    if (status)
        return status;
    if (got == 0)
        return BOUNCE_END;
    if (got < BLKTRACE_RECORD)
        return bytes_cut(trace, at, error);
    if (!blktrace_is_record(p, got, &big) || big != s->big)
        return bytes_malformed(at, error, "not a blktrace record",
                               "the magic 0x65617407 was expected");
    whole = BLKTRACE_RECORD + bytes_u16(p + BLKTRACE_PAYLOAD_AT, big);
    status = bytes_take(&trace->lines, whole, &p, &got, error);
    if (status)
        return status;
    if (got < whole)
        return bytes_cut(trace, at, error);
    return take(trace, p);
}

static enum bounce_status read_blktrace(struct bounce_trace *trace, struct bounce_error *error)
{
    return records_read(trace, ((struct blktrace_state *)trace->state)->records, read_record,
                        error);
}

const struct bounce_format_ops format_blktrace = {
    .detect = detect,
    .open = open_blktrace,
    .read = read_blktrace,
    .close = close_blktrace,
};
