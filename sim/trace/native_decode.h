/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a block as events. */
#ifndef TRACE_NATIVE_DECODE_H
#define TRACE_NATIVE_DECODE_H

#include "native.h"

/* The block at hand, within the input's buffer. */
struct native_decoder {
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *tail; /* its last bytes, copied so that reading past them is harmless */
    uint64_t block_offset;     /* of its chunk in the input, for errors */
    uint32_t left;             /* events */
    uint32_t count;
    uint64_t unit_ns;
    unsigned char copy[3 * NATIVE_EVENT_MAX];
    struct native_model model;
};

/* A block of `count` events at `p` begins, its chunk at `offset`: the bytes stay until the last one
 * has been read. */
void native_decoder_open(struct native_decoder *d, uint64_t offset, const unsigned char *p,
                         size_t length, uint32_t count, uint64_t time_ns, uint64_t unit_ns);
void native_decoder_free(struct native_decoder *d);

/* Up to `capacity` events, or as many as are left; *got more, those before a bad one too. Follows
 * the sizes of requests in `trace`. BOUNCE_MALFORMED (with `error`), BOUNCE_NO_MEMORY. */
enum bounce_status native_decode(struct native_decoder *d, struct bounce_trace *trace,
                                 struct bounce_event *events, size_t capacity, size_t *got,
                                 struct bounce_error *error);

#endif
