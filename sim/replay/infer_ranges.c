/* SPDX-License-Identifier: Apache-2.0 */
/* Where recorded addresses lie together: in a pool, or in pools side by side. */
#include "infer.h"

#include "bounce/boot.h"

#include <stdlib.h>

/* Pools that grow are no larger, so a pool leaves no larger gap between two that it holds. */
#define GAP ((uint64_t)BOUNCE_MAX_GROWN_NSLABS << BOUNCE_SLOT_SHIFT)

static int by_address(const void *a, const void *b)
{
    const struct infer_range *x = a, *y = b;

    return x->low < y->low ? -1 : x->low > y->low;
}

static int by_maps(const void *a, const void *b)
{
    const struct infer_range *x = a, *y = b;

    return x->maps != y->maps ? (x->maps > y->maps ? -1 : 1) : by_address(a, b);
}

enum bounce_status infer_ranges(const struct bounce_event *events, size_t count,
                                struct infer_range *ranges, size_t capacity, size_t *found)
{
    struct infer_range *all = malloc((count + 1) * sizeof(*all));
    size_t n = 0, kept = 0;

    *found = 0;
    if (!all)
        return BOUNCE_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (events[i].kind == BOUNCE_EVENT_MAP && events[i].recorded == BOUNCE_RECORDED_ADDRESS)
            all[n++] = (struct infer_range){events[i].tlb_addr, events[i].tlb_addr + events[i].size,
                                            !(events[i].flags & BOUNCE_EVENT_HELD)};
    qsort(all, n, sizeof(*all), by_address);
    for (size_t i = 0; i < n; i++)
        if (kept && all[i].low < all[kept - 1].high + GAP) {
            all[kept - 1].maps += all[i].maps;
            if (all[i].high > all[kept - 1].high)
                all[kept - 1].high = all[i].high;
        } else {
            all[kept++] = all[i];
        }
    qsort(all, kept, sizeof(*all), by_maps);
    for (size_t i = 0; i < kept && i < capacity; i++)
        ranges[(*found)++] = all[i];
    free(all);
    return BOUNCE_OK;
}
