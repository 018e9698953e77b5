/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

struct text {
    struct records *records;
    struct row_state state;
    bool level_known;
    bool told; /* the file says itself what the machine was like */
};

static const struct row empty_row = {
    .response_ns = NO_RESPONSE,
    .key = NO_KEY,
    .kind = BOUNCE_EVENT_ISSUE,
};

enum row_result row_bad(struct row_state *state, const char *what, const struct field *field)
{
    char piece[41];
    size_t n = 0;

    for (; n < field->length && n + 1 < sizeof(piece); n++)
        piece[n] = field->at[n] >= ' ' && field->at[n] < 0x7f ? field->at[n] : '?';
    piece[n] = 0;
    snprintf(state->why, sizeof(state->why), "%s: `%s`", what, piece);
    return ROW_BAD;
}

/* How many of the first lines are rows of the format, and how many are nothing that it has. */
static int count_rows(const char *text, size_t length, const struct line_format *format, int *bad)
{
    struct cursor c = {text, text + length};
    struct row_state state = {0};
    int good = 0;

    *bad = 0;
    for (int i = 0; i < DETECT_LINES && c.at < c.end; i++) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));
        const char *end = newline ? newline : c.end;
        struct cursor line = {c.at, end > c.at && end[-1] == '\r' ? end - 1 : end};
        struct row row = empty_row;
        enum row_result result;

        if (memchr(line.at, 0, (size_t)(line.end - line.at)))
            return 0;
        result = format->parse(&state, line, &row);
        good += result == ROW_EVENT || result == ROW_OTHER;
        /* The last line may be cut by the end of what was read so far. */
        *bad += result == ROW_BAD && newline;
        state.line++;
        c.at = newline ? newline + 1 : c.end;
    }
    return good;
}

int text_detect(const char *text, size_t length, const struct line_format *format, int score)
{
    int bad, good = count_rows(text, length, format, &bad);

    return good && (!bad || format->optional) ? score : 0;
}

int text_resembles(const char *text, size_t length, const struct line_format *format)
{
    int bad, good = count_rows(text, length, format, &bad);

    return good && good >= bad && !format->optional ? good : 0;
}

enum bounce_status text_open(struct bounce_trace *trace, struct bounce_error *error)
{
    const struct line_format *format = trace->format->ops->lines;
    struct text *t = calloc(1, sizeof(*t));

    trace->state = t;
    if (t)
        t->records = records_create(format->unique_keys ? RECORDS_UNIQUE
                                    : format->lost_ends ? RECORDS_LOST
                                                        : RECORDS_FIFO);
    if (!t || !t->records)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    trace->recorded.timed = true;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    trace->recorded.guessed_unit = format->guessed_unit;
    trace->recorded.tells_requeues = format->tells_requeues;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    return BOUNCE_OK;
}

void text_close(struct bounce_trace *trace)
{
    struct text *t = trace->state;

    records_destroy(t->records);
    free(t);
}

static uint16_t device_of(struct bounce_trace *trace, const struct line_format *format,
                          const struct row *row)
{
    const char *name = row->device ? row->device : format->device;
    size_t length = row->device ? row->device_length : strlen(name), n;
    char text[2 * BOUNCE_DEVICE_NAME_MAX];

    if (!row->device || !format->prefix)
        return trace_device_or_last(trace, name, length);
    n = (size_t)snprintf(text, BOUNCE_DEVICE_NAME_MAX, "%s", format->device);
    for (size_t i = 0; i < length && i < BOUNCE_DEVICE_NAME_MAX; i++)
        text[n++] = name[i];
    return trace_device_or_last(trace, text, n);
}

static bool is_mapping(const struct row *row)
{
    return row->kind != BOUNCE_EVENT_ISSUE && row->kind != BOUNCE_EVENT_COMPLETE;
}

static bool begins(const struct row *row)
{
    return row->kind == BOUNCE_EVENT_ISSUE || row->kind == BOUNCE_EVENT_MAP ||
           row->kind == BOUNCE_EVENT_ALLOC;
}

/* The first event decides what the trace is made of. */
static bool same_level(struct bounce_trace *trace, const struct row *row)
{
    struct text *t = trace->state;
    uint8_t level = is_mapping(row) ? BOUNCE_LEVEL_MAPPINGS : BOUNCE_LEVEL_REQUESTS;

    if (row->kind == BOUNCE_EVENT_RESTART) /* of either */
        return true;
    if (!t->level_known) {
        t->level_known = true;
        trace->recorded.level = level;
        if (row->has_tlb_addr && !t->told) {
            trace->recorded.bounces = true; /* what has no such address did not */
            trace->recorded.forced = trace->recorded.guessed_force = false;
        }
    }
    return trace->recorded.level == level;
}

static enum bounce_status take(struct bounce_trace *trace, const struct line_format *format,
                               const struct row *row)
{
    struct text *t = trace->state;
    bool own_device = begins(row) || row->flags & BOUNCE_EVENT_UNMATCHED || !format->ids;
    uint16_t device = own_device ? device_of(trace, format, row) : 0;
    struct record record = {
        .event =
            {
                .time_ns = records_time(trace, t->records, row->time_ns),
                .id = row->id,
                .orig_addr = row->orig_addr,
                .tlb_addr = row->tlb_addr,
                .size = row->size,
                .offset = row->offset,
                .device = device,
                .cpu = (uint16_t)row->cpu,
                .kind = row->kind,
                .dir = row->dir,
                .seq = row->seq,
                .bound_seq = row->bound_seq,
                .alloc_align_mask = (uint32_t)row->alloc_align_mask,
                .attrs = row->attrs,
                .recorded = row->outcome,
                .flags = row->flags,
                .segments = (uint16_t)row->segments,
            },
        .list = row->list,
        .has_list = row->has_list,
        .key = row->key == NO_KEY ? NO_KEY : records_key(row->key, format->ids ? 0 : device),
        .has_id = row->has_id,
        .fifo = row->fifo,
        .quiet = row->quiet,
    };

    if (device == UINT16_MAX)
        return BOUNCE_NO_MEMORY;
    if (row->cpu >= trace->recorded.cpus && row->cpu &&
        (row->kind == BOUNCE_EVENT_ISSUE || row->kind == BOUNCE_EVENT_COMPLETE))
        trace->recorded.cpus = (uint32_t)row->cpu + 1;
    if (row->kind == BOUNCE_EVENT_ISSUE && row->response_ns != NO_RESPONSE)
        return records_add_timed(trace, t->records, &record, row->response_ns);
    return records_add(trace, t->records, &record);
}

static enum bounce_status take_line(struct bounce_trace *trace, struct cursor line,
                                    struct bounce_error *error)
{
    const struct line_format *format = trace->format->ops->lines;
    struct text *t = trace->state;
    struct row row = empty_row;
    enum row_result result;

    *t->state.why = 0;
    result = format->parse(&t->state, line, &row);
    t->state.line++;
    trace->recorded.timed = !t->state.untimed;
    if (result == ROW_TOLD) {
        uint64_t time_ns = UINT64_MAX;

        t->told |= csv_told(trace, row.told, &time_ns);
        if (time_ns != UINT64_MAX)
            records_time(trace, t->records, time_ns);
    }
    if (result == ROW_NOTE || result == ROW_TOLD)
        return BOUNCE_OK;
    if (result == ROW_STRAY) {
        if (!trace->lines.cut || !trace_cut(trace))
            trace_skipped(trace);
        return BOUNCE_OK;
    }
    if (result == ROW_BAD)
        return trace_malformed(trace, error, *t->state.why ? t->state.why : format->what,
                               format->wanted);
    if (result == ROW_EVENT &&
        (row.cpu >= BOUNCE_MAX_CPUS || row.size > REQUEST_MAX || row.segments > UINT16_MAX))
        return trace_malformed(trace, error, "a number beyond reason",
                               "at most 4 GiB a request, 65535 segments and CPU 8191 were "
                               "expected");
    if (result == ROW_EVENT && !same_level(trace, &row))
        return trace_malformed(trace, error, "requests and mappings in one file",
                               "one of the two was expected");
    trace->counts.records++;
    if (row.kind == BOUNCE_EVENT_LOST)
        trace_lost(trace, row.size);
    if (result == ROW_EVENT && (row.size || !begins(&row)))
        return take(trace, format, &row);
    trace->counts.other_events++;
    records_time(trace, t->records, row.time_ns);
    return BOUNCE_OK;
}

static enum bounce_status checked(const struct bounce_trace *trace, enum bounce_status status,
                                  struct bounce_error *error)
{
    return status == BOUNCE_NO_MEMORY
               ? bounce_refuse(error, status, trace->lines.number, "out of memory")
               : status;
}

enum bounce_status text_read(struct bounce_trace *trace, struct bounce_error *error)
{
    struct text *t = trace->state;
    const char *line;
    size_t length;
    enum bounce_status status = records_release(trace, t->records, false);

    if (status != BOUNCE_END)
        return checked(trace, status, error);
    status = lines_next(&trace->lines, &line, &length, error);
    if (status == BOUNCE_END)
        return checked(trace, records_release(trace, t->records, true), error);
    if (status)
        return status;
    return checked(trace, take_line(trace, (struct cursor){line, line + length}, error), error);
}
