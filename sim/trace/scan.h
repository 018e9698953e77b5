/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and words out of a piece of text that is not NUL-terminated. Every function moves the
 * cursor past what it took and returns false, cursor where it was, when that is not there. */
#ifndef TRACE_SCAN_H
#define TRACE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

static inline void scan_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static inline bool scan_text(struct cursor *c, const char *text, size_t length)
{
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0)
        return false;
    c->at += length;
    return true;
}

#define SCAN_LITERAL(cursor, text) scan_text(cursor, text, sizeof(text) - 1)

static inline bool scan_char(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* At most 19 digits: more would overflow. */
static inline bool scan_decimal(struct cursor *c, uint64_t *value)
{
    const char *p = c->at;
    uint64_t v = 0;

    while (p < c->end && (unsigned)(*p - '0') < 10)
        v = v * 10 + (unsigned)(*p++ - '0');
    if (p == c->at || p - c->at > 19)
        return false;
    c->at = p;
    *value = v;
    return true;
}

static inline int scan_hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* 1 to 16 hexadecimal digits, with or without 0x. */
static inline bool scan_hex(struct cursor *c, uint64_t *value)
{
    const char *p = c->at, *digits;
    uint64_t v = 0;
    int digit;

    if (c->end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
        p += 2;
    digits = p;
    while (p < c->end && (digit = scan_hex_digit(*p)) >= 0) {
        v = v << 4 | (unsigned)digit;
        p++;
    }
    if (p == digits || p - digits > 16)
        return false;
    c->at = p;
    *value = v;
    return true;
}

/* Everything up to the next blank. */
static inline bool scan_word(struct cursor *c, const char **word, size_t *length)
{
    const char *p = c->at;

    while (p < c->end && *p != ' ' && *p != '\t')
        p++;
    if (p == c->at)
        return false;
    *word = c->at;
    *length = (size_t)(p - c->at);
    c->at = p;
    return true;
}

/* Moves behind `key`, which is the next thing or comes later in the line, after a blank. */
static inline bool scan_key(struct cursor *c, const char *key, size_t length)
{
    const char *found;

    scan_blanks(c);
    if (scan_text(c, key, length))
        return true;
    found = (const char *)memmem(c->at, (size_t)(c->end - c->at), key, length);
    if (!found || (found > c->at && found[-1] != ' '))
        return false;
    c->at = found + length;
    return true;
}

#define SCAN_KEY(cursor, key) scan_key(cursor, key, sizeof(key) - 1)

/* The same of a field's key: what stands between the last field and it must be fields too. Rubbish
 * behind a number is not passed over, and no other event (a line whose end was lost). */
static inline bool scan_field(struct cursor *c, const char *key, size_t length)
{
    const char *from = c->at;

    if (from < c->end && *from != ' ')
        return scan_text(c, key, length);
    scan_blanks(c);
    if (scan_text(c, key, length))
        return true;
    return scan_key(c, key, length) && !memmem(from, (size_t)(c->at - from) - length, ": ", 2);
}

#define SCAN_FIELD(cursor, key) scan_field(cursor, key, sizeof(key) - 1)

static inline bool scan_at_end(struct cursor *c)
{
    scan_blanks(c);
    return c->at == c->end;
}

#endif
