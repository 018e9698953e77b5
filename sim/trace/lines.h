/* SPDX-License-Identifier: Apache-2.0 */
/* Text input as lines, from one buffer that never grows. */
#ifndef TRACE_LINES_H
#define TRACE_LINES_H

#include "bounce/trace.h"

#define LINES_BUFFER (256u * 1024u)

struct lines {
    struct bounce_input input;
    char *buffer;
    size_t begin;
    size_t end;
    uint64_t number;   /* of the line returned last, from 1 */
    uint64_t consumed; /* bytes taken by bytes_take() */
    bool at_end;
    bool cut; /* that line had no newline: the input ends in it */
};

enum bounce_status lines_open(struct lines *lines, const struct bounce_input *input);
void lines_close(struct lines *lines);

/* Moves what is left to the front of the buffer and reads once more; there must be room. */
enum bounce_status lines_refill(struct lines *lines, struct bounce_error *error);

/* The first bytes of the input, without consuming them. */
enum bounce_status lines_peek(struct lines *lines, const char **text, size_t *length,
                              struct bounce_error *error);

/* The next line without its newline (and carriage return); valid until the next call. BOUNCE_END,
 * what the input reports, or BOUNCE_MALFORMED for a line longer than the buffer. */
enum bounce_status lines_next(struct lines *lines, const char **line, size_t *length,
                              struct bounce_error *error);

#endif
