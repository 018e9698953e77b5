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

#include "stubs/addresses.h"
#include "stubs/boot.h"
#include "stubs/device.h"
#include "stubs/language.h"
#include "stubs/lists.h"
#include "stubs/locking.h"
#include "stubs/memory.h"
#include "stubs/messages.h"
#include "stubs/state.h"
#include "stubs/types.h"

#endif
