/* SPDX-License-Identifier: Apache-2.0 */
/* Every trace format, one row each. */
#include "formats.h"

#include <string.h>

static const struct bounce_format table[] = {
    {"native", "bouncesim's own binary format (.bnc), written by `bouncesim convert`",
     &format_native},
    {"ops", "bouncesim's own operation streams: P, D, M, A, U, S and W lines", &format_ops},
    {"ftrace",
     "text of the kernel's trace or trace_pipe file, or of `trace-cmd report`, with dma and "
     "swiotlb events",
     &format_ftrace},
    {"trace.dat", "trace-cmd's own file, versions 6 and 7, through libtracecmd", &format_tracedat},
    {"perf", "text that `perf script` prints of dma, swiotlb and block events", &format_perf},
    {"lttng", "block requests of LTTng, as babeltrace prints them", &format_lttng},
    {"csv", "bouncesim's own CSV of requests or mappings, to be written by scripts", &format_csv},
    {"blkparse", "text of blkparse, default format", &format_blkparse},
    {"blktrace", "binary records of blktrace, either byte order; all CPUs' files at once",
     &format_blktrace},
    {"usbmon", "text of usbmon (1u, 1t)", &format_usbmon},
#ifdef BOUNCE_HAVE_PCAP
    {"pcap", "network captures, pcap and pcapng", &format_pcap},
#endif
    {"vscsi", "VMware vscsi records, versions 1 and 2 (CloudPhysics)", &format_vscsi},
    {"cloudphysics", "CloudPhysics traces as libCacheSim's CSV", &format_cloudphysics},
    {"fio", "fio I/O logs, versions 2 and 3", &format_fio},
    {"msr", "MSR Cambridge CSV", &format_msr},
    {"spc", "Storage Performance Council CSV", &format_spc},
    {"alibaba", "Alibaba block traces, CSV", &format_alibaba},
    {"tencent", "Tencent block storage traces, CSV", &format_tencent},
    {"systor", "Systor '17 CSV", &format_systor},
    {"fiu", "FIU block traces, text", &format_fiu},
    {"disksim", "DiskSim ASCII, times in milliseconds", &format_disksim},
    {"mqsim", "MQSim and SSDsim ASCII, times in nanoseconds", &format_mqsim},
    {"hfplayer", "hfplayer's CSV with a header of typed names", &format_hfplayer},
};

const struct bounce_format *bounce_format_at(size_t index)
{
    return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

const struct bounce_format *bounce_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
