/* SPDX-License-Identifier: Apache-2.0 */
/* Binary input: pieces of the same buffer that lines.h cuts into lines. A format uses one of the
 * two. */
#ifndef TRACE_BYTES_H
#define TRACE_BYTES_H

#include "reader.h"

/* The next `size` bytes (at most LINES_BUFFER) in one piece, valid until the next call; fewer, as
 * *got says, only at the end of the input. */
enum bounce_status bytes_take(struct lines *lines, size_t size, const unsigned char **bytes,
                              size_t *got, struct bounce_error *error);

/* The same without consuming them. */
enum bounce_status bytes_peek(struct lines *lines, size_t size, const unsigned char **bytes,
                              size_t *got, struct bounce_error *error);

/* A record at byte `at` that cannot be read: refused with its place. */
enum bounce_status bytes_malformed(uint64_t at, struct bounce_error *error, const char *what,
                                   const char *wanted);

/* The input ends in the record that begins at byte `at`: counted (BOUNCE_END) when others stand in
 * front of it or with skip_malformed, else refused. */
enum bounce_status bytes_cut(struct bounce_trace *trace, uint64_t at, struct bounce_error *error);

static inline uint32_t bytes_u16(const unsigned char *p, bool big)
{
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t bytes_u32(const unsigned char *p, bool big)
{
    return big ? bytes_u16(p, big) << 16 | bytes_u16(p + 2, big)
               : bytes_u16(p + 2, big) << 16 | bytes_u16(p, big);
}

static inline uint64_t bytes_u64(const unsigned char *p, bool big)
{
    return big ? (uint64_t)bytes_u32(p, big) << 32 | bytes_u32(p + 4, big)
               : (uint64_t)bytes_u32(p + 4, big) << 32 | bytes_u32(p, big);
}

#endif
