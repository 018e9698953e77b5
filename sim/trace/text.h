/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of one record a line: what they share, so that a format is a parser of one line. */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include "fields.h"
#include "records.h"

#define COLUMNS_MAX  32u
#define DETECT_LINES 16 /* that text_detect() looks at */

enum row_result {
    ROW_EVENT, /* a request, a mapping, or what ends or syncs one */
    ROW_OTHER, /* a record that moves no data */
    ROW_NOTE,  /* no record: a comment, a header, a summary */
    ROW_TOLD,  /* no record: what row_told says of the machine */
    ROW_STRAY, /* no record, nor anything else that the format has: counted, never refused */
    ROW_BAD,
};

#define NO_RESPONSE UINT64_MAX

struct row {
    uint64_t time_ns;     /* as recorded; of ROW_OTHER too */
    uint64_t response_ns; /* ISSUE: how long it took, or NO_RESPONSE */
    uint64_t key;         /* pairs it within its device, or NO_KEY */
    uint64_t id;
    uint64_t size;
    uint64_t offset;
    uint64_t orig_addr;
    uint64_t tlb_addr;
    const char *device; /* a piece of the line; NULL: the format's own name */
    size_t device_length;
    uint64_t cpu;
    uint64_t segments;
    /* Of mappings: */
    uint64_t list; /* id of the first entry of its scatter list, with has_list */
    uint64_t seq;
    uint64_t bound_seq;
    uint64_t alloc_align_mask;
    struct cursor told; /* ROW_TOLD: "name=value ..." */
    uint8_t outcome;    /* enum bounce_recorded */
    uint16_t flags;     /* enum bounce_event_flag */
    uint8_t attrs;      /* enum bounce_attr */
    uint8_t kind;       /* enum bounce_event_kind; ISSUE unless the parser says otherwise */
    uint8_t dir;
    bool has_id;
    bool has_tlb_addr;
    bool has_list;
    bool fifo;  /* record.fifo */
    bool quiet; /* a completion that may belong to something that moved no data */
};

/* What a parser keeps from line to line; zeroed at the start. */
struct row_state {
    uint64_t clock_ns; /* what the format counts time with */
    uint64_t last;
    uint64_t line;                /* lines before this one */
    uint8_t columns[COLUMNS_MAX]; /* of formats with a header: what each column is */
    uint8_t ncolumns;
    bool has_header;
    bool untimed;  /* there are no times: the parser makes them up */
    char why[120]; /* ROW_BAD: what is wrong, where the parser can say it; else empty */
};

/* Sets why: "WHAT: `FIELD`", the field cut and made printable. Returns ROW_BAD. */
enum row_result row_bad(struct row_state *state, const char *what, const struct field *field);

struct line_format {
    const char *what;   /* "not a line of ..." */
    const char *wanted; /* the layout */
    enum row_result (*parse)(struct row_state *state, struct cursor line, struct row *row);
    const char *device; /* of rows that name none; with prefix: before the name of those that do */
    bool prefix;
    bool unique_keys;    /* RECORDS_UNIQUE */
    bool lost_ends;      /* RECORDS_LOST; RECORDS_FIFO with neither */
    bool tells_requeues; /* of struct bounce_recorded_config */
    bool guessed_unit;   /* of times, which have none: nanoseconds are taken */
    bool ids;            /* keys are unique over all devices */
    bool optional;       /* a file is of this format when any of its first lines is, not all */
};

/* Takes what a comment of bouncesim's own CSV tells of the machine or of a device; *time_ns is set
 * to the time it gives for the start or the end. False: not a comment that we write. (csv_told.c)
 */
bool csv_told(struct bounce_trace *trace, struct cursor c, uint64_t *time_ns);

/* 0, or `score` when the first lines of the text are of that format. */
int text_detect(const char *text, size_t length, const struct line_format *format, int score);

/* How many of the first lines are of the format, if at least half are; else 0. For a text of
 * which no format takes every line: which one it was meant to be. */
int text_resembles(const char *text, size_t length, const struct line_format *format);

enum bounce_status text_open(struct bounce_trace *trace, struct bounce_error *error);
enum bounce_status text_read(struct bounce_trace *trace, struct bounce_error *error);
void text_close(struct bounce_trace *trace);

/* A row of struct bounce_format_ops that is all of the above. */
#define TEXT_FORMAT(detect_function, line_format)                                                  \
    {                                                                                              \
        .detect = (detect_function), .open = text_open, .read = text_read, .close = text_close,    \
        .lines = &(line_format),                                                                   \
    }

#endif
