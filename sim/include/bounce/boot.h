/* SPDX-License-Identifier: Apache-2.0 */
/* The boot option swiotlb= and the rounding that makes a pool of it. */
#ifndef BOUNCE_BOOT_H
#define BOUNCE_BOOT_H

#include "bounce/export.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_SLOT_SHIFT     11u     /* IO_TLB_SHIFT: a slot is 2 KiB */
#define BOUNCE_SEGMENT_SLOTS  128u    /* IO_TLB_SEGSIZE: slots of a slot set */
#define BOUNCE_DEFAULT_NSLABS 32768u  /* 64 MiB, IO_TLB_DEFAULT_SIZE */
#define BOUNCE_MAX_NSLABS     8388608u /* 16 GiB: our own limit, beyond any kernel's pool */
#define BOUNCE_MAX_CPUS       8192u   /* the largest NR_CPUS of a distribution kernel */

/* swiotlb=<slots>[,<areas>][,force|noforce]; 0 means "not given". */
struct bounce_boot {
    uint64_t nslabs;
    uint32_t nareas;
    bool force;
    bool noforce;
};

/* Reads the kernel's own syntax; in place of a slot count a size with K, M or G is taken too
 * ("64M"). BOUNCE_INVALID: empty, not a number, zero, more than BOUNCE_MAX_NSLABS or
 * BOUNCE_MAX_CPUS, or anything after it. `boot` is written only on success. */
BOUNCE_API enum bounce_status bounce_boot_parse(const char *text, struct bounce_boot *boot,
                                                struct bounce_error *error);

/* What a kernel makes of the option on a machine with `cpus` possible CPUs (>= 1): slots rounded
 * up to a slot set, areas to a power of two (the CPUs' number when not given), slots to 128 an
 * area and then to a power of two, areas limited to slots / 128.
 * Source: setup_io_tlb_npages(), swiotlb_adjust_nareas(), limit_nareas() of 6.1 and 6.12. */
BOUNCE_API void bounce_boot_round(const struct bounce_boot *boot, uint32_t cpus, uint64_t *nslabs,
                                  uint32_t *nareas);

/* Where a pool of that many slots lies when nothing tells: below 2 GiB, where 32-bit devices reach
 * it, or from 4 GiB on when it is larger than that. */
BOUNCE_API uint64_t bounce_boot_default_start(uint64_t nslabs);

BOUNCE_END_DECLS

#endif
