/* SPDX-License-Identifier: Apache-2.0 */
/* A whole log: wrapped lines, messages told twice, messages not printed, the boot messages. */
#include "scan.h"

#include <string.h>

/* Old kernels print a second message about one event; other CPUs' lines may come between. */
#define REPEAT_LINES 16u

enum bounce_status
bounce_log_stream_init(struct bounce_log_stream *stream,
                       const struct bounce_explain_options *options,
                       void (*event)(void *context, const struct bounce_log_event *), void *context)
{
    struct bounce_log_record record = {.kind = BOUNCE_LOG_NO_POOL};
    struct bounce_explain_result result;
    enum bounce_status status = bounce_explain(options, &record, &result);
    if (status != BOUNCE_OK)
        return status;
    memset(stream, 0, sizeof *stream);
    stream->options = *options;
    stream->event = event;
    stream->context = context;
    return BOUNCE_OK;
}

static struct bounce_log_name *find_name(struct bounce_log_stream *s, struct bounce_log_span device)
{
    if (!device.length || device.length > BOUNCE_LOG_NAME_MAX)
        return NULL;
    for (unsigned i = 0; i < s->names_count; i++)
        if (s->names[i].length == device.length &&
            memcmp(s->names[i].text, device.text, device.length) == 0)
            return &s->names[i];
    if (s->names_count == BOUNCE_LOG_NAMES)
        return NULL;
    struct bounce_log_name *name = &s->names[s->names_count++];
    memcpy(name->text, device.text, device.length);
    name->length = (uint8_t)device.length;
    return name;
}

static void add(uint64_t *sum, uint64_t n)
{
    *sum = n > UINT64_MAX - *sum ? UINT64_MAX : *sum + n;
}

static void take_suppressed(struct bounce_log_stream *s, const struct bounce_log_record *r)
{
    if (scan_find(r->device.text, r->device.text + r->device.length, "swiotlb")) {
        add(&s->suppressed, r->count);
        return;
    }
    struct bounce_log_name *name = find_name(s, r->device);
    if (name)
        add(&name->suppressed, r->count);
}

uint64_t bounce_log_stream_suppressed(const struct bounce_log_stream *stream)
{
    uint64_t sum = stream->suppressed;
    for (unsigned i = 0; i < stream->names_count; i++)
        if (stream->names[i].failed)
            add(&sum, stream->names[i].suppressed);
    return sum;
}

/* "DMA: Out of SW-IOMMU space" names the bus address alone. */
static bool is_repeat(struct bounce_log_stream *s, const struct bounce_log_record *r,
                      uint64_t number)
{
    if (r->kind != BOUNCE_LOG_OUT_OF_SPACE && r->kind != BOUNCE_LOG_COHERENT)
        return false;
    size_t n = r->device.length;
    if (!s->last_open || r->size != s->last_size || number - s->last_number > REPEAT_LINES ||
        n > s->last_length || memcmp(s->last_device + s->last_length - n, r->device.text, n) != 0)
        return false;
    s->last_open = false;
    return true;
}

static void tell(struct bounce_log_stream *s, const struct bounce_log_record *r, uint64_t number,
                 struct bounce_log_span line)
{
    if (is_repeat(s, r, number)) {
        s->repeats++;
        return;
    }
    s->last_open = r->kind == BOUNCE_LOG_FULL;
    s->last_length = r->device.length;
    s->last_size = r->size;
    s->last_number = number;
    memcpy(s->last_device, r->device.text, r->device.length);
    struct bounce_log_name *name = find_name(s, r->device);
    if (name)
        name->failed = true;

    struct bounce_explain_options options = s->options;
    if (!options.areas_given)
        options.areas = options.boot.nareas;
    struct bounce_explain_result result;
    if (bounce_explain(&options, r, &result) != BOUNCE_OK)
        return; /* not reached: the options were checked at the start */
    s->events++;
    struct bounce_log_event event = {number, line, r, &result, &options};
    s->event(s->context, &event);
}

static void hold(struct bounce_log_stream *s, const char *text, size_t length, uint64_t number)
{
    size_t skip = length > BOUNCE_LOG_HELD_MAX / 2 ? length - BOUNCE_LOG_HELD_MAX / 2 : 0;
    s->held_length = length - skip;
    s->held_number = number;
    memcpy(s->held, text + skip, s->held_length);
}

static void read_messages(struct bounce_log_stream *s, const char *text, size_t length,
                          uint64_t number, bool may_hold)
{
    struct bounce_log_record r;
    for (size_t from = 0;; from = r.end) {
        enum bounce_status status = bounce_log_next(text, length, from, &r);
        if (r.cut && may_hold) {
            hold(s, text + from, length - from, number);
            return;
        }
        if (status == BOUNCE_END)
            return;
        struct bounce_log_span line = {text + from, r.end - from};
        if (status == BOUNCE_MALFORMED)
            s->malformed++;
        else if (r.kind == BOUNCE_LOG_SUPPRESSED)
            take_suppressed(s, &r);
        else
            tell(s, &r, number, line);
    }
}

static void release(struct bounce_log_stream *s)
{
    size_t length = s->held_length;
    s->held_length = 0;
    if (length)
        read_messages(s, s->held, length, s->held_number, false);
}

/* A line wrapped by a mail program: put together it must be a whole message. Returns how many bytes
 * of `text` went into it. */
static size_t join(struct bounce_log_stream *s, const char *text, size_t length)
{
    size_t skip = 0;
    while (skip < length && (text[skip] == ' ' || text[skip] == '\t' || text[skip] == '>'))
        skip++;
    size_t room = BOUNCE_LOG_HELD_MAX - s->held_length - 1;
    size_t n = length - skip < room ? length - skip : room;
    size_t joined = s->held_length;
    if (joined && s->held[joined - 1] != ' ')
        s->held[joined++] = ' ';
    memcpy(s->held + joined, text + skip, n);

    struct bounce_log_record r;
    if (bounce_log_next(text, length, 0, &r) != BOUNCE_END)
        return 0; /* a message of its own */
    if (bounce_log_next(s->held, joined + n, 0, &r) != BOUNCE_OK || r.cut || r.end <= joined ||
        !(r.has & BOUNCE_LOG_HAS_SIZE))
        return 0;
    s->held_length = 0;
    tell(s, &r, s->held_number, (struct bounce_log_span){s->held, r.end});
    return skip + r.end - joined;
}

static void end_line(struct bounce_log_stream *s)
{
    char *text = s->line;
    size_t length = s->line_length;
    s->lines++;
    s->number++;
    s->lines_cut += s->line_long;
    s->line_open = s->line_long = false;
    s->line_length = 0;
    bounce_log_clean(text, &length);
    size_t from = 0;
    if (s->held_length) {
        from = join(s, text, length);
        release(s);
    }
    if (bounce_log_boot_line(text + from, length - from, s->options.slot_size, &s->options.boot))
        return;
    read_messages(s, text + from, length - from, s->number, true);
}

void bounce_log_stream_feed(struct bounce_log_stream *stream, const char *bytes, size_t length)
{
    const char *end = bytes + length;
    while (bytes < end) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t n = (size_t)((stop ? stop : end) - bytes);
        size_t room = BOUNCE_LOG_LINE_MAX - stream->line_length;
        memcpy(stream->line + stream->line_length, bytes, n < room ? n : room);
        stream->line_length += n < room ? n : room;
        stream->line_long |= n > room;
        stream->line_open = true;
        bytes += n;
        if (stop) {
            end_line(stream);
            bytes++;
        }
    }
}

void bounce_log_stream_end(struct bounce_log_stream *stream)
{
    if (stream->line_open)
        end_line(stream);
    release(stream);
    stream->number = 0;
    stream->last_open = false;
    memset(&stream->options.boot, 0, sizeof stream->options.boot);
}
