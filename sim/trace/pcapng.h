/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of pcapng. libpcap reads them too, but refuses what Wireshark and mergecap write every
 * day: interfaces of several link types or snapshot lengths, sections of another byte order; and it
 * keeps the direction of packets and the counts of those dropped to itself. Source of the layout:
 * the IETF draft "PCAP Next Generation Capture File Format". */
#ifndef TRACE_PCAPNG_H
#define TRACE_PCAPNG_H

#include "reader.h"

#define PCAPNG_SECTION 0x0a0d0d0au /* the same in both byte orders */

enum pcapng_direction { PCAPNG_NOT_TOLD, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_interface {
    uint64_t dropped; /* as its last statistics say */
    int64_t offset_s; /* added to its times */
    uint16_t link_type;
    uint8_t resolution; /* v: 10^-v s, with the highest bit set 2^-(v & 127) s */
};

struct pcapng {
    struct pcapng_interface *interfaces; /* of the section */
    uint32_t ninterfaces;
    uint32_t room;
    uint64_t last_ns; /* time of the last packet: simple packets have none */
    unsigned char head[64];
    bool big; /* byte order of the section */
    bool has_section;
};

struct pcapng_packet {
    const unsigned char *data; /* valid until the next block */
    uint64_t time_ns;
    uint32_t captured; /* bytes of data: those that were captured, or the first of them */
    uint32_t length;   /* on the wire */
    uint16_t link_type;
    uint8_t direction; /* enum pcapng_direction */
};

/* Whether a section begins with these bytes (12 of them are looked at). */
bool pcapng_is_section(const unsigned char *p, size_t length);

/* Takes one block. *found says whether it is a packet, which *packet then holds; other blocks are
 * no records. What interfaces dropped counts as lost. BOUNCE_END at the end of the input or in a
 * block that it cuts (counted), BOUNCE_MALFORMED with the byte, BOUNCE_NO_MEMORY. */
enum bounce_status pcapng_next(struct pcapng *ng, struct bounce_trace *trace,
                               struct pcapng_packet *packet, bool *found,
                               struct bounce_error *error);

void pcapng_free(struct pcapng *ng);

#endif
