/* SPDX-License-Identifier: Apache-2.0 */
/* What the DMA layer knows of a device, and the directions and attributes of a mapping. */
#ifndef BOUNCE_DEVICE_H
#define BOUNCE_DEVICE_H

#include "bounce/export.h"

#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* Numbered as the kernel's enum dma_data_direction. */
enum bounce_dir {
    BOUNCE_BIDIRECTIONAL = 0,
    BOUNCE_TO_DEVICE = 1,
    BOUNCE_FROM_DEVICE = 2,
    BOUNCE_DIR_NONE = 3,
};

/* The kernel's DMA_ATTR_* that matter to bouncing. */
enum bounce_attr {
    BOUNCE_ATTR_SKIP_CPU_SYNC = 1u << 0,
    BOUNCE_ATTR_NO_WARN = 1u << 1,
};

#define BOUNCE_DEVICE_NAME_MAX 64

/* The masks are the kernel's: dma_mask is the highest address the device reaches, seg_boundary a
 * mask 2^n - 1 that a buffer may not span a multiple of, min_align_mask (2^n - 1 or 0) the low
 * address bits that bounce and original address share. */
struct bounce_device {
    char name[BOUNCE_DEVICE_NAME_MAX];
    uint64_t dma_mask;
    uint64_t seg_boundary;
    uint32_t min_align_mask;
};

/* A device as the kernel's driver core sets it up: 64-bit mask, no alignment wish, buffers that do
 * not span 4 GiB. The name is cut at BOUNCE_DEVICE_NAME_MAX - 1. */
BOUNCE_API void bounce_device_init(struct bounce_device *device, const char *name);

/* "BIDIRECTIONAL", "TO_DEVICE", "FROM_DEVICE" or "NONE", as the kernel's trace events print it. */
BOUNCE_API const char *bounce_dir_name(enum bounce_dir dir);

BOUNCE_END_DECLS

#endif
