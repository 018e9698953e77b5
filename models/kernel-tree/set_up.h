/* SPDX-License-Identifier: GPL-2.0-only */
/* Pools and devices: from a configuration to the tree's own set-up. Part of plugin.c. */
#ifndef KT_SET_UP_H
#define KT_SET_UP_H

#include "instance.h"

static int remap_nothing(void *tlb, unsigned long nslabs)
{
    (void)tlb;
    (void)nslabs;
    return 0;
}

static void boot_option(uint64_t slots, uint32_t areas, bool force)
{
    char text[64];
    int end = 0;
    if (slots)
        end += snprintf(text + end, sizeof(text) - (size_t)end, "%llu", (unsigned long long)slots);
    if (areas)
        end += snprintf(text + end, sizeof(text) - (size_t)end, ",%u", areas);
    if (force)
        end += snprintf(text + end, sizeof(text) - (size_t)end, "%sforce", end ? "," : "");
    if (end)
        setup_io_tlb_npages(text);
}

static void set_up_default_pool(const struct bounce_kt_config *config)
{
    int (*remap)(void *, unsigned long) = NULL;
#ifdef KT_DYNAMIC
    if (!config->dynamic)
        remap = remap_nothing; /* a pool that had to be remapped never grows */
#else
    (void)remap_nothing;
#endif
    boot_option(config->slots, config->areas, config->force);
    swiotlb_init_remap(true, 0, remap);
    the_instance.mem = &io_tlb_default_mem;
}

static struct device *new_device(void)
{
    struct device *dev = kt_allocate(1, sizeof(*dev));
    dev->dma_mask = &dev->mask;
#ifdef KT_HAVE_DEV_INIT
    swiotlb_dev_init(dev);
#else
    dev->dma_io_tlb_mem = &io_tlb_default_mem;
#endif
    if (the_instance.restricted &&
        the_instance.reserved.ops->device_init(&the_instance.reserved, dev))
        kt_leave(KT_LEFT_BUG);
    return dev;
}

static void set_up_restricted_pool(const struct bounce_kt_config *config)
{
#ifdef KT_DYNAMIC
    /* There the search's outer loop counts up to the default pool's areas. */
    boot_option(0, config->cpus, false);
#endif
    the_instance.reserved.name = "restricted";
    the_instance.reserved.base = config->pool_start;
    the_instance.reserved.size = config->slots << IO_TLB_SHIFT;
    if (rmem_swiotlb_setup(&the_instance.reserved))
        kt_leave(KT_LEFT_BUG);
    the_instance.restricted = true;
    the_instance.mem = new_device()->dma_io_tlb_mem; /* the first device sets the pool up */
}

static void kt_destroy(struct bounce_kt *self)
{
    if (!self)
        return;
    while (kt.allocations) {
        struct kt_allocation *next = kt.allocations->next;
        free(kt.allocations);
        kt.allocations = next;
    }
    free(self->devices);
    self->devices = NULL;
    self->mem = NULL;
}

static enum bounce_kt_status kt_create(const struct bounce_kt_config *config,
                                       struct bounce_kt **instance)
{
    *instance = NULL;
    bool sane = config->slots <= 1ULL << 26 && config->areas <= 65536 && config->cpus >= 1 &&
                config->cpus <= 65536 && config->pool_start > 0 &&
                config->pool_start < 1ULL << 62 && config->pool_start % PAGE_SIZE == 0;
    if (config->restricted)
        sane = sane && config->slots > 0 && config->slots % IO_TLB_SEGSIZE == 0;
    if (!sane)
        return BOUNCE_KT_INVALID;
#ifndef KT_DYNAMIC
    if (config->dynamic)
        return BOUNCE_KT_UNSUPPORTED;
#endif
#if !defined(KT_ALLOC_ALIGNS) && !defined(KT_ALLOC_ALIGNS_NOT)
    if (config->natural_alloc)
        return BOUNCE_KT_UNSUPPORTED;
#endif
    if (config->dynamic && config->restricted)
        return BOUNCE_KT_INVALID; /* restricted pools never grow */
    if (taken)
        return BOUNCE_KT_BUSY;
    taken = true;
    the_instance.natural_alloc = config->natural_alloc;
    kt.cpus = config->cpus;
    kt.pool_start = config->pool_start;
    kt.memory = config->memory;
    kt.search_bound = ~0ULL >> 8;

    enter();
    int why = way_back();
    if (why) {
        enum bounce_kt_status status = left_because(why);
        kt_destroy(&the_instance);
        return status;
    }
    if (config->restricted)
        set_up_restricted_pool(config);
    else
        set_up_default_pool(config);
    leave();
    if (!the_instance.mem->nslabs) {
        kt_destroy(&the_instance);
        return BOUNCE_KT_BUG;
    }
    kt.search_bound = the_instance.mem->nslabs;
    kt.area_slots = kt.search_bound / pool_number(&the_instance, 0)->nareas;
    *instance = &the_instance;
    return BOUNCE_KT_OK;
}

static enum bounce_kt_status kt_add_device(struct bounce_kt *self,
                                           const struct bounce_kt_device_config *config,
                                           uint32_t *device)
{
    if (!is_low_mask(config->seg_boundary) || config->seg_boundary < IO_TLB_SIZE - 1 ||
        !is_low_mask(config->min_align_mask) || config->min_align_mask > INT_MAX ||
        config->dma_mask == 0)
        return BOUNCE_KT_INVALID;
    if (self->device_count == self->device_room) {
        uint32_t room = self->device_room ? self->device_room * 2 : 8;
        struct device **more = realloc(self->devices, room * sizeof(struct device *));
        if (!more)
            return BOUNCE_KT_NO_MEMORY;
        self->devices = more;
        self->device_room = room;
    }
    enter();
    int why = way_back();
    if (why)
        return left_because(why);
    struct device *dev = new_device();
    leave();
    dev->mask = config->dma_mask;
    dev->min_align_mask = config->min_align_mask;
    dev->seg_boundary = config->seg_boundary;
    *device = self->device_count;
    self->devices[self->device_count++] = dev;
    return BOUNCE_KT_OK;
}

#endif
