/* SPDX-License-Identifier: Apache-2.0 */
/* Network captures, pcap and pcapng, through libpcap: one receive or transmit buffer a packet, of
 * its length on the wire (what was captured may be less). Frames of more than a page are aggregates
 * (GRO, TSO) or jumbo frames: drivers map them a page at a time. USB captures (USBPcap) hold
 * transfers instead. Source of the layouts: libpcap's list of link types. */
#include "bytes.h"
#include "formats.h"
#include "records.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE             4096u
#define MAGIC_US         0xa1b2c3d4u
#define MAGIC_NS         0xa1b23c4du
#define PCAPNG_SECTION   0x0a0d0d0au
#define SLL_HEADER       16u
#define SLL2_HEADER      20u
#define SLL_OUTGOING     4u /* packet type: sent by this machine */
#define USBPCAP_HEADER   27u
#define LINKTYPE_USBPCAP 249

struct pcap_state {
    struct records *records;
    pcap_t *pcap;
    int link_type;
    /* While libpcap reads through us: where from, and what went wrong there. */
    struct lines *lines;
    enum bounce_status status;
    struct bounce_error error;
};

static bool is_capture(const unsigned char *p, size_t length)
{
    uint32_t little = length >= 24 ? bytes_u32(p, false) : 0;
    uint32_t big = length >= 24 ? bytes_u32(p, true) : 0;

    return little == MAGIC_US || little == MAGIC_NS || big == MAGIC_US || big == MAGIC_NS;
}

static int detect(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;

    return is_capture(p, length) || (length >= 28 && bytes_u32(p, false) == PCAPNG_SECTION) ? 100
                                                                                            : 0;
}

static ssize_t feed(void *context, char *buffer, size_t size)
{
    struct pcap_state *s = context;
    const unsigned char *p;
    size_t got;

    s->status =
        bytes_take(s->lines, size < LINES_BUFFER ? size : LINES_BUFFER, &p, &got, &s->error);
    if (s->status)
        return -1;
    memcpy(buffer, p, got);
    return (ssize_t)got;
}

static enum bounce_status failed(struct pcap_state *s, uint64_t at, const char *text,
                                 struct bounce_error *error)
{
    if (s->status) {
        if (error)
            *error = s->error;
        return s->status;
    }
    return bytes_malformed(at, error, text, "a whole capture that libpcap reads was expected");
}

/* Hands the input to libpcap, from a file header on. */
static enum bounce_status open_capture(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = trace->state;
    cookie_io_functions_t functions = {.read = feed};
    char text[PCAP_ERRBUF_SIZE] = "";
    uint64_t at = trace->lines.consumed;
    FILE *file;

    if (s->pcap)
        pcap_close(s->pcap);
    s->pcap = NULL;
    file = fopencookie(s, "r", functions);
    if (!file)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    /* Unbuffered: what libpcap has taken is what it has read. */
    setvbuf(file, NULL, _IONBF, 0);
    s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, text);
    if (!s->pcap) {
        fclose(file);
        return failed(s, at, text, error);
    }
    s->link_type = pcap_datalink(s->pcap);
    return BOUNCE_OK;
}

static enum bounce_status open_pcap(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = calloc(1, sizeof(*s));

    trace->state = s;
    if (s)
        s->records = records_create(true);
    if (!s || !s->records || trace_device(trace, "net", 3) == UINT16_MAX)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    s->lines = &trace->lines;
    trace->recorded.timed = true;
    trace->recorded.forced = true;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    return open_capture(trace, error);
}

static void close_pcap(struct bounce_trace *trace)
{
    struct pcap_state *s = trace->state;

    if (s->pcap)
        pcap_close(s->pcap);
    records_destroy(s->records);
    free(s);
}

struct packet {
    uint32_t size; /* on the wire, without pseudo headers */
    uint8_t dir;
};

/* Linux "cooked" captures stand for an interface of their own kind: the header tells the direction
 * and is no part of the frame. */
static void cooked(const struct pcap_pkthdr *header, const unsigned char *data, uint32_t length,
                   uint32_t type_at, struct packet *packet)
{
    uint32_t type = 0;

    packet->size = header->len > length ? header->len - length : 0;
    if (header->caplen >= length)
        type = length == SLL_HEADER ? bytes_u16(data + type_at, true) : data[type_at];
    packet->dir = type == SLL_OUTGOING ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
}

/* A transfer is captured twice, going down and coming back; its data stands in one of the two. */
static void usbpcap(const struct pcap_pkthdr *header, const unsigned char *data,
                    struct packet *packet)
{
    packet->size = 0;
    if (header->caplen < USBPCAP_HEADER)
        return;
    packet->size = bytes_u32(data + 23, false);
    packet->dir = data[21] & 0x80 ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
}

static struct packet packet_of(struct bounce_trace *trace, const struct pcap_pkthdr *header,
                               const unsigned char *data)
{
    const struct pcap_state *s = trace->state;
    struct packet packet = {header->len, BOUNCE_FROM_DEVICE};

    if (s->link_type == DLT_LINUX_SLL)
        cooked(header, data, SLL_HEADER, 0, &packet);
    else if (s->link_type == DLT_LINUX_SLL2)
        cooked(header, data, SLL2_HEADER, 10, &packet);
    else if (s->link_type == LINKTYPE_USBPCAP)
        usbpcap(header, data, &packet);
    else
        trace->recorded.guessed_dirs = true;
    return packet;
}

static enum bounce_status take(struct bounce_trace *trace, const struct pcap_pkthdr *header,
                               const unsigned char *data)
{
    struct pcap_state *s = trace->state;
    struct packet packet = packet_of(trace, header, data);
    uint64_t seconds = (uint64_t)header->ts.tv_sec;
    uint64_t time_ns = seconds * 1000000000u + (uint64_t)header->ts.tv_usec; /* holds ns */
    struct record record = {
        .event =
            {
                .time_ns = records_time(trace, s->records, time_ns),
                .size = packet.size,
                .dir = packet.dir,
                .kind = BOUNCE_EVENT_ISSUE,
                .segments = (uint16_t)(packet.size > PAGE ? (packet.size + PAGE - 1) / PAGE : 1),
            },
        .key = NO_KEY,
    };

    trace->counts.records++;
    if (!packet.size) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    return records_add(trace, s->records, &record);
}

/* A capture that was stopped the hard way ends in a packet: that one is counted and left out. */
static bool at_end(const struct bounce_trace *trace)
{
    return trace->lines.at_end && trace->lines.begin == trace->lines.end;
}

/* BOUNCE_END at the end of the input. */
static enum bounce_status read_packet(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = trace->state;
    uint64_t at = trace->lines.consumed;
    struct pcap_pkthdr *header;
    const unsigned char *data, *p;
    size_t got;
    enum bounce_status status = bytes_peek(&trace->lines, 24, &p, &got, error);

    if (status)
        return status;
    if (got == 0)
        return BOUNCE_END;
    /* Files one after the other: a header where a packet could only come from the year 2055. */
    if (is_capture(p, got))
        return open_capture(trace, error);
    switch (pcap_next_ex(s->pcap, &header, &data)) {
    case 1:
        if (header->len > UINT16_MAX * PAGE || header->ts.tv_sec < 0 ||
            (uint64_t)header->ts.tv_sec > UINT64_MAX / 2000000000u || header->ts.tv_usec < 0)
            return bytes_malformed(at, error, "a packet of a size or time beyond reason",
                                   "at most 256 MiB was expected");
        return take(trace, header, data);
    case PCAP_ERROR_BREAK:
        return BOUNCE_END;
    default:
        if (!s->status && (trace->options.skip_malformed || at_end(trace))) {
            trace->counts.malformed++; /* what follows, if anything, cannot be found */
            trace->lines.begin = trace->lines.end;
            trace->lines.at_end = true;
            return BOUNCE_END;
        }
        return failed(s, at, pcap_geterr(s->pcap), error);
    }
}

static enum bounce_status read_pcap(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = trace->state;
    enum bounce_status status = records_release(trace, s->records, false);

    if (status == BOUNCE_END) {
        status = read_packet(trace, error);
        if (status == BOUNCE_END)
            status = records_release(trace, s->records, true);
    }
    return status == BOUNCE_NO_MEMORY ? bounce_refuse(error, status, 0, "out of memory") : status;
}

const struct bounce_format_ops format_pcap = {
    .detect = detect,
    .open = open_pcap,
    .read = read_pcap,
    .close = close_pcap,
};
