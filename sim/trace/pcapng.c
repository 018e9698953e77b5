/* SPDX-License-Identifier: Apache-2.0 */
#include "pcapng.h"

#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_MIN        12u
#define BLOCK_MAX        (1u << 28)
#define INTERFACES_MAX   65536u
#define WANTED           "whole pcapng blocks were expected"

enum block_type { INTERFACE = 1, OLD_PACKET = 2, SIMPLE = 3, STATISTICS = 5, ENHANCED = 6 };

enum option {
    OPTION_END = 0,
    EPB_FLAGS = 2,
    ISB_IFDROP = 5,
    ISB_OSDROP = 7,
    IF_TSRESOL = 9,
    IF_TSOFFSET = 14,
};

struct block {
    const unsigned char *body; /* what of it is at hand */
    size_t length;
    uint64_t at; /* byte of the input */
    uint32_t type;
};

bool pcapng_is_section(const unsigned char *p, size_t length)
{
    return length >= BLOCK_MIN && bytes_u32(p, false) == PCAPNG_SECTION &&
           (bytes_u32(p + 8, false) == BYTE_ORDER_MAGIC ||
            bytes_u32(p + 8, true) == BYTE_ORDER_MAGIC);
}

void pcapng_free(struct pcapng *ng)
{
    free(ng->interfaces);
    *ng = (struct pcapng){0};
}

/* The option of that code behind byte `from` of the body: its value, at least `size` bytes, or
 * NULL. */
static const unsigned char *option(const struct pcapng *ng, const struct block *b, size_t from,
                                   unsigned code, size_t size)
{
    while (from + 4 <= b->length) {
        unsigned here = bytes_u16(b->body + from, ng->big);
        size_t length = bytes_u16(b->body + from + 2, ng->big);

        if (here == OPTION_END || length > b->length - from - 4)
            break;
        if (here == code)
            return length >= size ? b->body + from + 4 : NULL;
        from += 4 + (length + 3) / 4 * 4;
    }
    return NULL;
}

static enum bounce_status bad(const struct block *b, struct bounce_error *error, const char *what)
{
    return bytes_malformed(b->at, error, what, WANTED);
}

static enum bounce_status take_interface(struct pcapng *ng, const struct block *b,
                                         struct bounce_error *error)
{
    struct pcapng_interface *interface;
    const unsigned char *value;

    if (b->length < 8)
        return bad(b, error, "an interface block without its fields");
    if (ng->ninterfaces == INTERFACES_MAX)
        return bad(b, error, "more than 65,536 interfaces");
    if (ng->ninterfaces == ng->room) {
        uint32_t room = ng->room ? 2 * ng->room : 4;
        void *bigger = realloc(ng->interfaces, room * sizeof(*ng->interfaces));

        if (!bigger)
            return BOUNCE_NO_MEMORY;
        ng->interfaces = bigger;
        ng->room = room;
    }
    interface = &ng->interfaces[ng->ninterfaces++];
    *interface = (struct pcapng_interface){.resolution = 6};
    interface->link_type = (uint16_t)bytes_u16(b->body, ng->big);
    value = option(ng, b, 8, IF_TSRESOL, 1);
    if (value)
        interface->resolution = *value;
    value = option(ng, b, 8, IF_TSOFFSET, 8);
    if (value)
        interface->offset_s = (int64_t)bytes_u64(value, ng->big);
    return BOUNCE_OK;
}

/* UINT64_MAX: beyond what nanoseconds can say. */
static uint64_t time_ns(const struct pcapng_interface *interface, uint64_t ticks)
{
    unsigned v = interface->resolution & 0x7f;
    uint64_t seconds = 0, ns = 0, unit = 1;
    int64_t whole;

    if (interface->resolution & 0x80) {
        uint64_t part = v < 64 ? ticks & ((UINT64_C(1) << v) - 1) : ticks;

        seconds = v < 64 ? ticks >> v : 0;
        if (v > 33) { /* part * 10^9 must fit */
            part = v - 33 < 64 ? part >> (v - 33) : 0;
            v = 33;
        }
        ns = part * 1000000000u >> v;
    } else if (v <= 19) {
        for (unsigned i = 0; i < v; i++)
            unit *= 10;
        seconds = ticks / unit;
        ns = v <= 9 ? ticks % unit * (1000000000u / unit) : ticks % unit / (unit / 1000000000u);
    }
    if (seconds > INT64_MAX ||
        __builtin_add_overflow((int64_t)seconds, interface->offset_s, &whole) || whole < 0 ||
        whole > (int64_t)(UINT64_MAX / 2000000000u))
        return UINT64_MAX;
    return (uint64_t)whole * 1000000000u + ns;
}

static void take_statistics(struct pcapng *ng, struct bounce_trace *trace, const struct block *b)
{
    struct pcapng_interface *interface;
    const unsigned char *value;
    uint64_t dropped = 0;
    uint32_t number;

    if (b->length < 12 || (number = bytes_u32(b->body, ng->big)) >= ng->ninterfaces)
        return;
    interface = &ng->interfaces[number];
    if ((value = option(ng, b, 12, ISB_IFDROP, 8)) != NULL)
        dropped = bytes_u64(value, ng->big);
    if ((value = option(ng, b, 12, ISB_OSDROP, 8)) != NULL &&
        __builtin_add_overflow(dropped, bytes_u64(value, ng->big), &dropped))
        return;
    if (dropped > interface->dropped) {
        trace_lost(trace, dropped - interface->dropped);
        interface->dropped = dropped;
    }
}

static enum bounce_status take_packet(struct pcapng *ng, const struct block *b,
                                      struct pcapng_packet *packet, struct bounce_error *error)
{
    size_t from = b->type == SIMPLE ? 4 : 20, left;
    const struct pcapng_interface *interface;
    const unsigned char *p = b->body, *flags;
    uint32_t number = 0, captured;

    if (b->length < from)
        return bad(b, error, "a packet block without its fields");
    if (b->type != SIMPLE)
        number = b->type == ENHANCED ? bytes_u32(p, ng->big) : bytes_u16(p, ng->big);
    if (number >= ng->ninterfaces)
        return bad(b, error, "a packet of an interface that no block describes");
    interface = &ng->interfaces[number];
    packet->link_type = interface->link_type;
    packet->length = bytes_u32(p + from - 4, ng->big);
    packet->direction = PCAPNG_NOT_TOLD;
    packet->time_ns = ng->last_ns;
    captured = packet->length; /* of a simple packet: what there is of it */
    if (b->type != SIMPLE) {
        captured = bytes_u32(p + 12, ng->big);
        packet->time_ns = time_ns(interface, (uint64_t)bytes_u32(p + 4, ng->big) << 32 |
                                                 bytes_u32(p + 8, ng->big));
        if (packet->time_ns == UINT64_MAX)
            return bad(b, error, "a packet of a time beyond reason");
        ng->last_ns = packet->time_ns;
    }
    left = b->length - from;
    packet->data = p + from;
    packet->captured = captured < left ? captured : (uint32_t)left;
    from += captured < left ? (captured + 3u) / 4 * 4 : left;
    flags = b->type == ENHANCED ? option(ng, b, from, EPB_FLAGS, 4) : NULL;
    if (flags)
        packet->direction = (uint8_t)(bytes_u32(flags, ng->big) & 3);
    return BOUNCE_OK;
}

static enum bounce_status take_section(struct pcapng *ng, const struct block *b,
                                       struct bounce_error *error)
{
    if (b->length < 16 || bytes_u16(b->body + 4, ng->big) != 1)
        return bad(b, error, "a section that is not of version 1");
    ng->ninterfaces = 0;
    ng->has_section = true;
    return BOUNCE_OK;
}

/* The head of the next block: its length, and for a section its byte order. */
static enum bounce_status look(struct pcapng *ng, struct bounce_trace *trace, struct block *b,
                               uint32_t *total, struct bounce_error *error)
{
    const unsigned char *p;
    size_t got;
    enum bounce_status status = bytes_peek(&trace->lines, BLOCK_MIN, &p, &got, error);

    b->at = trace->lines.consumed;
    if (status)
        return status;
    if (got == 0)
        return BOUNCE_END;
    if (got < BLOCK_MIN)
        return bytes_cut(trace, b->at, error);
    b->type = bytes_u32(p, ng->big);
    if (b->type == PCAPNG_SECTION) {
        if (!pcapng_is_section(p, got))
            return bad(b, error, "a section without its byte order");
        ng->big = bytes_u32(p + 8, true) == BYTE_ORDER_MAGIC;
    } else if (!ng->has_section) {
        return bad(b, error, "no section header");
    }
    *total = bytes_u32(p + 4, ng->big);
    return *total >= BLOCK_MIN && *total % 4 == 0 && *total <= BLOCK_MAX
               ? BOUNCE_OK
               : bad(b, error, "a block of a length that no block has");
}

/* Takes the rest of a block that is larger than the buffer. */
static enum bounce_status pass(struct bounce_trace *trace, uint32_t total, uint64_t at,
                               struct bounce_error *error)
{
    const unsigned char *p;
    size_t got = 1;

    while (trace->lines.consumed - at < total && got) {
        uint64_t left = total - (trace->lines.consumed - at);
        enum bounce_status status = bytes_take(
            &trace->lines, left < LINES_BUFFER ? (size_t)left : LINES_BUFFER, &p, &got, error);

        if (status)
            return status;
    }
    return got ? BOUNCE_OK : bytes_cut(trace, at, error);
}

/* A packet larger than the buffer (nobody's snapshot length): its first bytes say what is wanted.
 */
static enum bounce_status take_large(struct pcapng *ng, struct bounce_trace *trace, struct block *b,
                                     uint32_t total, struct pcapng_packet *packet,
                                     struct bounce_error *error)
{
    size_t got;
    enum bounce_status status = bytes_peek(&trace->lines, LINES_BUFFER, &b->body, &got, error);

    if (status)
        return status;
    if (got < LINES_BUFFER)
        return bytes_cut(trace, b->at, error);
    b->body += 8;
    b->length = got - 8;
    status = take_packet(ng, b, packet, error);
    if (status)
        return status;
    if (packet->captured > sizeof(ng->head))
        packet->captured = sizeof(ng->head);
    memcpy(ng->head, packet->data, packet->captured);
    packet->data = ng->head;
    return pass(trace, total, b->at, error);
}

enum bounce_status pcapng_next(struct pcapng *ng, struct bounce_trace *trace,
                               struct pcapng_packet *packet, bool *found,
                               struct bounce_error *error)
{
    const unsigned char *p;
    struct block b = {0};
    uint32_t total = 0;
    size_t got;
    enum bounce_status status = look(ng, trace, &b, &total, error);
    bool is_packet;

    *found = false;
    if (status)
        return status;
    is_packet = b.type == OLD_PACKET || b.type == SIMPLE || b.type == ENHANCED;
    if (total > LINES_BUFFER) {
        status = is_packet ? take_large(ng, trace, &b, total, packet, error)
                           : pass(trace, total, b.at, error);
        *found = is_packet && !status;
        return status;
    }
    status = bytes_take(&trace->lines, total, &p, &got, error);
    if (status)
        return status;
    if (got < total)
        return bytes_cut(trace, b.at, error);
    if (bytes_u32(p + total - 4, ng->big) != total)
        return bad(&b, error, "a block with two lengths");
    b.body = p + 8;
    b.length = total - BLOCK_MIN;
    *found = is_packet;
    if (is_packet)
        return take_packet(ng, &b, packet, error);
    if (b.type == PCAPNG_SECTION)
        return take_section(ng, &b, error);
    if (b.type == INTERFACE)
        return take_interface(ng, &b, error);
    if (b.type == STATISTICS)
        take_statistics(ng, trace, &b);
    return BOUNCE_OK; /* of the others: names, comments, keys */
}
