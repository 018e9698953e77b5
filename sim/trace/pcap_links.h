/* SPDX-License-Identifier: Apache-2.0 */
/* What a captured packet says of the buffer it lay in, by link type. */
#ifndef TRACE_PCAP_LINKS_H
#define TRACE_PCAP_LINKS_H

#include "bounce/event.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

struct packet {
    uint64_t size; /* of the buffer; 0: no data in this one */
    uint64_t key;  /* USB: pairs submission and end */
    uint16_t bus;  /* USB */
    uint8_t kind;  /* BOUNCE_EVENT_ISSUE or _COMPLETE */
    uint8_t dir;
    bool usb;
    bool paired; /* it has a key */
    bool guessed_dir;
};

/* What `data` holds, header->caplen bytes of it; `big`: the byte order of usbmon's records. */
struct packet pcap_packet(int link_type, const struct pcap_pkthdr *header,
                          const unsigned char *data, bool big);

#endif
