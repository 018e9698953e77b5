/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_FORMATS_H
#define TRACE_FORMATS_H

#include "reader.h"

extern const struct bounce_format_ops format_alibaba;
extern const struct bounce_format_ops format_blkparse;
extern const struct bounce_format_ops format_blktrace;
extern const struct bounce_format_ops format_cloudphysics;
extern const struct bounce_format_ops format_csv;
extern const struct bounce_format_ops format_disksim;
extern const struct bounce_format_ops format_fio;
extern const struct bounce_format_ops format_fiu;
extern const struct bounce_format_ops format_ftrace;
extern const struct bounce_format_ops format_hfplayer;
extern const struct bounce_format_ops format_lttng;
extern const struct bounce_format_ops format_mqsim;
extern const struct bounce_format_ops format_msr;
extern const struct bounce_format_ops format_native;
extern const struct bounce_format_ops format_ops;
extern const struct bounce_format_ops format_pcap;
extern const struct bounce_format_ops format_perf;
extern const struct bounce_format_ops format_spc;
extern const struct bounce_format_ops format_systor;
extern const struct bounce_format_ops format_tencent;
extern const struct bounce_format_ops format_tracedat;
extern const struct bounce_format_ops format_usbmon;
extern const struct bounce_format_ops format_vscsi;

#endif
