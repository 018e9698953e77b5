/* SPDX-License-Identifier: Apache-2.0 */
/* Source of the layouts: libpcap's list of link types, Documentation/usb/usbmon.rst, the USBPcap
 * capture format. */
#include "pcap_links.h"

#include "bytes.h"

#define DLT_USBPCAP_HERE 249
#define SLL_HEADER       16u
#define SLL2_HEADER      20u
#define SLL2_TYPE_AT     10u
#define SLL_OUTGOING     4u /* packet type: sent by this machine */
#define LOOP_HEADER      4u
#define USBPCAP_HEADER   27u
#define USBMON_HEADER    40u /* as far as it is read */

static uint64_t without(const struct pcap_pkthdr *header, uint32_t pseudo)
{
    return header->len > pseudo ? header->len - pseudo : 0;
}

/* Linux "cooked" captures: the pseudo header tells the direction. */
static void cooked(const struct pcap_pkthdr *header, const unsigned char *data, uint32_t pseudo,
                   struct packet *packet)
{
    uint32_t type = 0;

    packet->size = without(header, pseudo);
    if (header->caplen >= pseudo)
        type = pseudo == SLL_HEADER ? bytes_u16(data, true) : data[SLL2_TYPE_AT];
    packet->dir = type == SLL_OUTGOING ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
    packet->guessed_dir = false;
}

/* Windows: a transfer is captured on its way down and on its way back; its data stands in one of
 * the two. */
static void usbpcap(const struct pcap_pkthdr *header, const unsigned char *data,
                    struct packet *packet)
{
    packet->usb = true;
    packet->guessed_dir = false;
    packet->size = 0;
    if (header->caplen < USBPCAP_HEADER)
        return;
    packet->size = bytes_u32(data + 23, false);
    packet->bus = (uint16_t)bytes_u16(data + 17, false);
    packet->dir = data[21] & 0x80 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
}

/* usbmon's binary records. */
static void usbmon(const struct pcap_pkthdr *header, const unsigned char *data, bool big,
                   struct packet *packet)
{
    packet->usb = true;
    packet->guessed_dir = false;
    packet->size = 0;
    if (header->caplen < USBMON_HEADER)
        return;
    packet->key = bytes_u64(data, big);
    packet->bus = (uint16_t)bytes_u16(data + 12, big);
    packet->paired = true;
    packet->dir = data[10] & 0x80 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
    packet->kind = data[8] == 'S' ? BOUNCE_EVENT_ISSUE : BOUNCE_EVENT_COMPLETE;
    packet->size = bytes_u32(data + 32, big);
}

struct packet pcap_packet(int link_type, const struct pcap_pkthdr *header,
                          const unsigned char *data, bool big)
{
    struct packet packet = {
        .size = header->len,
        .kind = BOUNCE_EVENT_ISSUE,
        .dir = BOUNCE_FROM_DEVICE,
        .guessed_dir = true,
    };

    switch (link_type) {
    case DLT_LINUX_SLL:
        cooked(header, data, SLL_HEADER, &packet);
        break;
    case DLT_LINUX_SLL2:
        cooked(header, data, SLL2_HEADER, &packet);
        break;
    case DLT_USBPCAP_HERE:
        usbpcap(header, data, &packet);
        break;
    case DLT_USB_LINUX:
    case DLT_USB_LINUX_MMAPPED:
        usbmon(header, data, big, &packet);
        break;
    case DLT_NULL:
    case DLT_LOOP:
        packet.size = without(header, LOOP_HEADER);
        break;
    case DLT_IEEE802_11_RADIO:
    case DLT_PPI:
        if (header->caplen >= 4)
            packet.size = without(header, bytes_u16(data + 2, false));
        break;
    default:
        break;
    }
    return packet;
}
