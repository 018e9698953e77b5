/* SPDX-License-Identifier: Apache-2.0 */
/* A model of the page allocator, as far as growing pools ask it: blocks of 2^order pages at
 * addresses aligned to their size, handed out in ascending order. Approximate: a real one has other
 * users. */
#ifndef SWIOTLB_PAGES_H
#define SWIOTLB_PAGES_H

#include "bounce/status.h"

#include <stdbool.h>
#include <stdint.h>

#define PAGES_MAX_ORDER 10u /* MAX_PAGE_ORDER with 4 KiB pages: 4 MiB */

struct freed_blocks { /* of one order, last freed first */
    uint64_t *addresses;
    uint32_t count;
    uint32_t room;
};

struct pages {
    uint64_t next;    /* everything from here on is free */
    unsigned largest; /* fragmentation: larger orders fail */
    bool reuse;       /* freed blocks are handed out again */
    struct freed_blocks freed[PAGES_MAX_ORDER + 1];
};

void pages_init(struct pages *pages, uint64_t first, unsigned largest_order, bool reuse);
void pages_free_all(struct pages *pages);

/* Order of the smallest block of at least that many bytes. */
unsigned pages_order(uint64_t bytes);

/* A block whose first `bytes` lie at or below `limit`, or 0. */
uint64_t pages_alloc(struct pages *pages, uint64_t bytes, uint64_t limit);
void pages_free(struct pages *pages, uint64_t address, uint64_t bytes);

#endif
