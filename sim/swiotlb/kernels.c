/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/kernels.h"

#include "policy.h"

#include <string.h>

static const struct bounce_kernel table[] = {
    {"linux-6.12", "Linux 6.9 and later without SWIOTLB_DYNAMIC: one pool, areas from the CPU's own",
     "kernel/dma/swiotlb.c of 6.12.117", &policy_linux_6_12, NULL},
    {"linux-6.12-dynamic",
     "Linux 6.9 and later with SWIOTLB_DYNAMIC: a worker adds pools, transient pools fill the gap",
     "kernel/dma/swiotlb.c and pool.c of 6.12.117", &policy_linux_6_12_dynamic, NULL},
    {"linux-6.1", "Linux 6.0 to 6.5: areas, no padding slots, and a search that can spin for ever",
     "kernel/dma/swiotlb.c of 6.1.192", &policy_linux_6_1, NULL},
};

const struct bounce_kernel *bounce_kernel_at(size_t index)
{
    return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

const struct bounce_kernel *bounce_kernel_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
