/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GEN_DIST_H
#define GEN_DIST_H

#include "bounce/gen.h"

/* An exponential gap of that mean. */
uint64_t dist_exponential(uint64_t mean, struct bounce_random *random);

/* Nothing to draw from: no bins, or zero. */
bool dist_is_empty(const struct bounce_dist *dist);

#endif
