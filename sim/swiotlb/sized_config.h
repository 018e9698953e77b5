/* SPDX-License-Identifier: Apache-2.0 */
/* Which allocator a configuration asks for when it is not the core's own, and what is wrong with
 * its slot and slot-set sizes. */
#ifndef SWIOTLB_SIZED_CONFIG_H
#define SWIOTLB_SIZED_CONFIG_H

#include "bounce/backend.h"

extern const struct bounce_backend_factory factory_sized;      /* linux-6.12 with other sizes */
extern const struct bounce_backend_factory factory_per_device; /* a pool for each device */

extern const struct bounce_backend_factory factory_global;
extern const struct bounce_backend_factory factory_best_fit;
extern const struct bounce_backend_factory factory_lifo;
extern const struct bounce_backend_factory factory_buddy;
extern const struct bounce_backend_factory factory_size_classes;

/* BOUNCE_INVALID, with `error`. */
enum bounce_status sized_config_check(const struct bounce_swiotlb_config *config,
                                      struct bounce_error *error);

/* NULL: the core itself. */
const struct bounce_backend_factory *
sized_config_factory(const struct bounce_swiotlb_config *config);

#endif
