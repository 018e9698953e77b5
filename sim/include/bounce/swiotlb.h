/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator core: one struct bounce_swiotlb behaves as one io_tlb_mem of the kernel, address
 * for address, candidate for candidate. It holds no buffer memory, only the book-keeping.
 *
 * Thread rule: one allocator belongs to one thread at a time; different allocators are independent.
 */
#ifndef BOUNCE_SWIOTLB_H
#define BOUNCE_SWIOTLB_H

#include "bounce/boot.h"
#include "bounce/device.h"
#include "bounce/export.h"
#include "bounce/kernels.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

struct bounce_swiotlb;

struct bounce_swiotlb_config {
    const struct bounce_kernel *kernel;
    uint64_t nslabs; /* after rounding: bounce_boot_round(); 0 = no pool: every map fails */
    uint32_t nareas; /* power of two; a whole number of slot sets an area unless it is 1 */
    uint32_t cpus;   /* possible CPUs, 1..BOUNCE_MAX_CPUS */
    uint64_t start;  /* physical address of the pool, page-aligned */
    /* Growing kernels only; 0 or false asks for what stands behind it. */
    uint64_t default_nslabs; /* what a grown pool asks for: nslabs */
    uint32_t default_nareas; /* area numbers searched: nareas */
    uint32_t lost_orders;    /* fragmentation: so many of the largest page orders fail, 0..10 */
    uint64_t pages_start;    /* where the page allocator begins: behind the pool, 4 MiB aligned */
    uint64_t grow_limit;     /* highest address of a grown pool: 4 GiB - 1 */
    bool reuse_pages;        /* freed blocks are handed out again */
    bool encrypted;          /* confidential guest: transient buffers come from the atomic pool */
    uint64_t memory;         /* bytes of memory: size of the atomic pool */
    /* Other constants than Linux's, where bounce_kernel_takes_any_size(). Slots above are of this
     * size, the start is aligned to it. A seg_boundary below it is kept between slots alone. */
    uint32_t slot_size;     /* bytes, a power of two; 0: 2048 */
    uint32_t segment_slots; /* slots of a slot set, a power of two; 0: 128 */
    /* Slots of a pool of its own for each device, in one area, from `start` on in the order of
     * their first maps; nslabs and nareas are unused then. 0: one pool for all. Not for growing
     * kernels. */
    uint64_t device_nslabs;
};

#define BOUNCE_MIN_SLOT_SIZE     512u
#define BOUNCE_MAX_SLOT_SIZE     65536u
#define BOUNCE_MIN_SEGMENT_SLOTS 32u
#define BOUNCE_MAX_SEGMENT_SLOTS 4096u

static inline uint32_t bounce_config_slot_size(const struct bounce_swiotlb_config *config)
{
    return config->slot_size ? config->slot_size : 1u << BOUNCE_SLOT_SHIFT;
}

static inline uint32_t bounce_config_segment_slots(const struct bounce_swiotlb_config *config)
{
    return config->segment_slots ? config->segment_slots : BOUNCE_SEGMENT_SLOTS;
}

/* Counters that change with every call; pointers to them stay valid as long as the allocator. */
struct bounce_swiotlb_counts {
    uint64_t nslabs;       /* slots of all pools that stay (io_tlb_nslabs) */
    uint64_t used;         /* io_tlb_used, slots */
    uint64_t used_hiwater; /* io_tlb_used_hiwater, slots */
    uint64_t transient_nslabs;
    uint64_t transient_nslabs_hiwater;
    uint64_t pools;         /* default and grown pools, without transient ones */
    uint64_t free_segments; /* slot sets that are wholly free: each serves one 256 KiB mapping */
    uint64_t free_segments_min; /* fewest at any time */
    uint64_t internal_bytes;    /* bytes of used slots that no mapping asked for */
    uint64_t internal_bytes_hiwater;
    uint64_t transient_maps;  /* buffers that got a pool of their own */
    uint64_t converted_bytes; /* made shared in an encrypted guest: pools and atomic pool */
    uint64_t probes;          /* candidates looked at, all calls */
    uint64_t locks;           /* area locks taken by searches, all calls */
};

enum bounce_outcome {
    BOUNCE_MAP_OK,
    BOUNCE_MAP_FULL,        /* no usable slots: the kernel logs "swiotlb buffer is full" */
    BOUNCE_MAP_OVERSIZE,    /* the same to the kernel, but no pool of any size could serve it */
    BOUNCE_MAP_LOCKUP,      /* the kernel's search would never end */
    BOUNCE_MAP_UNREACHABLE, /* slots were found above the device's DMA mask, and given back */
};

/* Why a map failed, in the order in which the question is asked. */
enum bounce_cause {
    BOUNCE_CAUSE_NONE,
    BOUNCE_CAUSE_NO_POOL,      /* there is no pool */
    BOUNCE_CAUSE_OVERSIZE,     /* more than a slot set holds, offset and alignment included */
    BOUNCE_CAUSE_EXHAUSTED,    /* fewer free slots in the pool than needed */
    BOUNCE_CAUSE_AREA_LIMITED, /* enough in the pool, in no single area */
    BOUNCE_CAUSE_FRAGMENTED,   /* enough in an area, no free run that long within a slot set */
    BOUNCE_CAUSE_ALIGNMENT,    /* a run is there, none that meets alignment or seg_boundary */
    BOUNCE_CAUSE_ATOMIC_POOL,  /* a transient buffer found the atomic pool empty */
    BOUNCE_CAUSE_UNEXPLAINED,  /* it failed when recorded, and no order of events shows why */
    BOUNCE_CAUSE_COUNT
};

struct bounce_map_request {
    const struct bounce_device *device;
    uint64_t orig_addr; /* physical address of the buffer; ignored by bounce_swiotlb_alloc() */
    uint64_t size;      /* bytes, >= 1 */
    uint32_t alloc_align_mask; /* IOMMU granule - 1 for an untrusted device, otherwise 0 */
    uint32_t cpu;
};

struct bounce_map_result {
    uint64_t tlb_addr;   /* where the device finds the buffer; 0 on failure */
    uint64_t alloc_size; /* bytes asked of the search: offset and rounding included; the log's sz */
    uint64_t probes;     /* candidate slots looked at */
    uint32_t locks;      /* area locks taken */
    uint32_t slots;      /* slots taken, padding included; 0 on failure */
    enum bounce_outcome outcome;
};

/* The pool as a failed request found it. */
struct bounce_pressure {
    enum bounce_cause cause;
    uint32_t slots_needed;
    uint64_t nslabs;
    uint64_t free;           /* free slots of all pools */
    uint64_t best_area_free; /* of the emptiest area */
    uint32_t largest_run;    /* longest free run within a slot set, any alignment */
};

/* The bytes that a sync or an unmap copies. */
struct bounce_copy {
    uint64_t orig_addr;
    uint64_t bytes; /* 0: nothing is copied */
};

/* An allocator with all slots free and every cursor at 0, owned by the caller.
 * BOUNCE_INVALID (with `error`): a start that is not page-aligned or overflows, areas that are not
 * a power of two or not whole slot sets, sizes above BOUNCE_MAX_NSLABS. BOUNCE_NO_MEMORY.
 * Memory: about 25 bytes a slot, touched only where slots are used. */
BOUNCE_API enum bounce_status bounce_swiotlb_create(const struct bounce_swiotlb_config *config,
                                                    struct bounce_swiotlb **out,
                                                    struct bounce_error *error);
BOUNCE_API void bounce_swiotlb_destroy(struct bounce_swiotlb *mem);

/* swiotlb_tbl_map_single(): slots for one buffer. On failure nothing changes but the probe and lock
 * counts. A size of 0 is our caller's bug. Cost: a few words a slot set looked at; slot sets
 * without a long enough run are skipped eight at a time. */
BOUNCE_API void bounce_swiotlb_map(struct bounce_swiotlb *mem,
                                   const struct bounce_map_request *request,
                                   struct bounce_map_result *result);

/* swiotlb_alloc(): coherent memory from a restricted pool, aligned to its size rounded up to a
 * power-of-two number of pages; no original buffer, so nothing is ever copied. */
BOUNCE_API void bounce_swiotlb_alloc(struct bounce_swiotlb *mem,
                                     const struct bounce_map_request *request,
                                     struct bounce_map_result *result);

/* Frees what map or alloc returned at exactly `tlb_addr`, padding included; returns the slots given
 * back, 0 when nothing was mapped there. */
BOUNCE_API uint32_t bounce_swiotlb_unmap(struct bounce_swiotlb *mem,
                                         const struct bounce_device *device, uint64_t tlb_addr);

/* What the kernel copies for `size` bytes at bounce address `tlb_addr`: found from the address
 * alone, cut at the end of the buffer's slots as swiotlb_bounce() does. */
BOUNCE_API struct bounce_copy bounce_swiotlb_sync(const struct bounce_swiotlb *mem,
                                                  const struct bounce_device *device,
                                                  uint64_t tlb_addr, uint64_t size);

/* Back to the state after boot: all slots free, cursors at 0. High-water marks and the counts of
 * probes and locks go on. Linear in the number of slot sets. */
BOUNCE_API void bounce_swiotlb_restart(struct bounce_swiotlb *mem);

/* The queued growth worker runs now; returns whether there was work for it. */
BOUNCE_API bool bounce_swiotlb_run_worker(struct bounce_swiotlb *mem);

/* Whether bounce_swiotlb_run_worker() would have work. */
BOUNCE_API bool bounce_swiotlb_worker_queued(const struct bounce_swiotlb *mem);

/* Why `request` (`alloc`: as bounce_swiotlb_alloc()) cannot be met in the pool as it stands. To be
 * asked right after the failure. Linear in the number of slot sets. */
BOUNCE_API void bounce_swiotlb_pressure(struct bounce_swiotlb *mem,
                                        const struct bounce_map_request *request, bool alloc,
                                        struct bounce_pressure *pressure);

/* ---- setting the state by hand, to follow a recorded kernel ---- */

/* What bounce_swiotlb_map() would answer, without taking anything. False where the kernel of this
 * allocator does not offer it (other back-ends). Of a growing kernel: the search of the pools that
 * are there, BOUNCE_MAP_FULL where it would go on to a transient one. */
BOUNCE_API bool bounce_swiotlb_peek(struct bounce_swiotlb *mem,
                                    const struct bounce_map_request *request,
                                    struct bounce_map_result *result);

/* Takes the slots that give `request` the address `tlb_addr`, wherever a search would have gone;
 * with move_cursor the area's cursor moves behind them, as after a search. False, and nothing
 * changed, when they are not free, not in any pool, or cannot give that address. */
BOUNCE_API bool bounce_swiotlb_place(struct bounce_swiotlb *mem,
                                     const struct bounce_map_request *request, uint64_t tlb_addr,
                                     bool move_cursor);

/* The lock of an area: its pool (0 the default one, then the grown ones, oldest first) and its
 * number there. BOUNCE_OWN_LOCK: of a transient pool, which nobody else has. */
#define BOUNCE_OWN_LOCK UINT32_MAX
struct bounce_lock {
    uint32_t pool;
    uint32_t area;
};

/* Where a search stands; all zero: at its start. */
struct bounce_lock_walk {
    uint32_t number; /* areas counted from the CPU's own */
    uint32_t pools;  /* of them, looked at */
};

/* The next lock that a search by `cpu` takes when it finds nothing before, as the pools stand now;
 * BOUNCE_OWN_LOCK when it is through all of them. For kernels that grow (bounce_kernel_grows()). */
BOUNCE_API struct bounce_lock bounce_swiotlb_next_lock(const struct bounce_swiotlb *mem,
                                                       uint32_t cpu, struct bounce_lock_walk *walk);

/* The lock of the area that holds `tlb_addr`; BOUNCE_OWN_LOCK too outside every pool. For the same
 * kernels. Linear in the number of grown pools. */
BOUNCE_API struct bounce_lock bounce_swiotlb_lock_of(const struct bounce_swiotlb *mem,
                                                     uint64_t tlb_addr);

struct bounce_area_state {
    uint64_t start;  /* address of its first slot */
    uint32_t cursor; /* slots from there */
};

/* The area that holds an address, and its cursor; false, or nothing done, outside every pool. */
BOUNCE_API bool bounce_swiotlb_area_at(const struct bounce_swiotlb *mem, uint64_t tlb_addr,
                                       struct bounce_area_state *out);
BOUNCE_API void bounce_swiotlb_set_cursor_at(struct bounce_swiotlb *mem, uint64_t tlb_addr,
                                             uint32_t cursor);

/* bounce_swiotlb_map(), if it answers with `tlb_addr`; `before` becomes what its area was like.
 * False, and nothing changed, when it would answer otherwise. Of a growing kernel: the search of
 * the pools that are there. */
BOUNCE_API bool bounce_swiotlb_map_as(struct bounce_swiotlb *mem,
                                      const struct bounce_map_request *request, uint64_t tlb_addr,
                                      struct bounce_area_state *before);

/* Sets the cursor of the area that holds `tlb_addr` so that a search begins right there. Nothing
 * outside every pool. */
BOUNCE_API void bounce_swiotlb_aim(struct bounce_swiotlb *mem,
                                   const struct bounce_map_request *request, uint64_t tlb_addr);

#define BOUNCE_MAX_GROWN_NSLABS 2048u /* one block of the largest page order: 4 MiB */

/* A pool is added where it was recorded, empty, under the `newer` newest grown ones in the order of
 * the search. BOUNCE_INVALID for another kernel than a growing one or a shape that no pool has;
 * BOUNCE_NO_MEMORY. */
BOUNCE_API enum bounce_status bounce_swiotlb_add_pool(struct bounce_swiotlb *mem, uint64_t start,
                                                      uint64_t nslabs, uint32_t nareas,
                                                      uint32_t newer);

/* Takes that back: the grown pool that begins there and has nothing mapped is gone. */
BOUNCE_API bool bounce_swiotlb_remove_pool(struct bounce_swiotlb *mem, uint64_t start);

/* bounce_swiotlb_map() where the page allocator's answer is known: a search that finds nothing gets
 * a transient pool for the address `transient_addr`, or none when that is 0; no worker is queued.
 * Not for other back-ends than the core's kernels. */
BOUNCE_API void bounce_swiotlb_map_recorded(struct bounce_swiotlb *mem,
                                            const struct bounce_map_request *request,
                                            uint64_t transient_addr,
                                            struct bounce_map_result *result);

/* The address that was returned for the buffer to which the slot at `tlb_addr` belongs, padding
 * included; 0 when the slot is free. */
BOUNCE_API uint64_t bounce_swiotlb_holder(const struct bounce_swiotlb *mem, uint64_t tlb_addr);

BOUNCE_API const struct bounce_swiotlb_counts *
bounce_swiotlb_get_counts(const struct bounce_swiotlb *mem);

/* Areas of the default pool and the slots used in one of them (0 past the end). */
BOUNCE_API uint32_t bounce_swiotlb_nareas(const struct bounce_swiotlb *mem);
BOUNCE_API uint64_t bounce_swiotlb_area_used(const struct bounce_swiotlb *mem, uint32_t area);

/* Whether the buffer at that bounce address has a transient pool of its own; never of an allocator
 * that is not the core. */
BOUNCE_API bool bounce_swiotlb_is_transient(const struct bounce_swiotlb *mem, uint64_t tlb_addr);

/* swiotlb_max_mapping_size(): the largest mapping the DMA layer lets drivers ask for, in bytes. */
BOUNCE_API uint64_t bounce_swiotlb_max_mapping_size(uint32_t min_align_mask);

/* Slots that a request takes (`alloc`: as bounce_swiotlb_alloc()), offset and padding included, as
 * Linux 6.12 counts them; whether a pool could ever give them is not asked. */
BOUNCE_API uint32_t bounce_swiotlb_slots(const struct bounce_map_request *request, bool alloc);

/* "no_pool", "oversize", ... as in the JSON keys; "ok", "full", ... as in --mappings. */
BOUNCE_API const char *bounce_cause_name(enum bounce_cause cause);
BOUNCE_API const char *bounce_outcome_name(enum bounce_outcome outcome);

BOUNCE_END_DECLS

#endif
