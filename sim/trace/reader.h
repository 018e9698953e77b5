/* SPDX-License-Identifier: Apache-2.0 */
/* What a format implements, and what it finds in struct bounce_trace. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include "index.h"
#include "lines.h"
#include "sizes.h"

#include "bounce/trace.h"

#define QUEUE_EVENTS (1u << 15)
#define QUEUE_MASK   (QUEUE_EVENTS - 1)

/* Most mappings that can be live at once: the slots of a 1 GiB pool, every one of them mapped. */
#define LIVE_LIMIT (1u << 19)

struct line_format; /* text.h */

#define DEVICES_MAX   4096u
#define DEVICE_PLACES (4 * DEVICES_MAX) /* of the table by name; a power of two */

struct bounce_format_ops {
    /* How sure the format is that the text (the first bytes of the input) is its own: 0 no, 100
     * certain. */
    int (*detect)(const char *text, size_t length);
    enum bounce_status (*open)(struct bounce_trace *trace, struct bounce_error *error);
    /* One record: zero or more events into the queue. BOUNCE_END after the last one, when
     * everything that waited has been settled. */
    enum bounce_status (*read)(struct bounce_trace *trace, struct bounce_error *error);
    /* In place of read(): events past the queue, *got of them more. BOUNCE_END after the last. */
    enum bounce_status (*next)(struct bounce_trace *trace, struct bounce_event *events,
                               size_t capacity, size_t *got, struct bounce_error *error);
    /* The queue is full and its oldest event still waits: settle it now. May be NULL. */
    void (*settle)(struct bounce_trace *trace);
    void (*close)(struct bounce_trace *trace);
    const struct line_format *lines; /* of formats that are read by text_read() */
};

/* Texts beside the events, as they were read. */
struct trace_texts {
    struct bounce_trace_text *list;
    size_t count;
    size_t bytes; /* of all texts */
};

void trace_texts_free(struct trace_texts *texts);

struct bounce_trace {
    const struct bounce_format *format;
    struct bounce_trace_options options;
    struct lines lines;
    struct bounce_recorded_config recorded;
    struct bounce_trace_counts counts;
    struct bounce_device *devices;
    size_t ndevices;
    size_t devices_room;
    uint16_t last_device; /* that trace_device() gave: the next is often the same */
    uint16_t device_places[DEVICE_PLACES]; /* by hash of the name, open addressing: index + 1 */
    struct sizes sizes;                    /* of requests */
    struct trace_texts texts;
    void *state; /* the format's */
    bool ended;
    void (*note)(void *context, const struct bounce_note *note); /* NULL: not wanted */
    void *note_context;

    /* Events in trace order; those that wait for a later record hold back what follows them. */
    struct bounce_event *queue;
    bool *waits;
    bool held; /* none is handed out yet: the format may still drop them, and their devices */
    uint64_t head;
    uint64_t tail;
};

static inline bool queue_full(const struct bounce_trace *trace)
{
    return trace->tail - trace->head == QUEUE_EVENTS;
}

/* Appends a zeroed event and returns it; the caller has seen to it that there is room. */
static inline struct bounce_event *queue_push(struct bounce_trace *trace)
{
    struct bounce_event *event = &trace->queue[trace->tail & QUEUE_MASK];

    trace->waits[trace->tail & QUEUE_MASK] = false;
    trace->tail++;
    *event = (struct bounce_event){.list = BOUNCE_NO_LIST};
    return event;
}

/* Tells of something (note->kind and what belongs to it) at the present record; `note_at`: at
 * note->place, a line or not like the present one. */
static inline void trace_note_at(struct bounce_trace *trace, struct bounce_note note)
{
    if (!trace->note)
        return;
    note.is_line = trace->lines.number != 0;
    trace->note(trace->note_context, &note);
}

static inline uint64_t trace_place(const struct bounce_trace *trace)
{
    return trace->lines.number ? trace->lines.number : trace->counts.records;
}

static inline void trace_note(struct bounce_trace *trace, struct bounce_note note)
{
    note.place = trace_place(trace);
    trace_note_at(trace, note);
}

/* The recorder says that it lost so many events. */
static inline void trace_lost(struct bounce_trace *trace, uint64_t count)
{
    trace->counts.lost_events += count;
    if (count)
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_LOST_EVENTS,
                                               .size = count,
                                               .time_ns = trace->counts.span_ns,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
}

/* Index of the device of that name, added if need be; what is not printable in it, and blanks,
 * commas and quotes, become colons. Fails (UINT16_MAX) beyond DEVICES_MAX or without memory. */
uint16_t trace_device(struct bounce_trace *trace, const char *name, size_t length);

/* The same of traces of many disks (clouds have thousands of volumes): those beyond DEVICES_MAX
 * share the last one, and their records are counted. Fails without memory. */
uint16_t trace_device_or_last(struct bounce_trace *trace, const char *name, size_t length);

/* There are none. */
void trace_forget_devices(struct bounce_trace *trace);

/* The input ends in a record that others stand in front of, as when a recorder was killed: it is
 * counted and left out. False: nothing stands in front. */
bool trace_cut(struct bounce_trace *trace);

/* Counts a record or line that cannot be read and is left out. */
void trace_skipped(struct bounce_trace *trace);

/* A record that cannot be read: refused, or counted with skip_malformed. */
enum bounce_status trace_malformed(struct bounce_trace *trace, struct bounce_error *error,
                                   const char *what, const char *wanted);

#endif
