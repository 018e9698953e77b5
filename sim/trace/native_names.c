/* SPDX-License-Identifier: Apache-2.0 */
/* Struct fields as named values, so that versions with other fields read each other's files. */
#include "native.h"

#include <string.h>

struct named {
    const char *name;
    size_t offset;
    size_t size; /* bytes of the field */
};

#define ROW(type, field)                                                                           \
    {                                                                                              \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field)                    \
    }
#define CONFIG(field) ROW(bounce_recorded_config, field)
#define COUNT(field)  ROW(bounce_trace_counts, field)

/* A field more in one of them wants a row below. */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct bounce_recorded_config) == 48, "a row for each field");
_Static_assert(sizeof(struct bounce_trace_counts) == 18 * 8, "a row for each field");
#endif

static const struct named config_rows[] = {
    CONFIG(boot.nslabs),
    CONFIG(boot.nareas),
    CONFIG(boot.force),
    CONFIG(boot.noforce),
    CONFIG(cpus),
    CONFIG(start),
    CONFIG(has_header),
    CONFIG(allocator_calls),
    CONFIG(bounces),
    CONFIG(forced),
    CONFIG(timed),
    CONFIG(level),
    CONFIG(has_completions),
    CONFIG(guessed_force),
    CONFIG(guessed_dirs),
    CONFIG(guessed_unit),
    CONFIG(tells_requeues),
    CONFIG(no_mappings),
};

static const struct named count_rows[] = {
    COUNT(records),         COUNT(other_events),     COUNT(coherent_events), COUNT(malformed),
    COUNT(lost_events),     COUNT(unmatched_unmaps), COUNT(unmatched_syncs), COUNT(implied_unmaps),
    COUNT(truncated_lists), COUNT(failed_lists),     COUNT(time_steps_back), COUNT(late_records),
    COUNT(not_tracked),     COUNT(cut_records),      COUNT(first_ns),        COUNT(span_ns),
    COUNT(elsewhere_maps),  COUNT(shared_devices),
};

static uint64_t field_value(const struct named *row, const void *object)
{
    const unsigned char *at = (const unsigned char *)object + row->offset;
    uint64_t wide = 0;
    uint32_t half = 0;

    if (row->size == 1)
        return *at;
    if (row->size == sizeof(half)) {
        memcpy(&half, at, sizeof(half));
        return half;
    }
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

/* Values too large for the field are the caller's to refuse: they are cut to its largest one. */
static void set_field(const struct named *row, void *object, uint64_t value)
{
    unsigned char *at = (unsigned char *)object + row->offset;
    uint32_t half = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    bool is_level = strcmp(row->name, "level") == 0;

    if (row->size == 1)
        *at = is_level && value < 256 ? (unsigned char)value : value != 0;
    else if (row->size == sizeof(half))
        memcpy(at, &half, sizeof(half));
    else
        memcpy(at, &value, sizeof(value));
}

static size_t put_rows(unsigned char *p, const struct named *rows, size_t count, const void *object)
{
    unsigned char *at = p;

    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(rows[i].name);

        *at++ = (unsigned char)length;
        memcpy(at, rows[i].name, length);
        at = native_put(at + length, field_value(&rows[i], object));
    }
    return (size_t)(at - p);
}

static bool get_rows(const unsigned char *p, size_t length, const struct named *rows, size_t count,
                     void *object)
{
    const unsigned char *end = p + length;

    while (p < end) {
        unsigned char value_bytes[10] = {0};
        size_t name_length = *p++, left, used;
        const unsigned char *name = p;
        uint64_t value;

        if ((size_t)(end - p) <= name_length)
            return false;
        p += name_length;
        left = (size_t)(end - p) < sizeof(value_bytes) ? (size_t)(end - p) : sizeof(value_bytes);
        memcpy(value_bytes, p, left);
        used = (size_t)(native_get(value_bytes, &value) - value_bytes);
        if (used > left)
            return false;
        p += used;
        for (size_t i = 0; i < count; i++)
            if (strlen(rows[i].name) == name_length && memcmp(rows[i].name, name, name_length) == 0)
                set_field(&rows[i], object, value);
    }
    return true;
}

#define ROWS(table) table, sizeof(table) / sizeof((table)[0])

size_t native_put_config(unsigned char *p, const struct bounce_recorded_config *config)
{
    return put_rows(p, ROWS(config_rows), config);
}

size_t native_put_counts(unsigned char *p, const struct bounce_trace_counts *counts)
{
    return put_rows(p, ROWS(count_rows), counts);
}

bool native_get_config(const unsigned char *p, size_t length, struct bounce_recorded_config *out)
{
    return get_rows(p, length, ROWS(config_rows), out);
}

bool native_get_counts(const unsigned char *p, size_t length, struct bounce_trace_counts *out)
{
    return get_rows(p, length, ROWS(count_rows), out);
}
