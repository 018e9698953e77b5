/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next: a heap by time, in the order of planning among equal times. */
#ifndef GEN_DUE_H
#define GEN_DUE_H

#include "bounce/status.h"

#include <stdint.h>

struct due {
    uint64_t time_ns;
    uint64_t order;
    uint32_t what;
    uint8_t kind;
};

struct agenda {
    struct due *heap;
    uint32_t count;
    uint32_t room;
    uint64_t next_order;
};

/* BOUNCE_NO_MEMORY. Logarithmic in what is planned. */
enum bounce_status agenda_add(struct agenda *agenda, uint64_t time_ns, uint8_t kind, uint32_t what);

/* There must be something. */
struct due agenda_take(struct agenda *agenda);

void agenda_free(struct agenda *agenda);

#endif
