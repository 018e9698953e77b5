/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes of every function that can fail, and the text that goes with a refusal. */
#ifndef BOUNCE_STATUS_H
#define BOUNCE_STATUS_H

#include "bounce/export.h"

#include <stdint.h>

BOUNCE_BEGIN_DECLS

enum bounce_status {
    BOUNCE_OK = 0,
    BOUNCE_END,       /* no more input; not an error */
    BOUNCE_NO_MEMORY, /* an allocation failed; nothing was changed */
    BOUNCE_INVALID,   /* a configuration or argument outside its documented range */
    BOUNCE_MALFORMED, /* input that is not what its format says */
    BOUNCE_IO,        /* the source of the input reported an error */
};

/* Why something was refused. `line` counts from 1 and is 0 when no line is meant; `text` says what
 * is wrong and what would be right, in one line without a full stop. */
struct bounce_error {
    uint64_t line;
    char text[256];
};

/* Fills `error` (which may be NULL) printf-style and returns `status`, so that a refusal is one
 * statement. Control characters of the arguments are replaced: input is quoted, never trusted. */
BOUNCE_API enum bounce_status bounce_refuse(struct bounce_error *error, enum bounce_status status,
                                            uint64_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

BOUNCE_END_DECLS

#endif
