/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel tree's swiotlb.c needs from the rest of the kernel, in user space.
 *
 * build-plugin makes every <linux/...> header the tree's files include a one-line include of this
 * one, except <linux/swiotlb.h>, which is the tree's own. Single-threaded by contract (plugin.h),
 * so locks, atomics, RCU and barriers are plain operations; area locks are counted.
 *
 * With KT_THREADS (build-plugin --threads, for measurements) maps and unmaps may come from several
 * threads: locks spin, atomics are atomic, and addresses are those of real memory, which is copied.
 * Set-up, destruction and everything that grows still belong to one thread.
 *
 * Addresses: a pool or buffer address becomes a "virtual" one by setting its top bit, which no user
 * space pointer has. Such a pointer is never dereferenced: copies are noted, clearing is skipped.
 */
#ifndef KT_STUBS_H
#define KT_STUBS_H

#include "plugin.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- configuration: an x86-64 guest ---- */
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

/* ---- types ---- */
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

/* ---- state of the instance that the stubs share with plugin.c ---- */
struct kt_stub_state {
    unsigned int cpu; /* the CPU that makes the call */
    unsigned int cpus;
    /* counts of one call */
    u64 probes;
    u64 probe_limit;
    u64 ticks;
    unsigned int locks;
    bool copied;
    u64 copy_dst, copy_src, copy_bytes;
    /* leaving the kernel's code: 1 an endless search, 2 a BUG, 3 out of memory */
    bool armed;
    jmp_buf way_out;
    u64 search_bound; /* no search of one area looks at more candidates than this */
    u64 area_slots;   /* of the default pool */
    /* physical memory */
    u64 pool_start;
    u64 next_block;
    u64 fresh_block;  /* handed out last; 0 once anything else was allocated */
    u64 before_block; /* next_block before that */
    bool no_pages;    /* the last block asked for was not to be had, or above its limit */
    const struct bounce_kt_memory *memory;
    bool pool_given;
    struct kt_allocation *allocations;
    /* deferred work */
    struct rcu_head *rcu_pending;
    struct work_struct *work_pending;
    u64 warnings;
};
#ifdef KT_THREADS
#define KT_OF_THREAD _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define KT_OF_THREAD
#endif
static KT_OF_THREAD struct kt_stub_state kt;

enum { KT_LEFT_SEARCH = 1, KT_LEFT_BUG = 2, KT_LEFT_MEMORY = 3 };

static __attribute__((noinline, cold, noreturn)) void kt_leave(int why)
{
    if (!kt.armed)
        abort(); /* our own bug: every entry into the kernel's code arms it */
    longjmp(kt.way_out, why);
}

/* build-plugin puts one call at every candidate slot. */
static inline int kt_probe(void)
{
    if (__builtin_expect(++kt.probes > kt.probe_limit, 0))
        kt_leave(KT_LEFT_SEARCH);
    return 0;
}

/* Where build-plugin does not recognise the search, every loop gets this instead. */
static inline void kt_tick(void)
{
    if (__builtin_expect(++kt.ticks > kt.search_bound * 64 + 1000000, 0) && kt.armed)
        kt_leave(KT_LEFT_SEARCH);
}

/* ---- language helpers ---- */
#define __init
#define __initdata
#define __ro_after_init
#define __maybe_unused  __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __always_inline inline __attribute__((always_inline))
#define __must_check
#define __force
#define __iomem
#define __rcu
#define noinline                      __attribute__((noinline))
#define likely(x)                     __builtin_expect(!!(x), 1)
#define unlikely(x)                   __builtin_expect(!!(x), 0)
#define READ_ONCE(x)                  (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)              (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()                     __asm__ volatile("" ::: "memory")
#define smp_mb()                      barrier()
#define smp_rmb()                     barrier()
#define smp_wmb()                     barrier()
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(x)               _Static_assert(!(x), "BUILD_BUG_ON")
#define BUG()                         kt_leave(KT_LEFT_BUG)
#define BUG_ON(x)                                                                                  \
    do {                                                                                           \
        if (unlikely(x))                                                                           \
            kt_leave(KT_LEFT_BUG);                                                                 \
    } while (0)

#define KT_COMMON(a, b) __typeof__((a) + (b))
#define min(a, b)                                                                                  \
    ({                                                                                             \
        KT_COMMON(a, b) kt_a = (a), kt_b = (b);                                                    \
        kt_a < kt_b ? kt_a : kt_b;                                                                 \
    })
#define max(a, b)                                                                                  \
    ({                                                                                             \
        KT_COMMON(a, b) kt_a = (a), kt_b = (b);                                                    \
        kt_a > kt_b ? kt_a : kt_b;                                                                 \
    })
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define min_not_zero(a, b)                                                                         \
    ({                                                                                             \
        KT_COMMON(a, b) kt_x = (a), kt_y = (b);                                                    \
        !kt_x ? kt_y : !kt_y ? kt_x : min(kt_x, kt_y);                                             \
    })
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ALIGN(x, a)        (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)   ((x) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a)   (((x) & ((__typeof__(x))(a)-1)) == 0)
#define roundup(x, y)      ((((x) + (y)-1) / (y)) * (y))
#define rounddown(x, y)    ((x) - (x) % (y))
#define round_up(x, y)     ALIGN(x, y)
#define round_down(x, y)   ALIGN_DOWN(x, y)
#define array_size(a, b)   ((size_t)(a) * (size_t)(b))
#define BIT(n)             (1UL << (n))
#define BITS_PER_LONG      64
#define SZ_1M              (1UL << 20)

static inline bool is_power_of_2(unsigned long n)
{
    return n && !(n & (n - 1));
}
static inline unsigned long roundup_pow_of_two(unsigned long n)
{
    return n <= 1 ? 1 : 1UL << (64 - __builtin_clzl(n - 1));
}
static inline int ilog2(unsigned long n)
{
    return 63 - __builtin_clzl(n);
}
#define simple_strtoul(text, end, base) strtoul(text, end, base)

/* ---- messages: arguments are compiled, never evaluated ---- */
static inline void kt_say(const char *format, ...)
{
    (void)format;
}
#define KT_QUIET(...)                                                                              \
    do {                                                                                           \
        if (0)                                                                                     \
            kt_say(__VA_ARGS__);                                                                   \
    } while (0)
#define KT_WARN(condition, ...)                                                                    \
    ({                                                                                             \
        bool kt_bad = (condition);                                                                 \
        if (unlikely(kt_bad))                                                                      \
            kt.warnings++;                                                                         \
        KT_QUIET("" __VA_ARGS__);                                                                  \
        kt_bad;                                                                                    \
    })
#define pr_debug(...)                          KT_QUIET(__VA_ARGS__)
#define pr_info(...)                           KT_QUIET(__VA_ARGS__)
#define pr_info_once(...)                      KT_QUIET(__VA_ARGS__)
#define pr_warn(...)                           KT_QUIET(__VA_ARGS__)
#define pr_warn_once(...)                      KT_QUIET(__VA_ARGS__)
#define pr_warn_ratelimited(...)               KT_QUIET(__VA_ARGS__)
#define pr_err(...)                            KT_QUIET(__VA_ARGS__)
#define dev_dbg(dev, ...)                      KT_QUIET(__VA_ARGS__)
#define dev_info(dev, ...)                     KT_QUIET(__VA_ARGS__)
#define dev_warn(dev, ...)                     KT_QUIET(__VA_ARGS__)
#define dev_warn_once(dev, ...)                KT_QUIET(__VA_ARGS__)
#define dev_warn_ratelimited(dev, ...)         KT_QUIET(__VA_ARGS__)
#define dev_err(dev, ...)                      KT_QUIET(__VA_ARGS__)
#define WARN(condition, ...)                   KT_WARN(condition, __VA_ARGS__)
#define WARN_ONCE(condition, ...)              KT_WARN(condition, __VA_ARGS__)
#define WARN_ON(condition)                     KT_WARN(condition)
#define WARN_ON_ONCE(condition)                KT_WARN(condition)
#define dev_WARN_ONCE(dev, condition, ...)     KT_WARN(condition, __VA_ARGS__)
#define trace_swiotlb_bounced(dev, addr, size) ((void)(dev), (void)(addr), (void)(size))

/* ---- locks, atomics, RCU, work, lists ---- */
#define __SPIN_LOCK_UNLOCKED(name)                                                                 \
    {                                                                                              \
        0, 0                                                                                       \
    }
#define DEFINE_SPINLOCK(name) spinlock_t name
#define spin_lock_init(lock)  ((void)memset(lock, 0, sizeof(*(lock))))
static inline void kt_count_lock(void)
{
    kt.locks++;
    kt.probe_limit = kt.probes + kt.search_bound;
}
#ifdef KT_THREADS
static inline void kt_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}
/* In order of arrival, as the kernel's; a waiter only reads. */
static inline void kt_spin(spinlock_t *lock)
{
    u16 mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine)
        kt_relax();
}
static inline void kt_leave_lock(spinlock_t *lock)
{
    __atomic_store_n(&lock->serving, (u16)(lock->serving + 1), __ATOMIC_RELEASE);
}
static inline void kt_lock_area(spinlock_t *lock)
{
    kt_spin(lock);
    kt_count_lock();
}
static inline void kt_lock_other(struct kt_device_lock *lock)
{
    kt_spin(&lock->lock);
}
static inline void kt_unlock_other(struct kt_device_lock *lock)
{
    kt_leave_lock(&lock->lock);
}
#define KT_UNLOCK(lock)                                                                            \
    _Generic((lock), spinlock_t * : kt_leave_lock, struct kt_device_lock * : kt_unlock_other)(lock)
#else
static inline void kt_lock_area(const spinlock_t *lock)
{
    (void)lock;
    kt_count_lock();
}
static inline void kt_lock_other(const struct kt_device_lock *lock)
{
    (void)lock;
}
#define KT_UNLOCK(lock) ((void)(lock))
#endif
#define KT_LOCK(lock)                                                                              \
    _Generic((lock), spinlock_t * : kt_lock_area, struct kt_device_lock * : kt_lock_other)(lock)
#define spin_lock(lock)                     KT_LOCK(lock)
#define spin_unlock(lock)                   KT_UNLOCK(lock)
#define spin_lock_irqsave(lock, flags)      ((flags) = 0, KT_LOCK(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), KT_UNLOCK(lock))
#define spin_trylock_irqsave(lock, flags)   ((flags) = 0, KT_LOCK(lock), true)
#define spin_trylock(lock)                  (KT_LOCK(lock), true)
#define local_irq_save(flags)               ((flags) = 0)
#define local_irq_restore(flags)            ((void)(flags))
#define lockdep_assert_held(lock)           ((void)(lock))

#define ATOMIC_LONG_INIT(v)                                                                        \
    {                                                                                              \
        v                                                                                          \
    }
#ifdef KT_THREADS
#define atomic_long_read(a)          __atomic_load_n(&(a)->value, __ATOMIC_RELAXED)
#define atomic_long_set(a, v)        __atomic_store_n(&(a)->value, (long)(v), __ATOMIC_RELAXED)
#define atomic_long_add_return(n, a) __atomic_add_fetch(&(a)->value, (long)(n), __ATOMIC_SEQ_CST)
#define atomic_long_sub_return(n, a) __atomic_sub_fetch(&(a)->value, (long)(n), __ATOMIC_SEQ_CST)
#define atomic_long_add(n, a)        ((void)atomic_long_add_return(n, a))
#define atomic_long_sub(n, a)        ((void)atomic_long_sub_return(n, a))
#define atomic_long_try_cmpxchg(a, expected, desired)                                              \
    __atomic_compare_exchange_n(&(a)->value, (long *)(expected), (long)(desired), false,           \
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#else
#define atomic_long_read(a)          ((a)->value)
#define atomic_long_set(a, v)        ((void)((a)->value = (v)))
#define atomic_long_add(n, a)        ((void)((a)->value += (n)))
#define atomic_long_sub(n, a)        ((void)((a)->value -= (n)))
#define atomic_long_add_return(n, a) ((a)->value += (n))
#define atomic_long_sub_return(n, a) ((a)->value -= (n))
#define atomic_long_try_cmpxchg(a, expected, desired)                                              \
    ((a)->value == (long)*(expected) ? ((a)->value = (long)(desired), true)                        \
                                     : (*(expected) = (a)->value, false))
#endif
#define atomic_long_inc(a) atomic_long_add(1, a)
#define atomic_long_dec(a) atomic_long_sub(1, a)

#define rcu_read_lock()          ((void)0)
#define rcu_read_unlock()        ((void)0)
#define synchronize_rcu()        ((void)0)
#define rcu_dereference(p)       (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
/* A grace period ends with the call into the plug-in: callers still read what they gave away. */
static inline void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
    head->func = func;
    head->next = kt.rcu_pending;
    kt.rcu_pending = head;
}

#define __WORK_INITIALIZER(name, function)                                                         \
    {                                                                                              \
        .func = (function)                                                                         \
    }
#define INIT_WORK(work, function) ((work)->func = (function))
static inline bool schedule_work(struct work_struct *work)
{
    bool first = !kt.work_pending;
    kt.work_pending = work;
    return first;
}

#define LIST_HEAD_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
static inline void INIT_LIST_HEAD(struct list_head *head)
{
    head->next = head->prev = head;
}
#define INIT_LIST_HEAD_RCU(head) INIT_LIST_HEAD(head)
static inline void kt_link(struct list_head *entry, struct list_head *before,
                           struct list_head *after)
{
    entry->prev = before;
    entry->next = after;
    before->next = entry;
    after->prev = entry;
}
static inline void list_add(struct list_head *entry, struct list_head *head)
{
    kt_link(entry, head, head->next);
}
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
    kt_link(entry, head->prev, head);
}
/* The entry keeps its links, so a walk that stands on it can go on. */
static inline void list_del(struct list_head *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
}
static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}
#define list_add_rcu(entry, head)      list_add(entry, head)
#define list_add_tail_rcu(entry, head) list_add_tail(entry, head)
#define list_del_rcu(entry)            list_del(entry)
#define list_for_each_entry(p, head, member)                                                       \
    for ((p) = container_of((head)->next, __typeof__(*(p)), member); &(p)->member != (head);       \
         (p) = container_of((p)->member.next, __typeof__(*(p)), member))
#define list_for_each_entry_rcu(p, head, member, ...) list_for_each_entry(p, head, member)

/* ---- addresses ---- */
#define PAGE_SHIFT             12
#define PAGE_SIZE              (1UL << PAGE_SHIFT)
#define PAGE_MASK              (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x)          ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGNED(x)        IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define PFN_DOWN(x)            ((x) >> PAGE_SHIFT)
#define PFN_UP(x)              (((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_PHYS(x)            ((phys_addr_t)(x) << PAGE_SHIFT)
#define PHYS_PFN(x)            ((unsigned long)((x) >> PAGE_SHIFT))
#define SMP_CACHE_BYTES        64
#define DMA_BIT_MASK(n)        ((n) == 64 ? ~0ULL : (1ULL << ((n)&63)) - 1)
#define DMA_MAPPING_ERROR      (~(dma_addr_t)0)
#define DMA_ATTR_SKIP_CPU_SYNC (1UL << 5)
#define DMA_ATTR_NO_WARN       (1UL << 8)
#define ARCH_LOW_ADDRESS_LIMIT 0xffffffffUL

#ifdef KT_THREADS /* the pool and the buffers are where their addresses say */
#define KT_VIRTUAL 0ULL
#else
#define KT_VIRTUAL (1ULL << 63)
#endif
#define kt_is_virtual(p)                   (((uintptr_t)(p)&KT_VIRTUAL) != 0)
#define phys_to_virt(phys)                 ((void *)(uintptr_t)((u64)(phys) | KT_VIRTUAL))
#define virt_to_phys(p)                    ((phys_addr_t)((uintptr_t)(p) & ~KT_VIRTUAL))
#define __pa(p)                            virt_to_phys(p)
#define __va(phys)                         phys_to_virt(phys)
#define pfn_to_page(pfn)                   ((struct page *)(uintptr_t)((u64)(pfn) << PAGE_SHIFT))
#define page_to_pfn(page)                  ((uintptr_t)(page) >> PAGE_SHIFT)
#define page_to_phys(page)                 ((phys_addr_t)(uintptr_t)(page))
#define virt_to_page(p)                    ((struct page *)(uintptr_t)virt_to_phys(p))
#define page_address(page)                 phys_to_virt(page_to_phys(page))
#define PageHighMem(page)                  ((void)(page), false)
#define high_memory                        ((char *)phys_to_virt(1ULL << 62))
#define phys_to_dma(dev, phys)             ((dma_addr_t)(phys))
#define phys_to_dma_unencrypted(dev, phys) ((dma_addr_t)(phys))
#define dma_to_phys(dev, addr)             ((phys_addr_t)(addr))
static u64 __maybe_unused zone_dma_limit = (1ULL << 24) - 1; /* from 6.12 on */
static unsigned int __maybe_unused zone_dma_bits = 24;       /* before */

#ifdef KT_THREADS
#define memcpy_from_page(dst, page, off, n)                                                        \
    memcpy(dst, (char *)phys_to_virt(page_to_phys(page)) + (off), n)
#define memcpy_to_page(page, off, src, n)                                                          \
    memcpy((char *)phys_to_virt(page_to_phys(page)) + (off), src, n)
#else
#define memcpy(dst, src, n) kt_note_copy((uintptr_t)(dst), (uintptr_t)(src), n)
#define memcpy_from_page(dst, page, off, n)                                                        \
    kt_note_copy((uintptr_t)(dst), page_to_phys(page) + (off), n)
#define memcpy_to_page(page, off, src, n)                                                          \
    kt_note_copy(page_to_phys(page) + (off), (uintptr_t)(src), n)
static inline void kt_note_copy(u64 dst, u64 src, u64 bytes)
{
    if (!kt.copied) {
        kt.copy_dst = dst;
        kt.copy_src = src;
        kt.copy_bytes = 0;
        kt.copied = true;
    }
    kt.copy_bytes += bytes;
}
#endif
static inline void *kt_memset(void *p, int byte, size_t n)
{
    if (!kt_is_virtual(p))
        (memset)(p, byte, n);
    return p;
}
#define memset(p, byte, n) kt_memset(p, byte, n)

#define IS_ERR(p)         ((uintptr_t)(p) >= (uintptr_t)-4095)
#define ERR_PTR(e)        ((void *)(intptr_t)(e))
#define PTR_ERR(p)        ((long)(intptr_t)(p))
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))

/* ---- memory for the kernel's own tables: real, remembered, freed with the instance ---- */
struct kt_allocation {
    struct kt_allocation *next, *prev;
};
static void *kt_allocate(size_t n, size_t size)
{
    size_t bytes;
    struct kt_allocation *a = NULL;
    if (!__builtin_mul_overflow(n, size, &bytes) && bytes <= SIZE_MAX - sizeof(*a))
        a = calloc(1, sizeof(*a) + bytes);
    if (!a)
        kt_leave(KT_LEFT_MEMORY); /* not the simulated kernel's shortage: no answer is right */
    kt.fresh_block = 0;
    a->next = kt.allocations;
    if (a->next)
        a->next->prev = a;
    kt.allocations = a;
    return a + 1;
}
static void kt_release(const void *p)
{
    if (!p)
        return;
    struct kt_allocation *a = (struct kt_allocation *)(uintptr_t)p - 1;
    if (a->next)
        a->next->prev = a->prev;
    if (a->prev)
        a->prev->next = a->next;
    else
        kt.allocations = a->next;
    free(a);
}

#define GFP_KERNEL                   0x01u
#define GFP_ATOMIC                   0x02u
#define GFP_NOWAIT                   0x04u
#define __GFP_NOWARN                 0x08u
#define __GFP_ZERO                   0x10u
#define __GFP_DMA                    0x20u
#define __GFP_DMA32                  0x40u
#define GFP_DMA                      __GFP_DMA
#define GFP_DMA32                    __GFP_DMA32
#define GFP_ZONEMASK                 (__GFP_DMA | __GFP_DMA32)
#define gfpflags_allow_blocking(gfp) (((gfp)&GFP_KERNEL) != 0)

#define kzalloc(size, gfp)          kt_allocate(1, size)
#define kmalloc(size, gfp)          kt_allocate(1, size)
#define kcalloc(n, size, gfp)       kt_allocate(n, size)
#define kmalloc_array(n, size, gfp) kt_allocate(n, size)
#define kvcalloc(n, size, gfp)      kt_allocate(n, size)
#define kfree(p)                    kt_release(p)
#define kvfree(p)                   kt_release(p)
#define kt_known_pointer(p)         (kt_is_virtual(p) ? NULL : (const void *)(uintptr_t)(p))
#define memblock_free(p, size)      kt_release(kt_known_pointer(p))
#define memblock_free_late(a, size) ((void)(a)) /* only at shutdown; destroy frees everything */

/* Page order that holds `size` bytes. */
static inline unsigned int get_order(unsigned long size)
{
    return size <= PAGE_SIZE ? 0 : 64 - __builtin_clzl((size - 1) >> PAGE_SHIFT);
}
#define MAX_PAGE_ORDER               10
#define MAX_ORDER                    10
#define __get_free_pages(gfp, order) ((unsigned long)kt_allocate(PAGE_SIZE, 1UL << (order)))
#define free_pages(p, order)         kt_release(kt_known_pointer(p))

/*
 * Page allocator, for pools only: the host's, or one that never fails and never reuses; there a
 * block lies at the next address aligned to its own size, starting after the default pool. A block
 * that is given back before anything else was allocated lay above a limit and was never taken.
 */
static inline struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
    u64 size = PAGE_SIZE << order;
    u64 start;
    (void)gfp;
    if (kt.memory) {
        start = kt.memory->take_block(kt.memory->context, order);
    } else {
        start = ALIGN(kt.next_block, size);
        kt.before_block = kt.next_block;
        kt.next_block = start + size;
    }
    kt.fresh_block = start;
    kt.no_pages = !start;
    return (struct page *)(uintptr_t)start;
}
static inline void kt_free_pages(u64 start, unsigned int order)
{
    bool unused = start == kt.fresh_block;
    if (unused)
        kt.no_pages = true;
    if (kt.memory)
        kt.memory->give_block(kt.memory->context, start, order, unused);
    else if (unused)
        kt.next_block = kt.before_block;
    kt.fresh_block = 0;
}
#define __free_pages(page, order) kt_free_pages(page_to_phys(page), order)

/* Boot memory: pools come from the low allocator and get the configured address, tables do not. */
static inline void *memblock_alloc_low(size_t size, size_t align)
{
    (void)align;
    if (kt.pool_given)
        return NULL;
    kt.pool_given = true;
    kt.next_block = ALIGN(kt.pool_start + size, 4UL << 20);
    return phys_to_virt(kt.pool_start);
}
#define memblock_alloc(size, align) kt_allocate(1, size)

/* ---- devices and the DMA layer ---- */
#define dma_get_min_align_mask(dev)                       ((dev)->min_align_mask)
#define dma_get_seg_boundary(dev)                         ((dev)->seg_boundary)
#define dma_get_mask(dev)                                 (*(dev)->dma_mask)
#define dma_capable(dev, addr, size, ram)                 ((addr) + (size)-1 <= *(dev)->dma_mask)
#define dev_is_dma_coherent(dev)                          ((void)(dev), true)
#define arch_sync_dma_for_device(phys, size, dir)         ((void)0)
#define dma_reset_need_sync(dev)                          ((void)(dev))
#define force_dma_unencrypted(dev)                        ((void)(dev), kt.memory && kt.memory->encrypted)
#define dma_alloc_from_pool(dev, size, vaddr, gfp, check) kt_alloc_atomic(dev, size, vaddr)
#define dma_free_from_pool(dev, vaddr, size)              kt_free_atomic(vaddr, size)
#define raw_smp_processor_id()                            ((int)kt.cpu)
#define smp_processor_id()                                ((int)kt.cpu)
#define num_possible_cpus()                               (kt.cpus)
#define num_online_cpus()                                 (kt.cpus)

/* The atomic coherent pool of an encrypted guest is the host's. */
static inline struct page *kt_alloc_atomic(const struct device *dev, u64 size, void **vaddr)
{
    u64 start = kt.memory ? kt.memory->alloc_atomic(kt.memory->context, size, *dev->dma_mask) : 0;
    kt.no_pages = !start;
    kt.fresh_block = 0;
    *vaddr = start ? phys_to_virt(start) : NULL;
    return (struct page *)(uintptr_t)start;
}
static inline bool kt_free_atomic(const void *vaddr, u64 size)
{
    return kt.memory && kt.memory->encrypted &&
           kt.memory->free_atomic(kt.memory->context, virt_to_phys(vaddr), size);
}

/* Whether nr slots from index on cross a multiple of boundary, shift slots in. */
static inline bool iommu_is_span_boundary(unsigned int index, unsigned int nr, unsigned long shift,
                                          unsigned long boundary)
{
    BUG_ON(!is_power_of_2(boundary));
    return ((shift + index) & (boundary - 1)) + nr > boundary;
}

enum cc_attr { CC_ATTR_MEM_ENCRYPT, CC_ATTR_GUEST_MEM_ENCRYPT };
#define cc_platform_has(attr)             ((void)(attr), false)
#define set_memory_decrypted(addr, pages) ((void)(addr), (void)(pages), 0)
#define set_memory_encrypted(addr, pages) ((void)(addr), (void)(pages), 0)
#define kmsan_unpoison_memory(p, n)       ((void)(p), (void)(n))
#define MEMREMAP_WB                       1
#define memremap(phys, size, flags)       phys_to_virt(phys)

/* ---- boot, modules, debugfs, device tree ---- */
#define early_param(name, function)
#define late_initcall(function)
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define DEFINE_DEBUGFS_ATTRIBUTE(name, getter, setter, format)                                     \
    static const struct file_operations name __maybe_unused = {getter, setter}
#define DEFINE_SIMPLE_ATTRIBUTE                             DEFINE_DEBUGFS_ATTRIBUTE
#define debugfs_create_dir(name, parent)                    ((void)(parent), (struct dentry *)NULL)
#define debugfs_create_ulong(name, mode, parent, value)     ((void)(value))
#define debugfs_create_file(name, mode, parent, data, fops) ((void)(data), (void)(fops))

struct reserved_mem;
struct reserved_mem_ops {
    int (*device_init)(struct reserved_mem *rmem, struct device *dev);
    void (*device_release)(struct reserved_mem *rmem, struct device *dev);
};
struct reserved_mem {
    const char *name;
    unsigned long fdt_node;
    unsigned long phandle;
    const struct reserved_mem_ops *ops;
    phys_addr_t base;
    phys_addr_t size;
    void *priv;
};
#define of_get_flat_dt_prop(node, name, size) ((void)(node), (const void *)NULL)
#define RESERVEDMEM_OF_DECLARE(name, compatible, function)

#endif
