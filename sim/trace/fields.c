/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <strings.h>

static struct field trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    if (to - from >= 2 && *from == '"' && to[-1] == '"')
        return (struct field){from + 1, (size_t)(to - from) - 2};
    return (struct field){from, (size_t)(to - from)};
}

size_t fields_split(struct cursor c, char separator, struct field *fields, size_t most)
{
    size_t n = 0;

    if (separator == BLANKS) {
        while (!scan_at_end(&c)) {
            if (n == most)
                return most + 1;
            scan_word(&c, &fields[n].at, &fields[n].length);
            n++;
        }
        return n;
    }
    for (;;) {
        const char *end = c.end > c.at ? memchr(c.at, separator, (size_t)(c.end - c.at)) : NULL;

        if (n == most)
            return most + 1;
        fields[n++] = trimmed(c.at, end ? end : c.end);
        if (!end)
            return n;
        c.at = end + 1;
    }
}

bool field_is(const struct field *field, const char *text)
{
    return strlen(text) == field->length && strncasecmp(field->at, text, field->length) == 0;
}

bool field_begins_note(const struct field *first, size_t n)
{
    return first->length ? *first->at == '#' : n == 1;
}

bool field_decimal(const struct field *field, uint64_t *value)
{
    struct cursor c = {field->at, field->at + field->length};

    if (!scan_decimal(&c, value))
        return false;
    if (c.end - c.at > 1 && scan_char(&c, '.'))
        while (scan_char(&c, '0'))
            ;
    return c.at == c.end;
}

bool field_hex(const struct field *field, uint64_t *value)
{
    struct cursor c = {field->at, field->at + field->length};

    return scan_hex(&c, value) && c.at == c.end;
}

/* "1.5e-05", as some programs write small numbers; the cursor stands at the start. */
static bool scan_exponent(struct cursor *c, int digits, uint64_t *value)
{
    struct cursor at = *c;
    uint64_t mantissa = 0, exponent;
    int places = 0;
    bool fraction = false, minus;

    for (; at.at < at.end && (scan_hex_digit(*at.at) >= 0 || *at.at == '.'); at.at++) {
        if (*at.at == '.') {
            if (fraction)
                return false;
            fraction = true;
        } else if (scan_hex_digit(*at.at) > 9) {
            break; /* the e */
        } else if (mantissa < UINT64_MAX / 100) {
            mantissa = mantissa * 10 + (unsigned)(*at.at - '0');
            places += fraction;
        } else if (!fraction) {
            return false;
        }
    }
    at.at++;
    minus = scan_char(&at, '-');
    if (!minus)
        (void)scan_char(&at, '+');
    if (!scan_decimal(&at, &exponent) || exponent > 300)
        return false;
    digits += (minus ? -(int)exponent : (int)exponent) - places;
    for (; digits > 0 && mantissa; digits--)
        if (__builtin_mul_overflow(mantissa, 10u, &mantissa))
            return false;
    for (; digits < 0 && mantissa; digits++)
        mantissa /= 10;
    *c = at;
    *value = mantissa;
    return true;
}

bool scan_scaled(struct cursor *c, unsigned digits, uint64_t *value)
{
    struct cursor at = *c;
    uint64_t scaled;
    bool fraction;

    if (!scan_decimal(&at, &scaled))
        return false;
    fraction = scan_char(&at, '.');
    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = 0;

        if (fraction && at.at < at.end && (unsigned)(*at.at - '0') < 10)
            digit = (unsigned)(*at.at++ - '0');
        if (__builtin_mul_overflow(scaled, 10u, &scaled) ||
            __builtin_add_overflow(scaled, digit, &scaled))
            return false;
    }
    while (fraction && at.at < at.end && (unsigned)(*at.at - '0') < 10)
        at.at++;
    if (at.end - at.at > 1 && (*at.at | 0x20) == 'e')
        return scan_exponent(c, (int)digits, value);
    *c = at;
    *value = scaled;
    return true;
}

bool field_scaled(const struct field *field, unsigned digits, uint64_t *value)
{
    struct cursor c = {field->at, field->at + field->length};

    return scan_scaled(&c, digits, value) && c.at == c.end;
}

bool field_sectors(const struct field *field, uint64_t *bytes)
{
    return field_decimal(field, bytes) && !__builtin_mul_overflow(*bytes, 512u, bytes);
}
