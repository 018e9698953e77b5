/* SPDX-License-Identifier: Apache-2.0 */
/* Every trace format, one row each. */
#include "formats.h"

#include <string.h>

static const struct bounce_format table[] = {
    {"ops", "bouncesim's own operation streams: P, D, M, A, U, S and W lines", &format_ops},
    {"ftrace",
     "text of the kernel's trace or trace_pipe file, or of `trace-cmd report`, with dma and swiotlb "
     "events",
     &format_ftrace},
};

const struct bounce_format *bounce_format_at(size_t index)
{
    return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

const struct bounce_format *bounce_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
