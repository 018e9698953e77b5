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

bool field_decimal(const struct field *field, uint64_t *value)
{
    struct cursor c = {field->at, field->at + field->length};

    return scan_decimal(&c, value) && c.at == c.end;
}

bool field_hex(const struct field *field, uint64_t *value)
{
    struct cursor c = {field->at, field->at + field->length};

    return scan_hex(&c, value) && c.at == c.end;
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
