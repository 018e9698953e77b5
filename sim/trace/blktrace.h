/* SPDX-License-Identifier: Apache-2.0 */
/* A blktrace record: 48 bytes and a payload. */
#ifndef TRACE_BLKTRACE_H
#define TRACE_BLKTRACE_H

#include <stdbool.h>
#include <stddef.h>

#define BLKTRACE_MAGIC      0x65617407u
#define BLKTRACE_RECORD     48u
#define BLKTRACE_TIME_AT    8u
#define BLKTRACE_PAYLOAD_AT 46u /* u16: the payload's length */

/* Whether a record begins here, and whether its byte order is big-endian. */
bool blktrace_is_record(const unsigned char *p, size_t length, bool *big);

#endif
