// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel tree's swiotlb.c behind the interface of plugin.h.
 *
 * The tree's file is included (by instance.h), not linked: its pool, its boot option and the
 * restricted-pool code are static. So this is one translation unit, of instance.h, set_up.h,
 * mapping.h and what is here: the worker, what can be asked, and the table of it all. build-plugin
 * passes what it found out about the tree:
 *   KT_TREE_FILE            the file to include
 *   KT_RELEASE              version text
 *   KT_DYNAMIC              build with SWIOTLB_DYNAMIC
 *   KT_PROBES, KT_GUARD     candidates are counted; an endless search is left
 *   KT_PLAIN                for timing: no more than the tree's own work where it can be helped
 *   KT_MAP_TAKES_ALLOC_SIZE the map function wants the rounded size as well (before 6.10)
 *   KT_UNMAP_TAKES_POOL     the unmap and sync functions want the pool (6.11 on)
 *   KT_HAVE_IS_BUFFER       is_swiotlb_buffer() exists (before 6.11)
 *   KT_HAVE_DEV_INIT        swiotlb_dev_init() exists (6.6 on)
 *   KT_ALLOC_ALIGNS         swiotlb_alloc() aligns to the size in pages (6.9 on)
 *   KT_ALLOC_ALIGNS_NOT     it does not, and searches with four arguments (6.0 to 6.5)
 *   KT_HAVE_HIWATER, KT_HAVE_TRANSIENT   the tree has these counters
 *   KT_HAVE_POOLS           a pool is a structure of its own (6.6 on)
 *   KT_HAVE_PADDING         a slot knows the padding before its buffer (6.10 on)
 *   KT_HAVE_CURSORS         an area's cursor is its `index`
 */
#include "mapping.h"
#include "set_up.h"

static void describe_pool(const tree_pool *pool, struct bounce_kt_pool *out)
{
    out->start = pool->start;
    out->nslabs = pool->nslabs;
    out->nareas = pool->nareas;
#ifdef KT_DYNAMIC
    out->transient = pool->transient;
#else
    out->transient = false;
#endif
}

static enum bounce_kt_status kt_run_worker(struct bounce_kt *self, bool *ran)
{
    (void)self;
    struct work_struct *work = kt.work_pending;
    *ran = work != NULL;
    if (!work)
        return BOUNCE_KT_OK;
    enter();
    int why = way_back();
    if (why)
        return left_because(why);
    kt.work_pending = NULL;
    work->func(work);
    leave();
    return BOUNCE_KT_OK;
}

static void kt_counters(const struct bounce_kt *self, struct bounce_kt_counters *out)
{
    out->nslabs = self->mem->nslabs;
    out->used = mem_used(self->mem);
#ifdef KT_HAVE_HIWATER
    out->used_hiwater = (uint64_t)atomic_long_read(&self->mem->used_hiwater);
#else
    out->used_hiwater = self->used_hiwater;
#endif
#ifdef KT_HAVE_TRANSIENT
    out->transient_nslabs = (uint64_t)atomic_long_read(&self->mem->transient_nslabs);
#else
    out->transient_nslabs = 0;
#endif
    out->warnings = kt.warnings;
    out->worker_queued = kt.work_pending != NULL;
}

static bool kt_pool_at(const struct bounce_kt *self, uint32_t index, struct bounce_kt_pool *out)
{
    const tree_pool *pool = pool_number(self, index);
    if (pool)
        describe_pool(pool, out);
    return pool != NULL;
}

static bool kt_pool_of(const struct bounce_kt *self, uint32_t device, uint64_t tlb_addr,
                       struct bounce_kt_pool *out)
{
    const tree_pool *pool =
        device < self->device_count ? POOL_OF(self->devices[device], tlb_addr) : NULL;
    if (pool)
        describe_pool(pool, out);
    return pool != NULL;
}

static enum bounce_kt_status kt_restart(struct bounce_kt *self)
{
#ifdef KT_HAVE_CURSORS
    for (uint32_t i = 0; pool_number(self, i); i++) {
        tree_pool *pool = pool_number(self, i);
        for (uint32_t area = 0; area < pool->nareas; area++)
            pool->areas[area].index = 0;
    }
    kt.work_pending = NULL;
    return BOUNCE_KT_OK;
#else
    (void)self;
    return BOUNCE_KT_UNSUPPORTED;
#endif
}

__attribute__((visibility("default"))) const struct bounce_kt_plugin bounce_kernel_plugin = {
    .abi = BOUNCE_KT_ABI,
    .features = 0
#ifdef KT_DYNAMIC
                | BOUNCE_KT_DYNAMIC
#endif
#ifdef KT_PROBES
                | BOUNCE_KT_PROBES
#endif
#ifdef KT_HAVE_HIWATER
                | BOUNCE_KT_HIWATER
#endif
#ifdef KT_GUARD
                | BOUNCE_KT_GUARD
#endif
#if defined(KT_ALLOC_ALIGNS) || defined(KT_ALLOC_ALIGNS_NOT)
                | BOUNCE_KT_NATURAL
#endif
#ifdef KT_HAVE_PADDING
                | BOUNCE_KT_PADDING
#endif
    ,
    .release = KT_RELEASE,
    .struct_size = sizeof(struct bounce_kt_plugin),
    .create = kt_create,
    .destroy = kt_destroy,
    .add_device = kt_add_device,
    .map = kt_map,
    .alloc = kt_alloc,
    .unmap = kt_unmap,
    .free = kt_free,
    .sync = kt_sync,
    .run_worker = kt_run_worker,
    .counters = kt_counters,
    .pool_at = kt_pool_at,
    .pool_of = kt_pool_of,
    .restart = kt_restart,
};
