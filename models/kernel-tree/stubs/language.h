/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel adds to the language. */
#ifndef KT_STUBS_LANGUAGE_H
#define KT_STUBS_LANGUAGE_H

#include "state.h"

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

#define IS_ERR(p)         ((uintptr_t)(p) >= (uintptr_t)-4095)
#define ERR_PTR(e)        ((void *)(intptr_t)(e))
#define PTR_ERR(p)        ((long)(intptr_t)(p))
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))

#endif
