/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the 6.9+ search that growing pools and other policies share. */
#ifndef SWIOTLB_LINUX_6_12_H
#define SWIOTLB_LINUX_6_12_H

#include "policy.h"

void linux_6_12_describe(const struct bounce_map_request *request, bool alloc,
                         struct slot_request *slots);
void linux_6_12_search_area(struct pool *pool, uint32_t area, const struct slot_request *slots,
                            struct slot_found *found);
void linux_6_12_run_shape(struct pool *pool, uint32_t area, const struct slot_request *slots,
                          struct run_shape *run);

#endif
