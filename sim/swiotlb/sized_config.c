/* SPDX-License-Identifier: Apache-2.0 */
#include "sized_config.h"

#include "bits.h"
#include "sized_pool.h"

static bool is_stock(const struct bounce_swiotlb_config *config)
{
    return bounce_config_slot_size(config) == 1u << BOUNCE_SLOT_SHIFT &&
           bounce_config_segment_slots(config) == BOUNCE_SEGMENT_SLOTS;
}

enum bounce_status sized_config_check(const struct bounce_swiotlb_config *config,
                                      struct bounce_error *error)
{
    uint32_t slot_size = bounce_config_slot_size(config);
    uint32_t segment_slots = bounce_config_segment_slots(config);

    if (!is_power_of_2(slot_size) || slot_size < BOUNCE_MIN_SLOT_SIZE ||
        slot_size > BOUNCE_MAX_SLOT_SIZE)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "slots of %u bytes; a power of two from %u to %u is modelled",
                             slot_size, BOUNCE_MIN_SLOT_SIZE, BOUNCE_MAX_SLOT_SIZE);
    if (!is_power_of_2(segment_slots) || segment_slots < BOUNCE_MIN_SEGMENT_SLOTS ||
        segment_slots > BOUNCE_MAX_SEGMENT_SLOTS)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "slot sets of %u slots; a power of two from %u to %u is modelled",
                             segment_slots, BOUNCE_MIN_SEGMENT_SLOTS, BOUNCE_MAX_SEGMENT_SLOTS);
    if (!is_stock(config) && !bounce_kernel_takes_any_size(config->kernel))
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "%s has slots of 2048 bytes in sets of 128; other sizes are modelled "
                             "with linux-6.12 and the proposed policies",
                             config->kernel->name);
    if (config->start % slot_size)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "pool start %llx; it must be aligned to the slots of %u bytes",
                             (unsigned long long)config->start, slot_size);
    if (config->device_nslabs > BOUNCE_MAX_NSLABS)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "%llu slots a device; at most %u are modelled",
                             (unsigned long long)config->device_nslabs, BOUNCE_MAX_NSLABS);
    if (config->device_nslabs && config->kernel->policy && config->kernel->policy->grows)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "%s with a pool for each device: such pools do not grow; linux-6.12 "
                             "has the same search",
                             config->kernel->name);
    return BOUNCE_OK;
}

const struct bounce_backend_factory *
sized_config_factory(const struct bounce_swiotlb_config *config)
{
    if (config->device_nslabs)
        return &factory_per_device;
    if (config->kernel->factory)
        return config->kernel->factory;
    return is_stock(config) ? NULL : &factory_sized;
}
