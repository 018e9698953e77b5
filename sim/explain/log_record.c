/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that report a failed bounce buffer, in the wording of every kernel generation. */
#include "scan.h"

#include <string.h>

static const char full_words[] = "swiotlb buffer is full";
static const char space_words[] = "Out of SW-IOMMU space for";
static const char coherent_words[] = "coherent allocation failed";
static const char no_pool_words[] = "Can not allocate SWIOTLB buffer earlier";
static const char suppressed_words[] = "callbacks suppressed";

static const char *const all_words[] = {
    [BOUNCE_LOG_FULL] = full_words,
    [BOUNCE_LOG_OUT_OF_SPACE] = space_words,
    [BOUNCE_LOG_COHERENT] = coherent_words,
    [BOUNCE_LOG_NO_POOL] = no_pool_words,
    [BOUNCE_LOG_SUPPRESSED] = suppressed_words,
};

static bool ends_with(const char *begin, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - begin) >= n && memcmp(end - n, word, n) == 0;
}

/* A mail program may have wrapped the line inside the words themselves. */
static bool cut_inside_words(const char *begin, const char *end)
{
    while (end > begin && end[-1] == ' ')
        end--;
    return ends_with(begin, end, "swiotlb") || ends_with(begin, end, "swiotlb buffer") ||
           ends_with(begin, end, "swiotlb buffer is");
}

static bool read_size(struct scan *s, bool may_end, struct bounce_log_record *r)
{
    bool negative = scan_word(s, "-");
    s->ran_out = false;
    if (!scan_number(s, may_end, &r->size))
        return false;
    r->has |= BOUNCE_LOG_HAS_SIZE | (negative ? BOUNCE_LOG_NEGATIVE : 0u);
    return true;
}

/* (sz: N bytes)[, total T (slots), used U (slots)] */
static bool read_full(struct scan *s, struct bounce_log_record *r)
{
    if (!scan_word(s, "(sz:") || !read_size(s, false, r)) {
        s->ran_out |= s->at == s->end;
        return false;
    }
    if (!scan_word(s, "bytes)"))
        return true; /* the size is whole: torn or odd, it still says something */
    if (!scan_word(s, ",")) {
        s->ran_out = false; /* the old form ends here */
        return true;
    }
    uint64_t total, used;
    s->ran_out |= s->at == s->end;
    if (scan_word(s, "total") && scan_number(s, false, &total) && scan_word(s, "(slots)")) {
        r->total = total;
        r->has |= BOUNCE_LOG_HAS_TOTAL;
        if (scan_word(s, ",") && scan_word(s, "used") && scan_number(s, false, &used)) {
            r->used = used;
            r->has |= BOUNCE_LOG_HAS_USED;
            scan_word(s, "(slots)");
            s->ran_out = false;
        }
    }
    s->ran_out |= s->at == s->end && !(r->has & BOUNCE_LOG_HAS_USED);
    return true;
}

static struct bounce_log_span read_name(struct scan *s)
{
    while (s->at < s->end && *s->at == ' ')
        s->at++;
    const char *from = s->at;
    while (s->at<s->end && * s->at> ' ' && *s->at != 0x7f)
        s->at++;
    size_t length = (size_t)(s->at - from);
    if (length >= BOUNCE_LOG_NAME_MAX)
        length = BOUNCE_LOG_NAME_MAX - 1;
    return (struct bounce_log_span){from, length};
}

/* N bytes[ at device DEV], after "[DEV: ][PCI-]DMA: " */
static bool read_space(struct scan *s, const char *begin, const char *words,
                       struct bounce_log_record *r)
{
    if (!read_size(s, false, r))
        return false;
    if (scan_word(s, "bytes") && scan_word(s, "at device")) {
        r->device = read_name(s);
    } else {
        static const char *const tails[] = {"PCI-DMA: ", "DMA: "};
        for (unsigned i = 0; i < 2; i++)
            if (ends_with(begin, words, tails[i])) {
                r->device = scan_device(begin, words - strlen(tails[i]));
                break;
            }
    }
    s->ran_out = false;
    return true;
}

/* for device DEV size=N | , size=N after "DEV: swiotlb: " */
static bool read_coherent(struct scan *s, const char *begin, const char *words,
                          struct bounce_log_record *r)
{
    if (scan_word(s, "for device")) {
        r->device = read_name(s);
    } else {
        if (!scan_word(s, ","))
            return false;
        if (ends_with(begin, words, "swiotlb: "))
            r->device = scan_device(begin, words - strlen("swiotlb: "));
    }
    return scan_word(s, "size=") && read_size(s, true, r);
}

/* NAME: N before "callbacks suppressed" */
static bool read_suppressed(const char *begin, const char *words, struct bounce_log_record *r)
{
    const char *end = words;
    while (end > begin && end[-1] == ' ')
        end--;
    const char *digits = end;
    while (digits > begin && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    struct scan number = {digits, end, false};
    if (!scan_number(&number, true, &r->count) || digits == begin || digits[-1] != ' ')
        return false;
    r->device = scan_device(begin, digits);
    return r->device.length != 0;
}

static bool read_no_pool(struct scan *s, const char *begin, const char *words,
                         struct bounce_log_record *r)
{
    scan_word(s, "and can't now provide you with the DMA bounce buffer");
    s->ran_out = false;
    /* Up to 5.x this was a panic, which names no device. */
    if (!scan_find(begin, words, "Kernel panic") && !scan_find(begin, words, "not syncing"))
        r->device = scan_device(begin, words);
    return true;
}

enum bounce_status bounce_log_next(const char *text, size_t length, size_t from,
                                   struct bounce_log_record *record)
{
    const char *begin = text + (from < length ? from : length);
    const char *end = text + length;
    const char *words = NULL;
    enum bounce_log_kind kind = BOUNCE_LOG_FULL;
    for (unsigned k = 0; k < sizeof all_words / sizeof all_words[0]; k++) {
        const char *p = scan_find(begin, words ? words : end, all_words[k]);
        if (p) {
            words = p;
            kind = (enum bounce_log_kind)k;
        }
    }
    memset(record, 0, sizeof *record);
    record->device.text = begin;
    record->end = length;
    if (!words) {
        record->cut = cut_inside_words(begin, end);
        return BOUNCE_END;
    }

    struct scan s = {words + strlen(all_words[kind]), end, false};
    record->kind = kind;
    bool good = false;
    switch (kind) {
    case BOUNCE_LOG_FULL:
        record->device = scan_device(begin, words);
        good = read_full(&s, record);
        break;
    case BOUNCE_LOG_OUT_OF_SPACE:
        good = read_space(&s, begin, words, record);
        break;
    case BOUNCE_LOG_COHERENT:
        good = read_coherent(&s, begin, words, record);
        break;
    case BOUNCE_LOG_NO_POOL:
        good = read_no_pool(&s, begin, words, record);
        break;
    case BOUNCE_LOG_SUPPRESSED:
        good = read_suppressed(begin, words, record);
        break;
    }
    record->cut = s.ran_out;
    record->end = (size_t)(s.at - text);
    return good ? BOUNCE_OK : BOUNCE_MALFORMED;
}
