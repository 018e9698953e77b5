/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include "pool.h"

#include <stdlib.h>

void pages_init(struct pages *pages, uint64_t first, unsigned largest_order, bool reuse)
{
    *pages = (struct pages){.next = first, .largest = largest_order, .reuse = reuse};
}

void pages_free_all(struct pages *pages)
{
    for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++)
        free(pages->freed[order].addresses);
}

unsigned pages_order(uint64_t bytes)
{
    uint64_t count = (bytes + PAGE_SIZE_4K - 1) >> PAGE_SHIFT;

    return count <= 1 ? 0 : log2_floor(count - 1) + 1;
}

uint64_t pages_alloc(struct pages *pages, uint64_t bytes, uint64_t limit)
{
    unsigned order = pages_order(bytes);
    uint64_t size = (uint64_t)PAGE_SIZE_4K << order;
    struct freed_blocks *freed;
    uint64_t address;

    if (order > pages->largest || order > PAGES_MAX_ORDER)
        return 0;
    freed = &pages->freed[order];
    if (freed->count && freed->addresses[freed->count - 1] + bytes - 1 <= limit)
        return freed->addresses[--freed->count];
    address = (pages->next + size - 1) & ~(size - 1);
    if (address > limit || bytes - 1 > limit - address)
        return 0;
    pages->next = address + size;
    return address;
}

void pages_free(struct pages *pages, uint64_t address, uint64_t bytes)
{
    struct freed_blocks *freed = &pages->freed[pages_order(bytes)];

    if (!pages->reuse)
        return;
    if (freed->count == freed->room) {
        uint32_t room = freed->room ? 2 * freed->room : 16;
        uint64_t *more = realloc(freed->addresses, room * sizeof(*more));

        if (!more)
            return; /* the block is lost, as memory is short */
        freed->addresses = more;
        freed->room = room;
    }
    freed->addresses[freed->count++] = address;
}
