/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum bounce_status lines_open(struct lines *lines, const struct bounce_input *input)
{
    *lines = (struct lines){.input = *input, .buffer = malloc(LINES_BUFFER)};
    return lines->buffer ? BOUNCE_OK : BOUNCE_NO_MEMORY;
}

void lines_close(struct lines *lines)
{
    free(lines->buffer);
    lines->buffer = NULL;
}

enum bounce_status lines_refill(struct lines *lines, struct bounce_error *error)
{
    size_t got = 0;
    enum bounce_status status;

    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    status = lines->input.read(lines->input.context, lines->buffer + lines->end,
                               LINES_BUFFER - lines->end, &got, error);
    if (status)
        return status;
    lines->end += got;
    lines->at_end = got == 0;
    return BOUNCE_OK;
}

enum bounce_status lines_peek(struct lines *lines, const char **text, size_t *length,
                              struct bounce_error *error)
{
    while (!lines->at_end && lines->end - lines->begin < LINES_BUFFER / 4) {
        enum bounce_status status = lines_refill(lines, error);

        if (status)
            return status;
    }
    *text = lines->buffer + lines->begin;
    *length = lines->end - lines->begin;
    return BOUNCE_OK;
}

enum bounce_status lines_next(struct lines *lines, const char **line, size_t *length,
                              struct bounce_error *error)
{
    size_t searched = 0;

    for (;;) {
        char *from = lines->buffer + lines->begin;
        size_t have = lines->end - lines->begin;
        char *newline = memchr(from + searched, '\n', have - searched);
        enum bounce_status status;

        if (newline || (lines->at_end && have)) {
            size_t size = newline ? (size_t)(newline - from) : have;

            lines->begin += size + (newline != NULL);
            lines->cut = !newline;
            lines->number++;
            if (size && from[size - 1] == '\r')
                size--;
            *line = from;
            *length = size;
            return BOUNCE_OK;
        }
        if (lines->at_end)
            return BOUNCE_END;
        if (have == LINES_BUFFER)
            return bounce_refuse(error, BOUNCE_MALFORMED, lines->number + 1,
                                 "a line of more than %u bytes; a text trace was expected",
                                 LINES_BUFFER);
        searched = have;
        status = lines_refill(lines, error);
        if (status)
            return status;
    }
}
