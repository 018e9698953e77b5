/* SPDX-License-Identifier: GPL-2.0-only */
/* The state that the stubs share with the plug-in, and the ways out of the tree's code. */
#ifndef KT_STUBS_STATE_H
#define KT_STUBS_STATE_H

#include "../plugin.h"
#include "types.h"

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

#endif
