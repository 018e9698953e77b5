/* SPDX-License-Identifier: Apache-2.0 */
/* Network captures, pcap through libpcap and pcapng: one receive or transmit buffer a packet, of
 * its length on the wire (what was captured may be less). Frames of more than a page are aggregates
 * (GRO, TSO) or jumbo frames: drivers map them a page at a time. USB captures hold transfers
 * instead. */
#include "bytes.h"
#include "formats.h"
#include "pcap_links.h"
#include "pcapng.h"
#include "records.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE           4096u
#define PACKET_MAX     (UINT64_C(1) << 27)
#define MAGIC_US       0xa1b2c3d4u
#define MAGIC_NS       0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u /* with more of each packet (Red Hat's, long ago) */
#define BIG_MACHINE    (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define FILE_HEADER    24u
#define PACKET_HEADER  16u

struct pcap_state {
    struct records *records;
    pcap_t *pcap; /* NULL: the input is pcapng at present */
    struct pcapng ng;
    int link_type;
    /* While libpcap reads through us: where from, and what went wrong there. Its FILE has a buffer,
     * and nothing must stay in it: what libpcap has taken is what it has read. So it gets no more
     * than the part that libpcap is at: the file's header, a packet's, or its data. */
    struct lines *lines;
    uint64_t part_left;
    uint32_t data;   /* bytes of the packet whose header is the part */
    bool known, big; /* a layout in which packets tell how long they are; else byte by byte */
    enum bounce_status status;
    struct bounce_error error;
};

static bool is_magic(uint32_t word)
{
    return word == MAGIC_US || word == MAGIC_NS || word == MAGIC_MODIFIED;
}

/* A file header begins here. */
static bool is_capture(const unsigned char *p, size_t length)
{
    return (length >= 4 && (is_magic(bytes_u32(p, false)) || is_magic(bytes_u32(p, true)))) ||
           pcapng_is_section(p, length);
}

static int detect(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;

    return is_capture(p, length) ? 100 : 0;
}

static enum bounce_status next_part(struct pcap_state *s)
{
    enum bounce_status status = BOUNCE_OK;
    const unsigned char *p;
    size_t got;

    if (!s->known) {
        s->part_left = 1;
    } else if (s->data) {
        s->part_left = s->data;
        s->data = 0;
    } else {
        status = bytes_peek(s->lines, PACKET_HEADER, &p, &got, &s->error);
        s->part_left = PACKET_HEADER;
        s->data = !status && got == PACKET_HEADER ? bytes_u32(p + 8, s->big) : 0;
    }
    return status;
}

static ssize_t feed(void *context, char *buffer, size_t size)
{
    struct pcap_state *s = context;
    const unsigned char *p;
    size_t got;

    s->status = s->part_left ? BOUNCE_OK : next_part(s);
    if (size > s->part_left)
        size = (size_t)s->part_left;
    if (!s->status)
        s->status =
            bytes_take(s->lines, size < LINES_BUFFER ? size : LINES_BUFFER, &p, &got, &s->error);
    if (s->status)
        return -1;
    memcpy(buffer, p, got);
    s->part_left -= got;
    return (ssize_t)got;
}

/* Versions before 2.4 had the two lengths of a packet in either order. */
static void look_at_header(struct pcap_state *s, const unsigned char *p, size_t got)
{
    s->big = got >= 4 && is_magic(bytes_u32(p, true));
    s->known = got >= 8 && bytes_u32(p, s->big) != MAGIC_MODIFIED &&
               bytes_u16(p + 4, s->big) == 2 && bytes_u16(p + 6, s->big) == 4;
    s->part_left = s->known ? FILE_HEADER : 1;
    s->data = 0;
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

/* Hands the input to libpcap, from a file header on, unless it is pcapng. */
static enum bounce_status open_capture(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = trace->state;
    cookie_io_functions_t functions = {.read = feed};
    char text[PCAP_ERRBUF_SIZE] = "";
    uint64_t at = trace->lines.consumed;
    const unsigned char *p;
    size_t got;
    FILE *file;
    enum bounce_status status = bytes_peek(&trace->lines, 12, &p, &got, error);

    if (status)
        return status;
    if (s->pcap)
        pcap_close(s->pcap);
    s->pcap = NULL;
    if (pcapng_is_section(p, got))
        return BOUNCE_OK;
    look_at_header(s, p, got);
    file = fopencookie(s, "r", functions);
    if (!file)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
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
        s->records = records_create(RECORDS_UNIQUE);
    if (!s || !s->records)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    s->lines = &trace->lines;
    trace->recorded.timed = true;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    trace->recorded.tells_requeues = true;
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    return open_capture(trace, error);
}

static void close_pcap(struct bounce_trace *trace)
{
    struct pcap_state *s = trace->state;

    if (s->pcap)
        pcap_close(s->pcap);
    pcapng_free(&s->ng);
    records_destroy(s->records);
    free(s);
}

static uint16_t device_of(struct bounce_trace *trace, const struct packet *packet)
{
    char name[16] = "net";

    if (packet->usb)
        snprintf(name, sizeof(name), "usb%u", packet->bus);
    return trace_device(trace, name, strlen(name));
}

static enum bounce_status take(struct bounce_trace *trace, const struct packet *packet,
                               uint64_t time_ns)
{
    struct pcap_state *s = trace->state;
    bool begins = packet->kind == BOUNCE_EVENT_ISSUE;
    struct record record = {
        .event =
            {
                .time_ns = records_time(trace, s->records, time_ns),
                .size = packet->size,
                .dir = packet->dir,
                .kind = packet->kind,
                .segments = (uint16_t)(packet->usb ? 0 : (packet->size + PAGE - 1) / PAGE),
            },
        .key = NO_KEY,
        .quiet = !packet->size,
    };

    trace->counts.records++;
    if (begins && !packet->size) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    record.event.device = device_of(trace, packet);
    if (record.event.device == UINT16_MAX)
        return BOUNCE_NO_MEMORY;
    if (packet->paired)
        record.key = records_key(packet->key, record.event.device);
    trace->recorded.guessed_dirs |= packet->guessed_dir;
    return records_add(trace, s->records, &record);
}

static enum bounce_status take_packet(struct bounce_trace *trace, uint64_t at,
                                      const struct pcap_pkthdr *header, const unsigned char *data,
                                      struct bounce_error *error)
{
    const struct pcap_state *s = trace->state;
    struct packet packet = pcap_packet(s->link_type, header, data, BIG_MACHINE);
    uint64_t seconds = (uint64_t)header->ts.tv_sec; /* and, in tv_usec, nanoseconds */

    if (packet.size > PACKET_MAX || header->ts.tv_sec < 0 || seconds > UINT64_MAX / 2000000000u ||
        header->ts.tv_usec < 0)
        return bytes_malformed(at, error, "a packet of a size or time beyond reason",
                               "at most 128 MiB was expected");
    return take(trace, &packet, seconds * 1000000000u + (uint64_t)header->ts.tv_usec);
}

/* The next block of pcapng; BOUNCE_END at the end of the input. */
static enum bounce_status read_block(struct bounce_trace *trace, struct bounce_error *error)
{
    struct pcap_state *s = trace->state;
    uint64_t at = trace->lines.consumed;
    struct pcapng_packet block;
    struct pcap_pkthdr header = {0};
    struct packet packet;
    bool found;
    enum bounce_status status = pcapng_next(&s->ng, trace, &block, &found, error);

    if (status == BOUNCE_MALFORMED && trace->options.skip_malformed) {
        trace_skipped(trace); /* what follows, if anything, cannot be found */
        trace->lines.begin = trace->lines.end;
        trace->lines.at_end = true;
        return BOUNCE_END;
    }
    if (status || !found)
        return status;
    header.caplen = block.captured;
    header.len = block.length;
    packet = pcap_packet(block.link_type, &header, block.data, s->ng.big);
    if (packet.size > PACKET_MAX)
        return bytes_malformed(at, error, "a packet of a size beyond reason",
                               "at most 128 MiB was expected");
    if (block.direction == PCAPNG_INBOUND || block.direction == PCAPNG_OUTBOUND) {
        bool out = block.direction == PCAPNG_OUTBOUND;

        if (!packet.usb)
            packet.dir = out ? BOUNCE_TO_DEVICE : BOUNCE_FROM_DEVICE;
        packet.guessed_dir = false;
    }
    return take(trace, &packet, block.time_ns);
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
    enum bounce_status status = bytes_peek(&trace->lines, 12, &p, &got, error);

    if (status)
        return status;
    if (got == 0)
        return BOUNCE_END;
    /* Files one after the other: a header where a packet could only come from the year 2055. */
    if (is_capture(p, got) && (s->pcap || !pcapng_is_section(p, got)))
        return open_capture(trace, error);
    if (!s->pcap)
        return read_block(trace, error);
    switch (pcap_next_ex(s->pcap, &header, &data)) {
    case 1:
        return take_packet(trace, at, header, data, error);
    case PCAP_ERROR_BREAK:
        return BOUNCE_END;
    default:
        if (!s->status && at_end(trace) && trace_cut(trace))
            return BOUNCE_END;
        if (!s->status && trace->options.skip_malformed) {
            trace_skipped(trace); /* what follows, if anything, cannot be found */
            trace->lines.begin = trace->lines.end;
            trace->lines.at_end = true;
            return BOUNCE_END;
        }
        return failed(s, at, pcap_geterr(s->pcap), error);
    }
}

static enum bounce_status read_pcap(struct bounce_trace *trace, struct bounce_error *error)
{
    return records_read(trace, ((struct pcap_state *)trace->state)->records, read_packet, error);
}

const struct bounce_format_ops format_pcap = {
    .detect = detect,
    .open = open_pcap,
    .read = read_pcap,
    .close = close_pcap,
};
