/* SPDX-License-Identifier: Apache-2.0 */
/* usbmon's text, "1u" and the older "1t":
 *
 *   TAG MICROSECONDS S|C|E XD:BUS:DEVICE:ENDPOINT STATUS... LENGTH [=|<|> DATA]
 *
 * A transfer's buffer is mapped from S (submitted) to C (given back); the length of S is the
 * buffer's. It is the host controller that maps, so a bus is a device here. Source of the layout:
 * Documentation/usb/usbmon.rst of 6.12. */
#include "formats.h"
#include "text.h"

#define WRAP_US (UINT64_C(1) << 32) /* times have 32 bits */

/* Goes on over the wrap, which comes every 71.6 minutes; small steps back are jitter. */
static uint64_t continued_us(struct row_state *state, uint64_t time_us)
{
    if (state->last > WRAP_US / 2 && time_us < state->last - WRAP_US / 2)
        state->clock_ns += WRAP_US;
    state->last = time_us;
    return state->clock_ns + time_us;
}

static bool is_one_of(char ch, const char *set)
{
    return ch && strchr(set, ch);
}

/* "Bo:2:002:2": the direction, and the bus as the device; 1t has no bus: "Bo:002:02". */
static bool scan_address(struct cursor *c, char *type, struct row *row)
{
    uint64_t number;

    if (c->end - c->at < 3 || !is_one_of(c->at[0], "CZIB") || !is_one_of(c->at[1], "io") ||
        c->at[2] != ':')
        return false;
    *type = c->at[0];
    row->dir = c->at[1] == 'i' ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE;
    c->at += 3;
    row->device = c->at;
    if (!scan_decimal(c, &number))
        return false;
    row->device_length = (size_t)(c->at - row->device);
    if (!scan_char(c, ':') || !scan_decimal(c, &number))
        return false;
    if (scan_char(c, ':'))
        return scan_decimal(c, &number);
    row->device = NULL;
    return true;
}

/* Isochronous: a count and up to five words STATUS:OFFSET:LENGTH; the length stands behind. */
static void skip_descriptors(struct cursor *c)
{
    uint64_t count;

    if (!scan_decimal(c, &count))
        return;
    for (;;) {
        struct cursor at = *c;
        const char *word;
        size_t length;

        scan_blanks(&at);
        if (!scan_word(&at, &word, &length) || !memchr(word, ':', length))
            return;
        *c = at;
    }
}

static bool scan_length(struct cursor *c, char type, uint64_t *size)
{
    const char *status;
    size_t length;

    scan_blanks(c);
    if (!scan_word(c, &status, &length))
        return false;
    /* s: a setup packet of five words; another letter: the words stand there, empty. */
    if (length == 1 && (unsigned)(*status - '0') >= 10)
        for (int i = 0; i < 5; i++) {
            scan_blanks(c);
            if (!scan_word(c, &status, &length))
                return false;
        }
    scan_blanks(c);
    if (type == 'Z') {
        skip_descriptors(c);
        scan_blanks(c);
    }
    return scan_decimal(c, size) && (c->at == c->end || *c->at == ' ');
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    uint64_t time_us;
    char type, event;

    if (scan_at_end(&c) || *c.at == '#')
        return ROW_NOTE;
    if (!scan_hex(&c, &row->key) || !scan_char(&c, ' ') || !scan_decimal(&c, &time_us) ||
        time_us >= WRAP_US || !scan_char(&c, ' ') || c.at == c.end)
        return ROW_BAD;
    event = *c.at++;
    if ((event != 'S' && event != 'C' && event != 'E') || !scan_char(&c, ' ') ||
        !scan_address(&c, &type, row))
        return ROW_BAD;
    row->time_ns = continued_us(state, time_us) * 1000;
    if (!scan_length(&c, type, &row->size))
        return ROW_BAD;
    if (event != 'S') {
        row->kind = BOUNCE_EVENT_COMPLETE;
        row->quiet = event == 'E' || !row->size; /* of a transfer without data, it may be */
    }
    return ROW_EVENT;
}

static const struct line_format lines = {
    .what = "not a line of usbmon's text",
    .wanted = "TAG MICROSECONDS S|C|E XD:BUS:DEVICE:ENDPOINT STATUS LENGTH was expected",
    .parse = parse,
    .device = "usb",
    .prefix = true,
    .unique_keys = true,
    .tells_requeues = true,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 80);
}

const struct bounce_format_ops format_usbmon = TEXT_FORMAT(detect, lines);
