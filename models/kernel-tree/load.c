// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
#define _GNU_SOURCE // mkostemps
#include "load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool copy_all(int from, int to)
{
    char buffer[65536];
    for (;;) {
        ssize_t got = read(from, buffer, sizeof(buffer));
        if (got == 0)
            return true;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, buffer + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                return false;
            if (put > 0)
                done += put;
        }
    }
}

// The dynamic loader tells libraries apart by name and inode: a new file gives new statics.
static bool make_copy(const char *path, char *copy, size_t copy_size, char *why, size_t why_size)
{
    const char *folder = getenv("TMPDIR");
    int length =
        snprintf(copy, copy_size, "%s/bouncesim-XXXXXX.so", folder && *folder ? folder : "/tmp");
    if (length < 0 || (size_t)length >= copy_size) {
        snprintf(why, why_size, "TMPDIR is too long");
        return false;
    }
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return false;
    }
    int to = mkostemps(copy, 3, O_CLOEXEC);
    bool fine = to >= 0 && copy_all(from, to);
    if (!fine)
        snprintf(why, why_size, "%s: cannot copy it to %s: %s", path, copy, strerror(errno));
    if (to >= 0) {
        close(to);
        if (!fine)
            unlink(copy);
    }
    close(from);
    return fine;
}

bool bounce_kt_load(const char *path, struct bounce_kt_library *out, char *why, size_t why_size)
{
    char copy[4096];
    out->handle = NULL;
    out->plugin = NULL;
    if (!make_copy(path, copy, sizeof(copy), why, why_size))
        return false;
    void *handle = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
    const char *problem = handle ? NULL : dlerror();
    unlink(copy);
    if (!handle) {
        snprintf(why, why_size, "%s: %s", path, problem ? problem : "cannot be loaded");
        return false;
    }
    const struct bounce_kt_plugin *plugin = dlsym(handle, BOUNCE_KT_SYMBOL);
    if (!plugin) {
        snprintf(why, why_size, "%s: not a kernel-tree plug-in (no symbol %s)", path,
                 BOUNCE_KT_SYMBOL);
    } else if (plugin->abi != BOUNCE_KT_ABI || plugin->struct_size < sizeof(*plugin)) {
        snprintf(why, why_size, "%s: plug-in interface %u, this program speaks %d; build it anew",
                 path, plugin->abi, BOUNCE_KT_ABI);
    } else {
        out->handle = handle;
        out->plugin = plugin;
        return true;
    }
    dlclose(handle);
    return false;
}

void bounce_kt_unload(struct bounce_kt_library *library)
{
    if (library->handle)
        dlclose(library->handle);
    library->handle = NULL;
    library->plugin = NULL;
}
