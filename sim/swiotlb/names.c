/* SPDX-License-Identifier: Apache-2.0 */
/* The words of causes, outcomes and directions, as they stand in every output. */
#include "bounce/swiotlb.h"

#include <string.h>

const char *bounce_cause_name(enum bounce_cause cause)
{
    static const char *const names[BOUNCE_CAUSE_COUNT] = {
        [BOUNCE_CAUSE_NONE] = "none",
        [BOUNCE_CAUSE_UNEXPLAINED] = "unexplained",
        [BOUNCE_CAUSE_NO_POOL] = "no_pool",
        [BOUNCE_CAUSE_OVERSIZE] = "oversize",
        [BOUNCE_CAUSE_EXHAUSTED] = "exhausted",
        [BOUNCE_CAUSE_AREA_LIMITED] = "area_limited",
        [BOUNCE_CAUSE_FRAGMENTED] = "fragmented",
        [BOUNCE_CAUSE_ALIGNMENT] = "alignment",
        [BOUNCE_CAUSE_ATOMIC_POOL] = "atomic_pool",
    };

    return names[cause];
}

const char *bounce_outcome_name(enum bounce_outcome outcome)
{
    static const char *const names[] = {
        [BOUNCE_MAP_OK] = "ok",
        [BOUNCE_MAP_FULL] = "full",
        [BOUNCE_MAP_OVERSIZE] = "oversize",
        [BOUNCE_MAP_LOCKUP] = "lockup",
        [BOUNCE_MAP_UNREACHABLE] = "unreachable",
    };

    return names[outcome];
}

const char *bounce_dir_name(enum bounce_dir dir)
{
    static const char *const names[] = {
        [BOUNCE_BIDIRECTIONAL] = "BIDIRECTIONAL",
        [BOUNCE_TO_DEVICE] = "TO_DEVICE",
        [BOUNCE_FROM_DEVICE] = "FROM_DEVICE",
        [BOUNCE_DIR_NONE] = "NONE",
    };

    return names[dir];
}

void bounce_device_init(struct bounce_device *device, const char *name)
{
    *device = (struct bounce_device){.dma_mask = UINT64_MAX, .seg_boundary = UINT32_MAX};
    strncpy(device->name, name, sizeof(device->name) - 1);
}
