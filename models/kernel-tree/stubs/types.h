/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration, an x86-64 guest, and the types. */
#ifndef KT_STUBS_TYPES_H
#define KT_STUBS_TYPES_H

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_SWIOTLB             1
#define CONFIG_DEBUG_FS            1 /* the exact used and used_hiwater counters */
#define CONFIG_DMA_RESTRICTED_POOL 1
#define CONFIG_ZONE_DMA            1
#define CONFIG_ZONE_DMA32          1
#define CONFIG_64BIT               1
#define CONFIG_DMA_COHERENT_POOL   1
#ifdef KT_DYNAMIC
#define CONFIG_SWIOTLB_DYNAMIC 1
#endif

#define KT_TEXT2(x) #x
#define KT_TEXT(x)  KT_TEXT2(x)
/* An option that is on is the macro 1; one that is off stays its own name. */
#define IS_ENABLED(option) (KT_TEXT(option)[0] == '1')
#define IS_BUILTIN(option) IS_ENABLED(option)

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef long long s64;
typedef u64 phys_addr_t;
typedef u64 dma_addr_t;
typedef unsigned int gfp_t;
typedef struct {
    long value;
} atomic_long_t;
typedef struct {
    int value;
} atomic_t;

/* Two types, so that taking a device's lock is not counted as taking an area's. */
typedef struct {
    u16 serving, next; /* with KT_THREADS; as large as the kernel's */
} spinlock_t;
struct kt_device_lock {
    spinlock_t lock;
};

struct list_head {
    struct list_head *next, *prev;
};
struct rcu_head {
    struct rcu_head *next;
    void (*func)(struct rcu_head *head);
};
struct work_struct {
    void (*func)(struct work_struct *work);
};

enum dma_data_direction {
    DMA_BIDIRECTIONAL = 0,
    DMA_TO_DEVICE = 1,
    DMA_FROM_DEVICE = 2,
    DMA_NONE = 3
};

struct page; /* never defined: a page is its physical address, cast */
struct dentry;
struct scatterlist;
struct io_tlb_mem;
struct io_tlb_pool;
struct file_operations {
    int (*get)(void *data, u64 *value);
    int (*set)(void *data, u64 value);
};

struct device {
    u64 *dma_mask;
    u64 bus_dma_limit;
    struct io_tlb_mem *dma_io_tlb_mem;
    struct list_head dma_io_tlb_pools;
    struct kt_device_lock dma_io_tlb_lock;
    bool dma_uses_io_tlb;
    bool dma_skip_sync;
    /* ours */
    u64 mask;
    unsigned int min_align_mask;
    unsigned long seg_boundary;
};

#endif
