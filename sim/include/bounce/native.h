/* SPDX-License-Identifier: Apache-2.0 */
/* Writes traces in bouncesim's own binary format (.bnc). bounce_trace_open() reads them; what comes
 * out is what was written, event by event and field by field, so that every command gives the same
 * answer as with the original. docs/formats/native.md has every byte.
 *
 * Memory: a block of events and a bounded index, whatever the length. */
#ifndef BOUNCE_NATIVE_H
#define BOUNCE_NATIVE_H

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/export.h"
#include "bounce/infer.h"
#include "bounce/status.h"
#include "bounce/trace.h"

#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* Where bytes go, in order; never asked to seek. On BOUNCE_IO it fills `error`. */
struct bounce_output {
    void *context;
    enum bounce_status (*write)(void *context, const void *bytes, size_t length,
                                struct bounce_error *error);
};

/* Where the events come from, for people; none of it changes what is read. */
struct bounce_native_source {
    const char *file;                        /* NULL: not told */
    const char *format;                      /* name of the format it was in */
    const char *writer;                      /* program and version */
    const struct bounce_inference *inferred; /* what was made of its first events, or NULL */
};

struct bounce_native_writer;

/* Takes `output` by value; `source` is not needed afterwards. BOUNCE_NO_MEMORY, or what
 * output.write() says. */
BOUNCE_API enum bounce_status bounce_native_create(const struct bounce_output *output,
                                                   const struct bounce_native_source *source,
                                                   struct bounce_native_writer **out,
                                                   struct bounce_error *error);
BOUNCE_API void bounce_native_destroy(struct bounce_native_writer *writer);

/* What the trace tells by now of the machine. Readers will know it once they have read the events
 * that were written before; call it before the events that need it (those of new devices). Costs
 * nothing when nothing has changed. */
BOUNCE_API enum bounce_status bounce_native_set(struct bounce_native_writer *writer,
                                                const struct bounce_recorded_config *recorded,
                                                const struct bounce_device *devices,
                                                size_t ndevices, struct bounce_error *error);

/* What stands beside the events: a file of the recorder's archive. Readers know it once they have
 * read the events that were written before; a later one of the same name replaces it.
 * BOUNCE_INVALID: a name that is not one of 1 to 63 letters, digits, ".-_", or more than 16 texts
 * or 24 MiB. */
BOUNCE_API enum bounce_status bounce_native_text(struct bounce_native_writer *writer,
                                                 const char *name, const char *text, size_t length,
                                                 struct bounce_error *error);

/* BOUNCE_INVALID: an event that no reader makes, such as one of a device that was not told. */
BOUNCE_API enum bounce_status bounce_native_write(struct bounce_native_writer *writer,
                                                  const struct bounce_event *events, size_t count,
                                                  struct bounce_error *error);

/* The counts of the whole trace and the index. Nothing may be written afterwards. */
BOUNCE_API enum bounce_status bounce_native_finish(struct bounce_native_writer *writer,
                                                   const struct bounce_trace_counts *counts,
                                                   struct bounce_error *error);

BOUNCE_END_DECLS

#endif
