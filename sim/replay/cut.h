/* SPDX-License-Identifier: Apache-2.0 */
/* How a request is cut into mappings, and where its buffers lie. */
#ifndef REPLAY_CUT_H
#define REPLAY_CUT_H

#include "bounce/device.h"
#include "bounce/event.h"

#include <stdbool.h>
#include <stdint.h>

struct cut {
    uint32_t pieces;
    bool list;           /* they are one scatter list: about the same size, as the trace tells */
    uint64_t most;       /* bytes a piece */
    uint64_t units_each; /* of a list: so many units a piece, one more for the first one_more */
    uint32_t one_more;
    uint32_t unit;
};

struct cut cut_request(const struct bounce_event *issue, const struct bounce_device *device);

/* Size of piece number `piece`, of which `left` bytes of the request have still to come. */
uint64_t cut_piece(const struct cut *cut, uint32_t piece, uint64_t left);

/* A page above 4 GiB; the same for the same seed and number. */
uint64_t cut_address(uint64_t seed, uint64_t number);

#endif
