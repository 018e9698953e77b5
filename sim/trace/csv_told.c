/* SPDX-License-Identifier: Apache-2.0 */
/* Comments of bouncesim's own CSV that say what its rows cannot:
 *
 *   # bouncesim: from_ns=0 cpus=4 forced=1 ...
 *   # bouncesim: device=NAME dma_mask=HEX seg_boundary=HEX min_align_mask=HEX
 *   # bouncesim: until_ns=9000000 */
#include "text.h"

static bool low_mask(uint64_t mask)
{
    return (mask & (mask + 1)) == 0;
}

static void tell_device(struct bounce_device *device, const struct field *name,
                        const struct field *value)
{
    uint64_t mask;

    if (!field_hex(value, &mask))
        return;
    if (field_is(name, "dma_mask"))
        device->dma_mask = mask;
    else if (field_is(name, "seg_boundary") && low_mask(mask) && mask >> BOUNCE_SLOT_SHIFT)
        device->seg_boundary = mask;
    else if (field_is(name, "min_align_mask") && low_mask(mask) && mask <= UINT32_MAX)
        device->min_align_mask = (uint32_t)mask;
}

static void tell_machine(struct bounce_recorded_config *config, const struct field *name,
                         const struct field *value, uint64_t *time_ns)
{
    uint64_t v;

    if (field_is(name, "start")) {
        if (field_hex(value, &v) && v <= INT64_MAX && v % 4096 == 0)
            config->start = v;
        return;
    }
    if (!field_decimal(value, &v))
        return;
    if (field_is(name, "from_ns") || field_is(name, "until_ns"))
        *time_ns = v;
    else if (field_is(name, "cpus") && v && v <= BOUNCE_MAX_CPUS)
        config->cpus = (uint32_t)v;
    else if (field_is(name, "nslabs") && v && v <= BOUNCE_MAX_NSLABS)
        config->boot.nslabs = v;
    else if (field_is(name, "nareas") && v <= BOUNCE_MAX_CPUS)
        config->boot.nareas = (uint32_t)v;
    else if (field_is(name, "allocator_calls"))
        config->allocator_calls = v != 0;
    else if (field_is(name, "bounces"))
        config->bounces = v != 0;
    else if (field_is(name, "forced"))
        config->forced = v != 0;
    else if (field_is(name, "guessed_force"))
        config->guessed_force = v != 0;
    else if (field_is(name, "guessed_dirs"))
        config->guessed_dirs = v != 0;
    else if (field_is(name, "guessed_unit"))
        config->guessed_unit = v != 0;
    else if (field_is(name, "tells_requeues"))
        config->tells_requeues = v != 0;
    else if (field_is(name, "no_mappings"))
        config->no_mappings = v != 0;
}

bool csv_told(struct bounce_trace *trace, struct cursor c, uint64_t *time_ns)
{
    struct bounce_recorded_config *config = &trace->recorded;
    uint16_t device = UINT16_MAX;

    if (!SCAN_LITERAL(&c, "# bouncesim: "))
        return false;
    while (!scan_at_end(&c)) {
        struct field word = {c.at, 0}, name, value;
        const char *equals;

        scan_word(&c, &word.at, &word.length);
        equals = memchr(word.at, '=', word.length);
        if (!equals)
            continue;
        name = (struct field){word.at, (size_t)(equals - word.at)};
        value = (struct field){equals + 1, word.length - name.length - 1};
        if (field_is(&name, "device") && value.length)
            device = trace_device(trace, value.at, value.length);
        else if (device != UINT16_MAX)
            tell_device(&trace->devices[device], &name, &value);
        else
            tell_machine(config, &name, &value, time_ns);
    }
    config->has_header = config->boot.nslabs && config->cpus && config->start;
    return true;
}
