/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of kernel generations and other policies: feeds the command line, `bouncesim list`,
 * the tests and the documentation. */
#ifndef BOUNCE_KERNELS_H
#define BOUNCE_KERNELS_H

#include "bounce/export.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_policy; /* how slots are searched: private to sim/swiotlb */
struct bounce_backend_factory;

struct bounce_kernel {
    const char *name;                             /* as given to --kernel */
    const char *summary;                          /* one sentence: what it models */
    const char *source;                           /* where the behaviour was read or proposed */
    const struct bounce_policy *policy;           /* of the core, or */
    const struct bounce_backend_factory *factory; /* an allocator of its own (backend.h) */
};

/* Row `index` of the table, or NULL past its end. The rows are constant and live for ever. */
BOUNCE_API const struct bounce_kernel *bounce_kernel_at(size_t index);

/* The row with that name, or NULL. */
BOUNCE_API const struct bounce_kernel *bounce_kernel_find(const char *name);

/* Whether the row is a policy that no kernel has: recordings are of another one, then. */
BOUNCE_API bool bounce_kernel_is_proposed(const struct bounce_kernel *kernel);

/* Whether its pools grow (SWIOTLB_DYNAMIC). */
BOUNCE_API bool bounce_kernel_grows(const struct bounce_kernel *kernel);

/* Areas that it makes of `nareas` asked for: one where it has no areas. */
BOUNCE_API uint32_t bounce_kernel_nareas(const struct bounce_kernel *kernel, uint32_t nareas);

/* Whether it takes other slot and slot-set sizes than Linux's (bounce_swiotlb_config). */
BOUNCE_API bool bounce_kernel_takes_any_size(const struct bounce_kernel *kernel);

BOUNCE_END_DECLS

#endif
