/* SPDX-License-Identifier: Apache-2.0 */
/* trace-cmd's own file (trace.dat, versions 6 and 7), through libtracecmd in a process of its own.
 * The library wants a file that it can seek in, so the input is copied to an unlinked one first, in
 * $TMPDIR or else /var/tmp. Source of the header's layout: trace-cmd.dat.v7(5). */
#include "dma_events.h"
#include "formats.h"
#include "kernel_events.h"
#include "tracedat_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC        "\x17\x08\x44tracing"
#define MAGIC_LENGTH (sizeof(MAGIC) - 1)

struct tracedat {
    struct kernel_events *events;
    pid_t child; /* 0: none */
    int pipe;
    bool complete; /* its last line has come */
};

static int detect(const char *text, size_t length)
{
    return length >= MAGIC_LENGTH && memcmp(text, MAGIC, MAGIC_LENGTH) == 0 ? 100 : 0;
}

/* ---- the copy ---- */

static int open_copy(const char **directory)
{
    const char *const places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char path[4096];
        int file;

        if (!places[i] || !*places[i])
            continue;
        *directory = places[i];
        file = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (file >= 0)
            return file;
        if (snprintf(path, sizeof(path), "%s/bouncesim-XXXXXX", places[i]) >= (int)sizeof(path))
            continue;
        file = mkostemp(path, O_CLOEXEC); /* a file system without O_TMPFILE */
        if (file >= 0) {
            (void)unlink(path);
            return file;
        }
    }
    return -1;
}

static bool write_all(int file, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(file, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static enum bounce_status copy_input(struct lines *lines, int file, const char *directory,
                                     struct bounce_error *error)
{
    for (;;) {
        enum bounce_status status;

        if (!write_all(file, lines->buffer + lines->begin, lines->end - lines->begin))
            return bounce_refuse(error, BOUNCE_IO, 0,
                                 "cannot write the copy that libtracecmd needs to %s: %s; TMPDIR "
                                 "may name a place with more room",
                                 directory, strerror(errno));
        lines->begin = lines->end = 0;
        if (lines->at_end)
            return BOUNCE_OK;
        status = lines_refill(lines, error);
        if (status)
            return status;
    }
}

/* ---- the process ---- */

static enum bounce_status read_pipe(void *context, void *buffer, size_t capacity, size_t *got,
                                    struct bounce_error *error)
{
    struct tracedat *t = context;
    ssize_t n;

    do
        n = read(t->pipe, buffer, capacity);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return bounce_refuse(error, BOUNCE_IO, 0, "cannot read: %s", strerror(errno));
    *got = (size_t)n;
    return BOUNCE_OK;
}

static enum bounce_status start_child(struct bounce_trace *trace, int file,
                                      struct bounce_error *error)
{
    struct tracedat *t = trace->state;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return bounce_refuse(error, BOUNCE_IO, 0, "no pipe: %s", strerror(errno));
    t->child = fork();
    if (t->child == 0)
        tracedat_child(file, ends[1]);
    (void)close(ends[1]);
    t->pipe = ends[0];
    if (t->child < 0) {
        t->child = 0;
        return bounce_refuse(error, BOUNCE_IO, 0, "no process: %s", strerror(errno));
    }
    trace->lines.input = (struct bounce_input){t, read_pipe};
    trace->lines.at_end = false;
    return BOUNCE_OK;
}

/* MAGIC VERSION NUL BYTE-ORDER */
static enum bounce_status read_header(struct tracedat *t, const char *text, size_t length,
                                      struct bounce_error *error)
{
    struct cursor c = {text + MAGIC_LENGTH, text + length};
    uint64_t version;

    if (detect(text, length) && scan_decimal(&c, &version) && scan_char(&c, 0)) {
        if (scan_char(&c, 1))
            kernel_events_big_endian(t->events);
        if (version == 6 || version == 7)
            return BOUNCE_OK;
        return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                             "a trace.dat of version %llu; 6 and 7 are read, give the text that "
                             "`trace-cmd report` prints of it",
                             (unsigned long long)version);
    }
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "not a trace.dat; 17 08 44, \"tracing\" and a version were expected");
}

static enum bounce_status open_tracedat(struct bounce_trace *trace, struct bounce_error *error)
{
    struct tracedat *t = calloc(1, sizeof(*t));
    const char *directory = NULL, *text;
    size_t length;
    enum bounce_status status;
    int file;

    trace->state = t;
    if (t) {
        t->pipe = -1;
        t->events = kernel_events_create(trace);
    }
    if (!t || !t->events)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    status = lines_peek(&trace->lines, &text, &length, error);
    if (!status)
        status = read_header(t, text, length, error);
    if (status)
        return status;
    file = open_copy(&directory);
    if (file < 0)
        return bounce_refuse(error, BOUNCE_IO, 0,
                             "no temporary file in %s: %s; libtracecmd needs a copy, TMPDIR may "
                             "name another place",
                             directory, strerror(errno));
    status = copy_input(&trace->lines, file, directory, error);
    if (!status && lseek(file, 0, SEEK_SET) != 0)
        status = bounce_refuse(error, BOUNCE_IO, 0, "cannot seek: %s", strerror(errno));
    if (!status)
        status = start_child(trace, file, error);
    (void)close(file);
    return status;
}

static void close_tracedat(struct bounce_trace *trace)
{
    struct tracedat *t = trace->state;

    if (t->child) {
        (void)kill(t->child, SIGKILL);
        while (waitpid(t->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (t->pipe >= 0)
        (void)close(t->pipe);
    kernel_events_destroy(t->events);
    free(t);
}

/* ---- its lines ---- */

static enum bounce_status damaged(const struct bounce_trace *trace, struct bounce_error *error)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "libtracecmd gave up on this trace.dat after %llu events: it is damaged "
                         "or cut",
                         (unsigned long long)trace->counts.records);
}

/* "CPU LEVEL NS EVENT ARGS" */
static enum bounce_status take_event(struct bounce_trace *trace, struct cursor c,
                                     struct bounce_error *error)
{
    struct tracedat *t = trace->state;
    struct kernel_line event = {0};
    uint64_t level;

    if (!scan_decimal(&c, &event.cpu) || event.cpu >= BOUNCE_MAX_CPUS || !scan_char(&c, ' ') ||
        !scan_decimal(&c, &level) || level >= KERNEL_LEVELS || !scan_char(&c, ' ') ||
        !scan_decimal(&c, &event.time_ns) || !scan_char(&c, ' ') ||
        !scan_word(&c, &event.event, &event.event_length))
        return damaged(trace, error);
    scan_blanks(&c);
    event.args = c;
    event.level = (uint8_t)level;
    trace->lines.number = trace->counts.records + 1; /* what refusals name */
    trace->lines.cut = false;
    return kernel_events_take(trace, t->events, &event, error);
}

static enum bounce_status take_line(struct bounce_trace *trace, struct cursor c,
                                    struct bounce_error *error)
{
    struct tracedat *t = trace->state;
    uint64_t number, cpu;

    if (SCAN_LITERAL(&c, "E "))
        return take_event(trace, c, error);
    if (SCAN_LITERAL(&c, "X "))
        return bounce_refuse(error, BOUNCE_MALFORMED, 0, "%.*s", (int)(c.end - c.at), c.at);
    if (SCAN_LITERAL(&c, "C ") && scan_decimal(&c, &number)) {
        if (number > 0 && number <= BOUNCE_MAX_CPUS)
            trace->recorded.cpus = (uint32_t)number;
    } else if (SCAN_LITERAL(&c, "O ") && scan_decimal(&c, &number)) {
        trace->counts.records += number;
        trace->counts.other_events += number;
    } else if (SCAN_LITERAL(&c, "M ") && scan_decimal(&c, &cpu) && cpu < BOUNCE_MAX_CPUS &&
               scan_char(&c, ' ') && scan_decimal(&c, &number)) {
        kernel_events_lost(trace, t->events, cpu, number);
    } else if (SCAN_LITERAL(&c, "Z")) {
        t->complete = true;
    } else {
        return damaged(trace, error);
    }
    return BOUNCE_OK;
}

static enum bounce_status read_tracedat(struct bounce_trace *trace, struct bounce_error *error)
{
    struct tracedat *t = trace->state;
    const char *line;
    size_t length;
    enum bounce_status status = kernel_events_release(trace, t->events, error);

    if (status != BOUNCE_END)
        return status;
    status = lines_next(&trace->lines, &line, &length, error);
    if (status == BOUNCE_END)
        return t->complete ? kernel_events_finish(trace, t->events, error) : damaged(trace, error);
    if (status)
        return status;
    return take_line(trace, (struct cursor){line, line + length}, error);
}

static void settle(struct bounce_trace *trace)
{
    kernel_events_settle(trace, ((struct tracedat *)trace->state)->events);
}

const struct bounce_format_ops format_tracedat = {
    .detect = detect,
    .open = open_tracedat,
    .read = read_tracedat,
    .settle = settle,
    .close = close_tracedat,
};
