/* SPDX-License-Identifier: Apache-2.0 */
/* What the boot messages of the same log tell about the pool. */
#include "scan.h"

#include <string.h>

/* [mem START-END] of "mapped [mem 0x..-0x..] (64MB)", "software IO TLB [mem 0x..-0x..] (64MB)
 * mapped at" and "software IO TLB at phys 0x.. - 0x.." */
static bool read_range(struct scan s, uint32_t slot_size, struct bounce_log_boot *boot)
{
    uint64_t start, stop;
    scan_word(&s, ":");
    scan_word(&s, "mapped");
    if (!scan_word(&s, "[mem") && !scan_word(&s, "at phys"))
        return false;
    if (!scan_hex(&s, &start) || !scan_word(&s, "-") || !scan_hex(&s, &stop) || stop <= start)
        return false;
    boot->start = start;
    boot->nslabs = (stop - start) / slot_size;
    boot->no_memory = false;
    return true;
}

static bool read_tlb(struct scan s, uint32_t slot_size, struct bounce_log_boot *boot)
{
    if (read_range(s, slot_size, boot))
        return true;
    if (!scan_word(&s, ":"))
        return false;
    struct scan area = s;
    uint64_t areas;
    if (scan_word(&area, "area num") && scan_number(&area, false, &areas)) {
        if (areas >= 1 && areas <= UINT32_MAX)
            boot->nareas = (uint32_t)areas;
        return true;
    }
    if (scan_find(s.at, s.end, "No low mem") || scan_find(s.at, s.end, "Cannot allocate buffer") ||
        scan_find(s.at, s.end, "tearing down default memory pool")) {
        boot->no_memory = true;
        return true;
    }
    if (scan_find(s.at, s.end, "Failed to allocate new pool")) {
        boot->dynamic = true;
        return true;
    }
    return false;
}

/* The value of the last `key` that starts a word. */
static struct scan parameter(struct scan s, const char *key)
{
    struct scan value = {s.end, s.end, false};
    for (const char *p = s.at; (p = scan_find(p, s.end, key)) != NULL; p += strlen(key))
        if (p[-1] == ' ')
            value.at = p + strlen(key);
    return value;
}

static bool read_command_line(struct scan s, struct bounce_log_boot *boot)
{
    struct scan value = parameter(s, "swiotlb=");
    bool any = value.at != value.end;
    uint64_t slots, areas;
    bool comma = true;
    if (scan_number(&value, true, &slots))
        comma = scan_word(&value, ",");
    struct scan second = value;
    if (comma && scan_number(&second, true, &areas)) {
        /* The kernel rounds up; its own "area num" line, when there, has the last word. */
        uint32_t rounded = 1;
        while (rounded < areas && rounded < 1u << 20)
            rounded <<= 1;
        boot->nareas = rounded;
        value = second;
        scan_word(&value, ",");
    }
    boot->noforce = scan_word(&value, "noforce");
    struct scan iommu = parameter(s, "iommu=");
    any |= iommu.at != iommu.end;
    boot->iommu_off = scan_word(&iommu, "off") || scan_word(&iommu, "soft");
    return any;
}

bool bounce_log_boot_line(const char *text, size_t length, uint32_t slot_size,
                          struct bounce_log_boot *boot)
{
    const char *end = text + length;
    const char *p = scan_find(text, end, "software IO TLB");
    if (p)
        return read_tlb((struct scan){p + strlen("software IO TLB"), end, false}, slot_size, boot);
    p = scan_find(text, end, "ommand line: ");
    if (p)
        return read_command_line((struct scan){p + strlen("ommand line:"), end, false}, boot);
    p = scan_find(text, end, "Linux version ");
    if (p) {
        /* Only at the head of a message: other programs log the same words. */
        struct bounce_log_span before = scan_device(text, p);
        if (before.length)
            return false;
        memset(boot, 0, sizeof *boot);
        return true;
    }
    if (scan_find(text, end, "created restricted DMA pool")) {
        boot->restricted = true;
        return true;
    }
    return false;
}
