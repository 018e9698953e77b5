/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/boot.h"

#include "bits.h"

#include <ctype.h>
#include <string.h>

static uint64_t round_up_pow2(uint64_t value) /* 1 <= value <= 2^63 */
{
    return is_power_of_2(value) ? value : UINT64_C(2) << log2_floor(value);
}

static unsigned digit_of(char c) /* 16: none */
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* The number at *text, which moves past it, with the prefixes that simple_strtoul() takes; false
 * when there is none or it overflows. */
static bool take_number(const char **text, uint64_t *value)
{
    const char *p = *text;
    unsigned base = 10;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_of(p[2]) < 16) {
        base = 16;
        p += 2;
    } else if (p[0] == '0') {
        base = 8;
    }
    if (digit_of(*p) >= base)
        return false;
    for (*value = 0; digit_of(*p) < base; p++)
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)digit_of(*p), value))
            return false;
    *text = p;
    return true;
}

static bool take_slots(const char **text, uint64_t *nslabs)
{
    static const char units[] = "KMG";
    uint64_t value;
    const char *unit;

    if (!take_number(text, &value))
        return false;
    unit = **text ? strchr(units, toupper((unsigned char)**text)) : NULL;
    if (unit) {
        unsigned shift = 10u * (unsigned)(unit - units + 1);

        ++*text;
        if (value > UINT64_MAX >> shift)
            return false;
        value = (value << shift) >> BOUNCE_SLOT_SHIFT;
    }
    *nslabs = value;
    return true;
}

enum bounce_status bounce_boot_parse(const char *text, struct bounce_boot *boot,
                                     struct bounce_error *error)
{
    struct bounce_boot b = {0, 0, false, false};
    const char *p = text;
    uint64_t areas;

    if (isdigit((unsigned char)*p)) {
        if (!take_slots(&p, &b.nslabs) || b.nslabs > BOUNCE_MAX_NSLABS)
            return bounce_refuse(error, BOUNCE_INVALID, 0,
                                 "swiotlb=%s: too large; at most %u slots (16G)", text,
                                 BOUNCE_MAX_NSLABS);
        if (b.nslabs == 0)
            return bounce_refuse(
                error, BOUNCE_INVALID, 0,
                "swiotlb=%s: no slots; give at least 1 slot (2 KiB, a kernel makes 128 an area of "
                "it), or noforce to have no pool",
                text);
    }
    /* The slots may be left out, then the areas come after a comma all the same. */
    if (*p == ',' && isdigit((unsigned char)p[1])) {
        p++;
        if (!take_number(&p, &areas) || areas == 0 || areas > BOUNCE_MAX_CPUS)
            return bounce_refuse(error, BOUNCE_INVALID, 0, "swiotlb=%s: areas must be 1 to %u",
                                 text, BOUNCE_MAX_CPUS);
        b.nareas = (uint32_t)areas;
    }
    if (*p == ',' && (p > text || p[1]))
        p++;
    else if (*p && p > text)
        p = "?";
    if (strcmp(p, "force") == 0)
        b.force = true;
    else if (strcmp(p, "noforce") == 0)
        b.noforce = true;
    else if (*p || p == text)
        return bounce_refuse(error, BOUNCE_INVALID, 0,
                             "swiotlb=%s: not understood; write SLOTS[,AREAS][,force|noforce], for "
                             "instance 65536,8,force or 128M",
                             text);
    *boot = b;
    return BOUNCE_OK;
}

void bounce_boot_round(const struct bounce_boot *boot, uint32_t cpus, uint64_t *nslabs,
                       uint32_t *nareas)
{
    uint64_t slots = boot->nslabs ? boot->nslabs : BOUNCE_DEFAULT_NSLABS;
    uint64_t areas = round_up_pow2(boot->nareas ? boot->nareas : cpus);

    slots = (slots + BOUNCE_SEGMENT_SLOTS - 1) / BOUNCE_SEGMENT_SLOTS * BOUNCE_SEGMENT_SLOTS;
    if (slots < areas * BOUNCE_SEGMENT_SLOTS)
        slots = areas * BOUNCE_SEGMENT_SLOTS;
    slots = round_up_pow2(slots);
    if (slots > BOUNCE_MAX_NSLABS) { /* both are powers of two */
        slots = BOUNCE_MAX_NSLABS;
        if (areas > slots / BOUNCE_SEGMENT_SLOTS)
            areas = slots / BOUNCE_SEGMENT_SLOTS;
    }
    *nslabs = slots;
    *nareas = (uint32_t)areas;
}

static uint64_t align_slots(uint64_t slots)
{
    return (slots + BOUNCE_SEGMENT_SLOTS - 1) / BOUNCE_SEGMENT_SLOTS * BOUNCE_SEGMENT_SLOTS;
}

/* What the architecture makes of a size that the boot option left at its default, in bytes. */
static uint64_t adjusted_size(const struct bounce_machine *machine)
{
    const uint64_t least = (uint64_t)BOUNCE_DEFAULT_NSLABS << BOUNCE_SLOT_SHIFT;
    const uint64_t most = UINT64_C(1) << 30;
    uint64_t size = least;

    if (machine->guest != BOUNCE_GUEST_NONE) {
        size = machine->memory / 100 * 6 + machine->memory % 100 * 6 / 100;
        size = size < least ? least : size > most ? most : size;
    } else if (machine->arch == BOUNCE_ARCH_ARM64) {
        size = (machine->memory + 1023) / 1024;
        size = size < least ? size : least;
    }
    return size;
}

/* Whether the architecture finds the size at its default. By then it is rounded to the areas that
 * the option gives, so 20000,4 looks as if nothing had been asked for. */
static bool stands_at_default(const struct bounce_boot *boot)
{
    uint64_t nslabs = align_slots(boot->nslabs ? boot->nslabs : BOUNCE_DEFAULT_NSLABS);
    uint32_t nareas;

    if (boot->nareas)
        bounce_boot_round(boot, 1, &nslabs, &nareas);
    return nslabs == BOUNCE_DEFAULT_NSLABS;
}

enum bounce_boot_rule bounce_boot_rule_of(const struct bounce_boot *boot,
                                          const struct bounce_machine *machine)
{
    if (!stands_at_default(boot))
        return BOUNCE_RULE_OPTION;
    if (machine->memory && machine->guest != BOUNCE_GUEST_NONE)
        return BOUNCE_RULE_GUEST;
    if (machine->memory && machine->arch == BOUNCE_ARCH_ARM64)
        return BOUNCE_RULE_ARM64;
    return boot->nslabs ? BOUNCE_RULE_OPTION : BOUNCE_RULE_DEFAULT;
}

void bounce_boot_pool(const struct bounce_boot *boot, const struct bounce_machine *machine,
                      uint64_t *nslabs, uint32_t *nareas)
{
    struct bounce_boot adjusted = *boot;
    uint64_t slot = UINT64_C(1) << BOUNCE_SLOT_SHIFT;
    const uint64_t least = UINT64_C(1) << (20 - BOUNCE_SLOT_SHIFT); /* IO_TLB_MIN_SLABS */

    if (machine->memory && stands_at_default(boot))
        adjusted.nslabs = align_slots((adjusted_size(machine) + slot - 1) / slot);
    bounce_boot_round(&adjusted, machine->cpus, nslabs, nareas);
    while (machine->low_memory && *nslabs << BOUNCE_SLOT_SHIFT > machine->low_memory) {
        if (*nslabs <= least) {
            *nslabs = 0;
            return;
        }
        *nslabs = align_slots(*nslabs >> 1);
        if (*nslabs < (uint64_t)*nareas * BOUNCE_SEGMENT_SLOTS)
            *nareas = (uint32_t)(*nslabs / BOUNCE_SEGMENT_SLOTS);
    }
}

uint32_t bounce_guest_conversion_ns(enum bounce_guest guest)
{
    switch (guest) {
    case BOUNCE_GUEST_SEV_SNP:
        return 1250;
    case BOUNCE_GUEST_TDX:
        return 1660;
    case BOUNCE_GUEST_NONE:
        break;
    }
    return 0;
}

uint64_t bounce_boot_default_start(uint64_t nslabs)
{
    uint64_t bytes = nslabs << BOUNCE_SLOT_SHIFT;
    uint64_t top = UINT64_C(1) << 31;

    return bytes <= top / 2 ? top - bytes : UINT64_C(1) << 32;
}
