/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/kernels.h"

#include "policy.h"
#include "sized_config.h"

#include <string.h>

static const struct bounce_kernel table[] = {
    {.name = "linux-6.12",
     .summary = "Linux 6.9 and later without SWIOTLB_DYNAMIC: one pool, areas from the CPU's own",
     .source = "kernel/dma/swiotlb.c of 6.12.117",
     .policy = &policy_linux_6_12},
    {.name = "linux-6.12-dynamic",
     .summary = "Linux 6.9 and later with SWIOTLB_DYNAMIC: a worker adds pools, transient pools "
                "fill the gap",
     .source = "kernel/dma/swiotlb.c and pool.c of 6.12.117",
     .policy = &policy_linux_6_12_dynamic},
    {.name = "linux-6.1",
     .summary = "Linux 6.0 to 6.5: areas, no padding slots, and a search that can spin for ever",
     .source = "kernel/dma/swiotlb.c of 6.1.192",
     .policy = &policy_linux_6_1},
    {.name = "pool-by-pool",
     .summary = "linux-6.12-dynamic, but all areas of a pool are searched before the next pool",
     .source = "swiotlb_find_slots() of Linux 6.6 and 6.7, before commit 55c543865b76",
     .policy = &policy_pool_by_pool},
    {.name = "global",
     .summary = "one area and one lock for all CPUs, searched as in linux-6.12",
     .source = "what swiotlb was before areas (Linux 6.0, commit 20347fca71a3)",
     .factory = &factory_global},
    {.name = "best-fit",
     .summary = "the shortest free run that the request fits in; areas as in linux-6.12",
     .source = "Knuth, TAOCP volume 1, 2.5; not proposed for swiotlb that we know of",
     .factory = &factory_best_fit},
    {.name = "lifo",
     .summary = "slots freed last are taken first, from a free list for each area",
     .source = "Chao Gao, \"swiotlb: Allocate memory in a cache-friendly way\", 2021-09-01",
     .factory = &factory_lifo},
    {.name = "size-classes",
     .summary = "blocks of 2, 4, 16 and 512 KiB made beforehand; a request gets one of its class",
     .source = "GuoRui Yu (Alibaba), cc-swiotlb for confidential guests, 2023-01-28",
     .factory = &factory_size_classes},
    {.name = "buddy",
     .summary = "blocks of a power of two, halved and joined again; areas as in linux-6.12",
     .source = "asked for on the iommu list, 2019-07; as the kernel's page allocator",
     .factory = &factory_buddy},
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

/* A kernel tree of the user's is an allocator of its own too, but no row of the table. */
bool bounce_kernel_is_proposed(const struct bounce_kernel *kernel)
{
    return kernel->factory && kernel == bounce_kernel_find(kernel->name);
}

uint32_t bounce_kernel_nareas(const struct bounce_kernel *kernel, uint32_t nareas)
{
    return kernel->factory == &factory_global || kernel->factory == &factory_size_classes ? 1
                                                                                          : nareas;
}

bool bounce_kernel_takes_any_size(const struct bounce_kernel *kernel)
{
    return kernel->policy == &policy_linux_6_12 || bounce_kernel_is_proposed(kernel);
}

bool bounce_kernel_grows(const struct bounce_kernel *kernel)
{
    return kernel->policy && kernel->policy->grows;
}
