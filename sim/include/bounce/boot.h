/* SPDX-License-Identifier: Apache-2.0 */
/* The boot option swiotlb= and the rounding that makes a pool of it. */
#ifndef BOUNCE_BOOT_H
#define BOUNCE_BOOT_H

#include "bounce/export.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

#define BOUNCE_SLOT_SHIFT     11u      /* IO_TLB_SHIFT: a slot is 2 KiB */
#define BOUNCE_SEGMENT_SLOTS  128u     /* IO_TLB_SEGSIZE: slots of a slot set */
#define BOUNCE_DEFAULT_NSLABS 32768u   /* 64 MiB, IO_TLB_DEFAULT_SIZE */
#define BOUNCE_MAX_NSLABS     8388608u /* 16 GiB: our own limit, beyond any kernel's pool */
#define BOUNCE_MAX_CPUS       8192u    /* the largest NR_CPUS of a distribution kernel */

/* swiotlb=[<slots>][,<areas>][,force|noforce]; 0 means "not given". */
struct bounce_boot {
    uint64_t nslabs;
    uint32_t nareas;
    bool force;
    bool noforce;
};

/* Reads the kernel's own syntax, numbers as it does (0x400 is hexadecimal, 0200 octal); in place of
 * a slot count a size with K, M or G is taken too ("64M"). Refused although a kernel takes it: 0
 * slots, of which it makes the smallest pool that the areas allow. BOUNCE_INVALID: that, empty, not
 * a number, more than BOUNCE_MAX_NSLABS or BOUNCE_MAX_CPUS, or anything after it. `boot` is written
 * only on success. Source: setup_io_tlb_npages() of 6.1 and 6.12. */
BOUNCE_API enum bounce_status bounce_boot_parse(const char *text, struct bounce_boot *boot,
                                                struct bounce_error *error);

/* What a kernel makes of the option on a machine with `cpus` possible CPUs (>= 1): slots rounded
 * up to a slot set, areas to a power of two (the CPUs' number when not given), slots to 128 an
 * area and then to a power of two, areas limited to slots / 128.
 * Source: setup_io_tlb_npages(), swiotlb_adjust_nareas(), limit_nareas() of 6.1 and 6.12. */
BOUNCE_API void bounce_boot_round(const struct bounce_boot *boot, uint32_t cpus, uint64_t *nslabs,
                                  uint32_t *nareas);

enum bounce_guest {
    BOUNCE_GUEST_NONE, /* memory is not encrypted */
    BOUNCE_GUEST_SEV_SNP,
    BOUNCE_GUEST_TDX,
};

/* What making 4 KiB shared with the hypervisor costs, without batching across requests; 0 for
 * BOUNCE_GUEST_NONE. An upper guide: the extra time of the first touch of 32 GiB in a guest of that
 * kind, by page. Source: Misono et al., Confidential VMs Explained (2024), section 4.3.2. */
BOUNCE_API uint32_t bounce_guest_conversion_ns(enum bounce_guest guest);

enum bounce_arch { BOUNCE_ARCH_X86, BOUNCE_ARCH_ARM64 };

/* What besides the boot option decides about the pool. */
struct bounce_machine {
    uint32_t cpus;       /* possible CPUs, >= 1 */
    uint64_t memory;     /* bytes; 0: not told, then no rule below applies */
    uint64_t low_memory; /* largest free range below 4 GiB, bytes; 0: always enough */
    enum bounce_guest guest;
    enum bounce_arch arch; /* arm64: all memory within reach of every device */
};

/* The pool of that machine: 6 % of the memory of an encrypted x86 guest, 64 MiB to 1 GiB; 1 MiB a
 * GiB, at most 64 MiB, on arm64 without a DMA limit; both only when the boot option leaves the size
 * at its default. Then rounding as above; then half of it, and again, down to 1 MiB, while it does
 * not fit below 4 GiB. *nslabs is 0 when even that does not.
 * Source: mem_encrypt_setup_arch() (arch/x86/mm/mem_encrypt.c), mem_init() (arch/arm64/mm/init.c),
 * swiotlb_adjust_size(), swiotlb_init_remap() of 6.12.117. */
BOUNCE_API void bounce_boot_pool(const struct bounce_boot *boot,
                                 const struct bounce_machine *machine, uint64_t *nslabs,
                                 uint32_t *nareas);

/* Where a size comes from, before it is rounded and halved. */
enum bounce_boot_rule {
    BOUNCE_RULE_DEFAULT, /* 64 MiB */
    BOUNCE_RULE_OPTION,  /* the boot option names it */
    BOUNCE_RULE_GUEST,   /* 6 % of memory */
    BOUNCE_RULE_ARM64,   /* 1 MiB a GiB of memory */
};

/* The rule that bounce_boot_pool() goes by. */
BOUNCE_API enum bounce_boot_rule bounce_boot_rule_of(const struct bounce_boot *boot,
                                                     const struct bounce_machine *machine);

/* Where a pool of that many slots lies when nothing tells: below 2 GiB, where 32-bit devices reach
 * it, or from 4 GiB on when it is larger than that. */
BOUNCE_API uint64_t bounce_boot_default_start(uint64_t nslabs);

BOUNCE_END_DECLS

#endif
