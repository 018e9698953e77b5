/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Loads a private copy of a kernel-tree plug-in, so that every instance has its own statics. */
#ifndef BOUNCE_KERNEL_TREE_LOAD_H
#define BOUNCE_KERNEL_TREE_LOAD_H

#include "plugin.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bounce_kt_library {
    void *handle;
    const struct bounce_kt_plugin *plugin;
};

/*
 * Copies the shared object at `path` to a temporary file ($TMPDIR or /tmp), loads the copy and
 * removes the file at once; it stays in use until bounce_kt_unload. Returns true, or false with
 * one line in `why` (cut to `why_size`) when the file cannot be read, copied or loaded, or is not
 * a plug-in of this ABI version. Thread-safe.
 */
bool bounce_kt_load(const char *path, struct bounce_kt_library *out, char *why, size_t why_size);

/* Call it after the plug-in's destroy. */
void bounce_kt_unload(struct bounce_kt_library *library);

#ifdef __cplusplus
}
#endif

#endif
