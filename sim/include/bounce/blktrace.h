/* SPDX-License-Identifier: Apache-2.0 */
/* blktrace writes a file a CPU. Merged by time they are one input for bounce_trace_open(). */
#ifndef BOUNCE_BLKTRACE_H
#define BOUNCE_BLKTRACE_H

#include "bounce/export.h"
#include "bounce/status.h"
#include "bounce/trace.h"

#include <stdbool.h>
#include <stddef.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_BLKTRACE_HEAD 48u /* bytes that bounce_blktrace_is() wants to see */

/* Whether an input that begins with these bytes holds binary blktrace records. */
BOUNCE_API bool bounce_blktrace_is(const void *bytes, size_t length);

struct bounce_blktrace_merge;

/* Takes `count` inputs (by value; their contexts and the `names`, for refusals, stay the caller's
 * and must outlive it). Empty ones are allowed: CPUs that saw nothing. Memory: 256 KiB an input.
 * BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_blktrace_merge_create(const struct bounce_input *inputs,
                                                           const char *const *names, size_t count,
                                                           struct bounce_blktrace_merge **out,
                                                           struct bounce_error *error);
BOUNCE_API void bounce_blktrace_merge_destroy(struct bounce_blktrace_merge *merge);

/* The records of all of them, earliest first; each must be in order itself. Reading fails with
 * BOUNCE_MALFORMED, the name and the byte, for what is no record, or has another byte order than
 * the first. */
BOUNCE_API struct bounce_input bounce_blktrace_merge_input(struct bounce_blktrace_merge *merge);

/* So far: files that end in a record behind others; it is left out. */
BOUNCE_API uint64_t bounce_blktrace_merge_cut(const struct bounce_blktrace_merge *merge);

BOUNCE_END_DECLS

#endif
