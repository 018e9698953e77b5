/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The C interface between bouncesim and a plug-in made of a kernel tree's own swiotlb.c.
 *
 * A plug-in exports one symbol, `bounce_kernel_plugin`, a `struct bounce_kt_plugin`. The kernel
 * file keeps its state in static variables, so one loaded copy of the shared object holds one
 * instance, once: to have several, load several copies of the file (see load.h). Copies share
 * nothing and may run in different threads; one copy is for one thread at a time.
 *
 * Addresses are physical; there is no memory behind them, so nothing here reads or writes pool or
 * buffer memory. Sizes are bytes. No call prints, aborts or exits.
 */
#ifndef BOUNCE_KERNEL_TREE_PLUGIN_H
#define BOUNCE_KERNEL_TREE_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#define BOUNCE_KT_ABI    2
#define BOUNCE_KT_SYMBOL "bounce_kernel_plugin"

/* What this build can do: bounce_kt_plugin.features. */
#define BOUNCE_KT_DYNAMIC (1u << 0) /* built with SWIOTLB_DYNAMIC */
#define BOUNCE_KT_PROBES  (1u << 1) /* `probes` is counted; otherwise it is always 0 */
#define BOUNCE_KT_HIWATER (1u << 2) /* the tree counts used_hiwater; otherwise the plug-in does */
#define BOUNCE_KT_GUARD   (1u << 3) /* an endless search becomes BOUNCE_KT_LOCKUP, not a hang */
#define BOUNCE_KT_NATURAL (1u << 4) /* `natural_alloc` can be asked for */
#define BOUNCE_KT_PADDING (1u << 5) /* the tree has padding slots (6.10 on) */

enum bounce_kt_status {
    BOUNCE_KT_OK = 0,
    BOUNCE_KT_FULL,     /* no room found: the kernel logs "swiotlb buffer is full" */
    BOUNCE_KT_OVERSIZE, /* no room found, and more than one slot set is needed: it never fits */
    BOUNCE_KT_LOCKUP,   /* the search never ends; it was left, nothing was allocated */
    BOUNCE_KT_BUG,      /* a BUG_ON of the tree came true; the instance is good for destroy only */
    BOUNCE_KT_INVALID,  /* an argument outside its range; nothing was done */
    BOUNCE_KT_UNSUPPORTED, /* not in this build, see features */
    BOUNCE_KT_BUSY,        /* this copy of the shared object has had its instance already */
    BOUNCE_KT_NO_MEMORY    /* the host is out of memory */
};

/* Directions as in the kernel and in `ops` streams. */
enum bounce_kt_dir {
    BOUNCE_KT_BIDIRECTIONAL = 0,
    BOUNCE_KT_TO_DEVICE = 1,
    BOUNCE_KT_FROM_DEVICE = 2
};

#define BOUNCE_KT_ATTR_SKIP_CPU_SYNC (1u << 5)

/* Where grown and transient pools get their memory: the host's own model, in place of the plug-in's
 * (README.md). It must outlive the instance; its functions are called from within the plug-in's. */
struct bounce_kt_memory {
    void *context;
    /* A block of 2^order pages, or 0. */
    uint64_t (*take_block)(void *context, uint32_t order);
    /* `unused`: it was above a limit and nothing was done with it. */
    void (*give_block)(void *context, uint64_t address, uint32_t order, bool unused);
    /* Memory of a guest is encrypted: transient pools come from the atomic coherent pool. Then: */
    bool encrypted;
    uint64_t (*alloc_atomic)(void *context, uint64_t bytes, uint64_t limit); /* or 0 */
    bool (*free_atomic)(void *context, uint64_t address, uint64_t bytes); /* false: not its own */
};

struct bounce_kt_config {
    uint64_t slots;      /* as in the boot option `swiotlb=`, up to 2^26; 0: not given (64 MiB) */
    uint32_t areas;      /* as in the boot option; 0: not given, by CPUs */
    uint32_t cpus;       /* 1 .. 65536 */
    uint64_t pool_start; /* physical, page-aligned, above 0, below 2^62 */
    bool force;          /* the boot option's `force` */
    bool dynamic;        /* the pool may grow; needs BOUNCE_KT_DYNAMIC */
    bool restricted;     /* devices use a restricted pool: `slots` as given, one area, force */
    bool natural_alloc;  /* alloc aligns to its size in pages rounded up to a power of two, also in
                            trees whose swiotlb_alloc() does not; false: as the tree does */
    const struct bounce_kt_memory *memory; /* NULL: the plug-in's own model */
};

struct bounce_kt_device_config {
    uint64_t dma_mask;
    uint64_t seg_boundary;   /* 2^n - 1 */
    uint32_t min_align_mask; /* 0 or 2^n - 1 */
};

struct bounce_kt_map_result {
    enum bounce_kt_status status;
    uint32_t locks;      /* area locks taken */
    uint64_t probes;     /* candidate slots looked at; 0 without BOUNCE_KT_PROBES */
    uint64_t tlb_addr;   /* valid when status is BOUNCE_KT_OK */
    uint64_t alloc_size; /* bytes that the search looks for: offset and rounding included */
    uint32_t pad_slots;  /* slots taken before the one that tlb_addr lies in */
    bool no_pages;       /* a transient pool was wanted and there was no memory for it */
};

/* One pool of the allocator. */
struct bounce_kt_pool {
    uint64_t start;
    uint64_t nslabs;
    uint32_t nareas;
    bool transient;
};

/* One copy between the original buffer and the pool that the kernel would have made. */
struct bounce_kt_copy {
    bool copied;
    uint64_t orig; /* original address read or written */
    uint64_t bytes;
};

struct bounce_kt_counters {
    uint64_t nslabs; /* slots in all pools, transient ones not counted */
    uint64_t used;
    uint64_t used_hiwater;
    uint64_t transient_nslabs;
    uint64_t warnings; /* times a one-time warning of the tree had reason, e.g. a sync cut short */
    bool worker_queued;
};

struct bounce_kt; /* an instance */

struct bounce_kt_plugin {
    uint32_t abi;         /* BOUNCE_KT_ABI; check it before anything else */
    uint32_t features;    /* BOUNCE_KT_DYNAMIC ... */
    const char *release;  /* the tree's version, such as "6.12.117" */
    uint32_t struct_size; /* sizeof(struct bounce_kt_plugin) in the plug-in */

    /* Sets the pool up as at boot. OK, INVALID, UNSUPPORTED, BUSY, BUG or NO_MEMORY. */
    enum bounce_kt_status (*create)(const struct bounce_kt_config *config,
                                    struct bounce_kt **instance);
    void (*destroy)(struct bounce_kt *kt); /* NULL is fine; frees all the instance's memory */

    /* Numbers devices 0, 1, 2 ... in order of calls. OK, INVALID, BUG or NO_MEMORY. */
    enum bounce_kt_status (*add_device)(struct bounce_kt *kt,
                                        const struct bounce_kt_device_config *config,
                                        uint32_t *device);

    /* One map request. `size` is the request's: where a tree wants it rounded up to
     * alloc_align_mask + 1 beforehand (before 6.10) the plug-in does it, as the IOMMU layer does.
     * `orig` is below 2^62, `size` 1 to 2^40, alloc_align_mask 0 or 2^n - 1.
     * result->status is the return value: OK, FULL, OVERSIZE, LOCKUP, BUG, INVALID, NO_MEMORY.
     * After a LOCKUP the pool is as before the call. */
    enum bounce_kt_status (*map)(struct bounce_kt *kt, uint32_t device, uint32_t cpu, uint64_t orig,
                                 uint64_t size, uint32_t alloc_align_mask, enum bounce_kt_dir dir,
                                 uint32_t attrs, struct bounce_kt_map_result *result);
    /* Restricted-pool allocation: no original buffer, `size` up to 2^30; otherwise like map. */
    enum bounce_kt_status (*alloc)(struct bounce_kt *kt, uint32_t device, uint32_t cpu,
                                   uint64_t size, struct bounce_kt_map_result *result);

    /* Ends a live mapping: the device, size and direction must be those of its map (as the DMA
     * API demands; not checked). `copy`, which may be NULL, tells what would be copied back.
     * OK, BUG, LOCKUP, or INVALID when tlb_addr is in no pool. */
    enum bounce_kt_status (*unmap)(struct bounce_kt *kt, uint32_t device, uint64_t tlb_addr,
                                   uint64_t size, enum bounce_kt_dir dir, uint32_t attrs,
                                   struct bounce_kt_copy *copy);
    enum bounce_kt_status (*free)(struct bounce_kt *kt, uint32_t device, uint64_t tlb_addr,
                                  uint64_t size);

    /* Syncs any part of a live mapping: tlb_addr may lie inside it. `copy` may be NULL. */
    enum bounce_kt_status (*sync)(struct bounce_kt *kt, uint32_t device, uint64_t tlb_addr,
                                  uint64_t size, enum bounce_kt_dir dir, bool for_cpu,
                                  struct bounce_kt_copy *copy);

    /* Runs the queued growth worker; *ran says whether there was one. OK, BUG, NO_MEMORY. */
    enum bounce_kt_status (*run_worker)(struct bounce_kt *kt, bool *ran);

    void (*counters)(const struct bounce_kt *kt, struct bounce_kt_counters *out);

    /* Pools that stay, the default one and grown ones, in the tree's order: false past the end. */
    bool (*pool_at)(const struct bounce_kt *kt, uint32_t index, struct bounce_kt_pool *out);
    /* The pool, transient ones included, that a device's buffer lies in; false: none. */
    bool (*pool_of)(const struct bounce_kt *kt, uint32_t device, uint64_t tlb_addr,
                    struct bounce_kt_pool *out);

    /* Sets every area's cursor to where it is after boot, and forgets the queued worker; nothing
     * may be mapped. OK, or UNSUPPORTED when the tree keeps its cursors in a way of its own. */
    enum bounce_kt_status (*restart)(struct bounce_kt *kt);
};

#endif
