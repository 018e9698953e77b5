/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping events whose print format libtraceevent could not follow: trace-cmd and perf print their
 * fields instead. 6.12's scatter lists are such with libtraceevent 1.7:
 *
 *   [FAILED TO PARSE] device=0000:00:05.0 ... phys_addrs=ARRAY[00, b0, ...] ... dir=1 attrs=0x0
 *
 * Source of the fields: the TP_STRUCT__entry of include/trace/events/{dma,swiotlb}.h in 6.12.117.
 */
#ifndef TRACE_KERNEL_RAW_H
#define TRACE_KERNEL_RAW_H

#include "kernel_text.h"

#define KERNEL_RAW "[FAILED TO PARSE]"

/* As a kernel_text_handler, with the cursor behind KERNEL_RAW. */
enum kernel_result kernel_raw_take(struct bounce_trace *trace, struct kernel_text *text,
                                   const struct kernel_text_event *what, struct cursor fields,
                                   struct kernel_event *event);

#endif
