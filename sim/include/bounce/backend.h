/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that is not the core: a user's own kernel tree, or a policy that keeps its slots in
 * a way of its own. It stands behind struct bounce_swiotlb, so engines do not know the difference.
 */
#ifndef BOUNCE_BACKEND_H
#define BOUNCE_BACKEND_H

#include "bounce/export.h"
#include "bounce/swiotlb.h"

BOUNCE_BEGIN_DECLS

/* Contracts as those of the functions of the same name in swiotlb.h; `state` is the backend's. It
 * keeps `counts` (which it was given at creation) up to date. */
struct bounce_backend {
    void (*map)(void *state, const struct bounce_map_request *request, bool alloc,
                struct bounce_map_result *result);
    uint32_t (*unmap)(void *state, const struct bounce_device *device, uint64_t tlb_addr);
    struct bounce_copy (*sync)(void *state, const struct bounce_device *device, uint64_t tlb_addr,
                               uint64_t size);
    void (*restart)(void *state);
    bool (*run_worker)(void *state);
    bool (*worker_queued)(void *state);
    void (*pressure)(void *state, const struct bounce_map_request *request, bool alloc,
                     struct bounce_pressure *pressure);
    uint32_t (*nareas)(void *state);
    uint64_t (*area_used)(void *state, uint32_t area);
    void (*destroy)(void *state);
};

/* Makes backends: behind a row of the kernel table, or one that the command builds itself. */
struct bounce_backend_factory {
    void *context; /* the factory's */
    enum bounce_status (*create)(void *context, const struct bounce_swiotlb_config *config,
                                 struct bounce_swiotlb_counts *counts,
                                 const struct bounce_backend **backend, void **state,
                                 struct bounce_error *error);
};

BOUNCE_END_DECLS

#endif
