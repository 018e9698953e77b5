/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks, atomics, RCU and deferred work. */
#ifndef KT_STUBS_LOCKING_H
#define KT_STUBS_LOCKING_H

#include "state.h"

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

#endif
