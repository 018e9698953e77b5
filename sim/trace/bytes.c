/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include <inttypes.h>

enum bounce_status bytes_peek(struct lines *lines, size_t size, const unsigned char **bytes,
                              size_t *got, struct bounce_error *error)
{
    while (!lines->at_end && lines->end - lines->begin < size) {
        enum bounce_status status = lines_refill(lines, error);

        if (status)
            return status;
    }
    *got = lines->end - lines->begin < size ? lines->end - lines->begin : size;
    *bytes = (const unsigned char *)lines->buffer + lines->begin;
    return BOUNCE_OK;
}

enum bounce_status bytes_take(struct lines *lines, size_t size, const unsigned char **bytes,
                              size_t *got, struct bounce_error *error)
{
    enum bounce_status status = bytes_peek(lines, size, bytes, got, error);

    if (status)
        return status;
    lines->begin += *got;
    lines->consumed += *got;
    return BOUNCE_OK;
}

enum bounce_status bytes_malformed(uint64_t at, struct bounce_error *error, const char *what,
                                   const char *wanted)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0, "byte %" PRIu64 ": %s; %s", at, what, wanted);
}

enum bounce_status bytes_cut(struct bounce_trace *trace, uint64_t at, struct bounce_error *error)
{
    if (trace_cut(trace)) {
        trace->lines.begin = trace->lines.end;
        return BOUNCE_END;
    }
    if (trace->options.skip_malformed) {
        trace_skipped(trace);
        trace->lines.begin = trace->lines.end;
        return BOUNCE_END;
    }
    return bytes_malformed(at, error, "the input ends in the record that begins here",
                           "a whole record was expected (--skip-malformed leaves it out)");
}
