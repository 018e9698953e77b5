/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <string.h>

const char *scan_find(const char *at, const char *end, const char *word)
{
    if (at >= end)
        return NULL;
    return memmem(at, (size_t)(end - at), word, strlen(word));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
}

bool scan_word(struct scan *s, const char *word)
{
    skip_blanks(s);
    size_t length = strlen(word);
    size_t left = (size_t)(s->end - s->at);
    size_t common = left < length ? left : length;
    if (memcmp(s->at, word, common) != 0)
        return false;
    if (common < length) {
        s->ran_out = true;
        return false;
    }
    s->at += length;
    return true;
}

bool scan_number(struct scan *s, bool may_end, uint64_t *value)
{
    skip_blanks(s);
    uint64_t v = 0;
    bool fits = true;
    const char *start = s->at;
    for (; s->at < s->end && is_digit(*s->at); s->at++) {
        unsigned digit = (unsigned)(*s->at - '0');
        if (v > (UINT64_MAX - digit) / 10)
            fits = false;
        else
            v = v * 10 + digit;
    }
    if (s->at == s->end && !may_end)
        s->ran_out = true;
    if (s->at == start || !fits || s->ran_out)
        return false;
    *value = v;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool scan_hex(struct scan *s, uint64_t *value)
{
    skip_blanks(s);
    if (!scan_word(s, "0x"))
        return false;
    uint64_t v = 0;
    const char *start = s->at;
    for (; s->at < s->end && hex_digit(*s->at) >= 0; s->at++) {
        if (v >> 60)
            return false;
        v = v << 4 | (unsigned)hex_digit(*s->at);
    }
    *value = v;
    return s->at != start;
}

/* Length of the colour sequence at `at`, 0 when there is none. Loggers also write ESC as text. */
static size_t escape_length(const char *at, const char *end)
{
    static const char *const written[] = {"\x1b", "^[", "#033"};
    size_t lead = 0;
    for (unsigned i = 0; i < 3 && !lead; i++) {
        size_t n = strlen(written[i]);
        if ((size_t)(end - at) >= n && memcmp(at, written[i], n) == 0)
            lead = n;
    }
    if (!lead)
        return 0;
    const char *p = at + lead;
    if (p == end || *p != '[') /* another escape: two bytes; ESC as text without '[' is just text */
        return lead > 1 ? 0 : (size_t)(p == end ? 1 : 2);
    for (p++; p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x40; p++)
        ;
    return (size_t)(p < end ? p + 1 - at : p - at);
}

void bounce_log_clean(char *text, size_t *length)
{
    const char *at = text;
    const char *end = text + *length;
    char *to = text;
    while (at < end) {
        bool lead = *at == '\x1b' || *at == '^' || *at == '#';
        size_t escape = lead ? escape_length(at, end) : 0;
        if (escape) {
            at += escape;
            continue;
        }
        /* Dropping NULs also turns a log saved as UTF-16 back into text. */
        if (*at == '\r')
            *to++ = ' ';
        else if (*at != '\0' && *at != '\n')
            *to++ = *at;
        at++;
    }
    *length = (size_t)(to - text);
}

/* A character that stands in no driver name and no bus address: what is before it is decoration,
 * such as "[   1.234] ", "<4>", "=> ", "4,1,2,-;" or line noise. */
static bool ends_decoration(char c)
{
    return (unsigned char)c < 0x20 || (unsigned char)c > 0x7e || strchr("]>\"|;", c) != NULL;
}

static const char *after_last(const char *begin, const char *end, const char *word)
{
    const char *found = begin;
    for (const char *p = begin; (p = scan_find(p, end, word)) != NULL;)
        found = p += strlen(word);
    return found;
}

static const char *word_end(const char *at, const char *end)
{
    while (at < end && *at != ' ')
        at++;
    return at;
}

/* "Nov", "Fri,", "22", "10:00:00", "2024-11-22T10:00:00.123+01:00", "1.234567:" */
static bool is_date_word(const char *at, const char *end)
{
    if (*at == '+' || is_digit(*at)) {
        for (; at < end; at++)
            if (!is_digit(*at) && !strchr("-+:.,/TZ", *at))
                return false;
        return true;
    }
    static const char names[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "
                                "Mon Tue Wed Thu Fri Sat Sun ";
    size_t n = (size_t)(end - at);
    if (n != 3 && !(n == 4 && at[3] == ','))
        return false;
    char key[5] = {at[0], at[1], at[2], ' ', 0};
    return strstr(names, key) != NULL;
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

struct bounce_log_span scan_device(const char *begin, const char *end)
{
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end > begin && end[-1] == ':')
        end--;

    const char *at = begin;
    for (const char *p = end; p > begin; p--)
        if (ends_decoration(p[-1])) {
            at = p;
            break;
        }
    bool decorated = at != begin;
    static const char *const words[] = {"kernel: ", " : ", " - - - "};
    for (unsigned i = 0; i < 3; i++) {
        const char *p = after_last(at, end, words[i]);
        decorated |= p != at;
        at = p;
    }
    at = skip_spaces(at, end);

    /* A date without brackets; a host name may follow, so only the last two words are sure. */
    for (const char *stop; (stop = word_end(at, end)) < end && is_date_word(at, stop);) {
        at = skip_spaces(stop, end);
        decorated = false;
    }
    if (!decorated && end > at && end[-1] == ')') {
        for (const char *p = end; p > at; p--)
            if (p[-1] == '(') {
                at = p - 1;
                break;
            }
    } else if (!decorated) {
        const char *p = end;
        for (unsigned i = 0; i < 2 && p > at; i++) {
            while (p > at && p[-1] == ' ')
                p--;
            while (p > at && p[-1] != ' ')
                p--;
        }
        at = p;
    }
    at = skip_spaces(at, end);
    if (end - at >= (ptrdiff_t)BOUNCE_LOG_NAME_MAX)
        at = end - (BOUNCE_LOG_NAME_MAX - 1);
    return (struct bounce_log_span){at, (size_t)(end - at)};
}
