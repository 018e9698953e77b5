/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/status.h"

#include <stdarg.h>
#include <stdio.h>

enum bounce_status bounce_refuse(struct bounce_error *error, enum bounce_status status,
                                 uint64_t line, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return status;
    error->line = line;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    for (char *p = error->text; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
            *p = '?';
    return status;
}
