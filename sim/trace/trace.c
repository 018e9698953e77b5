/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, format detection and the event queue: what all formats share. */
#include "reader.h"
#include "scan.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static uint32_t name_hash(const char *name, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return (hash ^ hash >> 15) % DEVICE_PLACES;
}

static bool has_name(const struct bounce_trace *trace, size_t index, const char *name,
                     size_t length)
{
    return memcmp(trace->devices[index].name, name, length) == 0 &&
           trace->devices[index].name[length] == 0;
}

/* A name fit for JSON, CSV and the native format: "8,0" is 8:0. Returns its length, 1 at least. */
static size_t fit_name(char text[BOUNCE_DEVICE_NAME_MAX], const char *name, size_t length)
{
    size_t kept = length < BOUNCE_DEVICE_NAME_MAX ? length : BOUNCE_DEVICE_NAME_MAX - 1;

    text[0] = ':';
    for (size_t i = 0; i < kept; i++) {
        bool fit = name[i] > ' ' && name[i] < 0x7f && name[i] != ',' && name[i] != '"';

        text[i] = fit ? name[i] : ':';
    }
    kept += !kept;
    text[kept] = 0;
    return kept;
}

uint16_t trace_device(struct bounce_trace *trace, const char *name, size_t length)
{
    char text[BOUNCE_DEVICE_NAME_MAX];
    size_t kept;
    uint32_t place;

    if (trace->last_device < trace->ndevices && length && length < BOUNCE_DEVICE_NAME_MAX &&
        name[length - 1] && has_name(trace, trace->last_device, name, length))
        return trace->last_device;
    kept = fit_name(text, name, length);
    for (place = name_hash(text, kept); trace->device_places[place];
         place = (place + 1) % DEVICE_PLACES)
        if (has_name(trace, trace->device_places[place] - 1u, text, kept))
            return trace->last_device = (uint16_t)(trace->device_places[place] - 1u);
    if (trace->ndevices == DEVICES_MAX)
        return UINT16_MAX;
    if (trace->ndevices == trace->devices_room) {
        size_t room = trace->devices_room ? 2 * trace->devices_room : 16;
        void *bigger = realloc(trace->devices, room * sizeof(*trace->devices));

        if (!bigger)
            return UINT16_MAX;
        trace->devices = bigger;
        trace->devices_room = room;
    }
    bounce_device_init(&trace->devices[trace->ndevices], text);
    trace->device_places[place] = (uint16_t)(trace->ndevices + 1);
    return trace->last_device = (uint16_t)trace->ndevices++;
}

uint16_t trace_device_or_last(struct bounce_trace *trace, const char *name, size_t length)
{
    uint16_t index = trace_device(trace, name, length);

    if (index != UINT16_MAX || trace->ndevices < DEVICES_MAX)
        return index;
    trace->counts.shared_devices++;
    return DEVICES_MAX - 1;
}

void trace_forget_devices(struct bounce_trace *trace)
{
    trace->ndevices = 0;
    memset(trace->device_places, 0, sizeof(trace->device_places));
}

bool trace_cut(struct bounce_trace *trace)
{
    if (!trace->counts.records)
        return false;
    trace->counts.cut_records++;
    trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_CUT_RECORD,
                                           .device = BOUNCE_NOTE_NO_DEVICE});
    return true;
}

void trace_skipped(struct bounce_trace *trace)
{
    trace->counts.malformed++;
    trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_MALFORMED,
                                           .device = BOUNCE_NOTE_NO_DEVICE});
}

enum bounce_status trace_malformed(struct bounce_trace *trace, struct bounce_error *error,
                                   const char *what, const char *wanted)
{
    if (trace->lines.cut && trace_cut(trace))
        return BOUNCE_OK;
    if (trace->options.skip_malformed) {
        trace_skipped(trace);
        return BOUNCE_OK;
    }
    return bounce_refuse(error, BOUNCE_MALFORMED, trace->lines.number,
                         "%s%s; %s (--skip-malformed leaves such lines out)", what,
                         trace->lines.cut ? " (the input ends in this line)" : "", wanted);
}

static const struct bounce_format *detect(const char *text, size_t length)
{
    const struct bounce_format *best = NULL;
    int best_score = 0;

    for (size_t i = 0; bounce_format_at(i); i++) {
        const struct bounce_format *format = bounce_format_at(i);
        int score = format->ops->detect(text, length);

        if (score > best_score) {
            best = format;
            best_score = score;
        }
    }
    if (best)
        return best;
    /* A text with a bad line near its beginning: its reader tells which line that is. Of DiskSim
     * and MQSim the latter, as ever when no time has a decimal point. */
    for (size_t i = 0; bounce_format_at(i); i++) {
        const struct line_format *lines = bounce_format_at(i)->ops->lines;
        int rows = lines ? text_resembles(text, length, lines) : 0;

        if (rows && rows >= best_score) {
            best = bounce_format_at(i);
            best_score = rows;
        }
    }
    return best;
}

#ifndef BOUNCE_HAVE_PCAP
static bool is_capture(const char *text, size_t length)
{
    static const char magics[][4] = {
        {'\xd4', '\xc3', '\xb2', '\xa1'}, {'\xa1', '\xb2', '\xc3', '\xd4'},
        {'\x4d', '\x3c', '\xb2', '\xa1'}, {'\xa1', '\xb2', '\x3c', '\x4d'},
        {'\x0a', '\x0d', '\x0d', '\x0a'},
    };

    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if (length >= 4 && memcmp(text, magics[i], 4) == 0)
            return true;
    return false;
}
#endif

/* "[section]" on the first line that is neither empty nor a comment, and a job's key behind it. */
static bool is_fio_job(const char *text, size_t length)
{
    static const char *const keys[] = {
        "\nrw=", "\nreadwrite=", "\nbs=", "\nbssplit=", "\nioengine="};
    struct cursor c = {text, text + length};

    for (;;) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));

        scan_blanks(&c);
        if (c.at == c.end || (*c.at != '#' && *c.at != ';' && *c.at != '\n' && *c.at != '\r'))
            break;
        if (!newline)
            return false;
        c.at = newline + 1;
    }
    if (!scan_char(&c, '['))
        return false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (memmem(text, length, keys[i], strlen(keys[i])))
            return true;
    return false;
}

/* What people hand in that no reader takes, with the way out. */
static const char *advice(const char *text, size_t length)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *advice;
    } known[] = {
        {"PERFILE2", 8, "this is perf.data; give the text that `perf script` prints of it"},
        {"\x1f\x8b", 2, "this is gzip inside another compression; unpack it once"},
        {"\xfd"
         "7zXZ",
         5, "this is xz inside another compression; unpack it once"},
        {"\x28\xb5\x2f\xfd", 4, "this is zstd inside another compression; unpack it once"},
        {"BZh91AY", 7, "this is bzip2 inside another compression; unpack it once"},
        {"\x04\x22\x4d\x18", 4, "this is lz4; unpack it, `lz4 -dc FILE | bouncesim ... -`"},
        {"PK\3\4", 4, "this is a zip archive; unpack it and give the files in it"},
        {"7z\xbc\xaf\x27\x1c", 6, "this is a 7z archive; unpack it and give the files in it"},
        {"\x5d\0\0", 3, "this is lzma; unpack it, `xz -dc FILE | bouncesim ... -`"},
        {"\x08tae", 4,
         "these are blktrace records of version 8; give the text that "
         "`blkparse` prints of them"},
        {"eat\x08", 4,
         "these are blktrace records of version 8; give the text that "
         "`blkparse` prints of them"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (length >= known[i].length && memcmp(text, known[i].magic, known[i].length) == 0)
            return known[i].advice;
    if (length == 0)
        return "the file is empty";
    if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return "this is UTF-16 text; `iconv -f UTF-16 -t UTF-8` makes it readable";
    if (length > 262 && memcmp(text + 257, "ustar", 5) == 0)
        return "this is a tar archive; unpack it and give the files in it";
#ifndef BOUNCE_HAVE_PCAP
    if (is_capture(text, length))
        return "this is a network capture and this build has no libpcap; install libpcap-dev and "
               "build again";
#endif
    if (is_fio_job(text, length))
        return "this is a fio job; run it with --write_iolog=FILE and give that file";
    if (memchr(text, 0, length))
        return "this is binary data of no known format; `bouncesim list formats` shows what is "
               "read";
    return "no reader knows this text; `bouncesim list formats` shows what is read";
}

/* The byte order mark that some editors and spreadsheets put before text. */
static void skip_mark(struct bounce_trace *trace, const char **text, size_t *length)
{
    if (*length < 3 || memcmp(*text, "\xef\xbb\xbf", 3) != 0 || memchr(*text, 0, *length))
        return;
    trace->lines.begin += 3;
    *text += 3;
    *length -= 3;
}

static enum bounce_status start(struct bounce_trace *trace, struct bounce_error *error)
{
    const char *text;
    size_t length;
    enum bounce_status status = lines_peek(&trace->lines, &text, &length, error);

    if (status)
        return status;
    skip_mark(trace, &text, &length);
    trace->format = trace->options.format ? trace->options.format : detect(text, length);
    if (!trace->format)
        return bounce_refuse(error, BOUNCE_MALFORMED, 0, "%s", advice(text, length));
    return trace->format->ops->open(trace, error);
}

enum bounce_status bounce_trace_open(const struct bounce_input *input,
                                     const struct bounce_trace_options *options,
                                     struct bounce_trace **out, struct bounce_error *error)
{
    struct bounce_trace *trace = calloc(1, sizeof(*trace));
    enum bounce_status status;

    if (!trace)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->options = *options;
    trace->queue = calloc(QUEUE_EVENTS, sizeof(*trace->queue));
    trace->waits = calloc(QUEUE_EVENTS, sizeof(*trace->waits));
    status = lines_open(&trace->lines, input);
    if (!trace->queue || !trace->waits || status)
        status = bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    else
        status = start(trace, error);
    if (status) {
        bounce_trace_close(trace);
        return status;
    }
    *out = trace;
    return BOUNCE_OK;
}

void bounce_trace_close(struct bounce_trace *trace)
{
    if (!trace)
        return;
    if (trace->state)
        trace->format->ops->close(trace);
    lines_close(&trace->lines);
    free(trace->queue);
    free(trace->waits);
    free(trace->devices);
    sizes_free(&trace->sizes);
    trace_texts_free(&trace->texts);
    free(trace);
}

void bounce_trace_on_note(struct bounce_trace *trace,
                          void (*note)(void *context, const struct bounce_note *note),
                          void *context)
{
    trace->note = note;
    trace->note_context = context;
}

enum bounce_status bounce_trace_next(struct bounce_trace *trace, struct bounce_event *events,
                                     size_t capacity, size_t *got, struct bounce_error *error)
{
    *got = 0;
    if (trace->format->ops->next && !trace->ended) {
        enum bounce_status status = trace->format->ops->next(trace, events, capacity, got, error);

        if (status && status != BOUNCE_END)
            return status;
        trace->ended = status == BOUNCE_END;
        return *got ? BOUNCE_OK : BOUNCE_END;
    }
    while (*got < capacity) {
        enum bounce_status status;

        if (!trace->held && trace->head < trace->tail && !trace->waits[trace->head & QUEUE_MASK]) {
            events[(*got)++] = trace->queue[trace->head++ & QUEUE_MASK];
            continue;
        }
        if (trace->ended)
            break;
        if (trace->tail - trace->head > QUEUE_EVENTS / 2 && trace->format->ops->settle) {
            trace->format->ops->settle(trace);
            continue;
        }
        status = trace->format->ops->read(trace, error);
        if (status == BOUNCE_END)
            trace->ended = true;
        else if (status)
            return status;
    }
    return *got ? BOUNCE_OK : BOUNCE_END;
}

const struct bounce_format *bounce_trace_format(const struct bounce_trace *trace)
{
    return trace->format;
}

const struct bounce_recorded_config *bounce_trace_recorded(const struct bounce_trace *trace)
{
    return &trace->recorded;
}

const struct bounce_trace_counts *bounce_trace_get_counts(const struct bounce_trace *trace)
{
    return &trace->counts;
}

struct bounce_request_counts bounce_trace_requests(const struct bounce_trace *trace)
{
    return sizes_counts(&trace->sizes);
}

const struct bounce_trace_text *bounce_trace_text_at(const struct bounce_trace *trace, size_t index)
{
    return index < trace->texts.count ? &trace->texts.list[index] : NULL;
}

const struct bounce_device *bounce_trace_devices(const struct bounce_trace *trace, size_t *count)
{
    *count = trace->ndevices;
    return trace->devices;
}
