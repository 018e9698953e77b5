/* SPDX-License-Identifier: Apache-2.0 */
#include "blktrace.h"
#include "bytes.h"

#include "bounce/blktrace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct part {
    struct lines lines;
    const char *name;
    uint64_t time_ns;
    uint64_t records;
    size_t whole; /* bytes of the record at hand, 0: at the end */
};

struct bounce_blktrace_merge {
    struct part *parts;
    size_t count;
    struct part **heap; /* parts that have a record, earliest first */
    size_t live;
    uint64_t cut; /* files that end in a record */
    size_t given; /* bytes of the first one's record that were read already */
    bool started;
    bool big;
    bool big_known;
};

bool bounce_blktrace_is(const void *bytes, size_t length)
{
    bool big;

    return blktrace_is_record(bytes, length, &big);
}

enum bounce_status bounce_blktrace_merge_create(const struct bounce_input *inputs,
                                                const char *const *names, size_t count,
                                                struct bounce_blktrace_merge **out,
                                                struct bounce_error *error)
{
    struct bounce_blktrace_merge *merge = calloc(1, sizeof(*merge));
    bool good = merge != NULL;

    if (merge) {
        merge->parts = calloc(count, sizeof(*merge->parts));
        merge->heap = calloc(count, sizeof(struct part *));
        good = merge->parts && merge->heap;
    }
    for (size_t i = 0; good && i < count; i++) {
        good = lines_open(&merge->parts[i].lines, &inputs[i]) == BOUNCE_OK;
        merge->parts[i].name = names[i];
        merge->count = i + 1;
    }
    if (!good) {
        bounce_blktrace_merge_destroy(merge);
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    }
    *out = merge;
    return BOUNCE_OK;
}

void bounce_blktrace_merge_destroy(struct bounce_blktrace_merge *merge)
{
    if (!merge)
        return;
    for (size_t i = 0; i < merge->count; i++)
        lines_close(&merge->parts[i].lines);
    free(merge->parts);
    free(merge->heap);
    free(merge);
}

static enum bounce_status refuse(const struct part *part, struct bounce_error *error,
                                 const char *what)
{
    return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                         "%s: byte %" PRIu64 ": %s; whole blktrace records of one byte order were "
                         "expected",
                         part->name, part->lines.consumed, what);
}

/* What its recorder did not write to the end is left out. */
static enum bounce_status cut(struct bounce_blktrace_merge *merge)
{
    merge->cut++;
    return BOUNCE_OK;
}

/* Looks at the part's next record. */
static enum bounce_status look(struct bounce_blktrace_merge *merge, struct part *part,
                               struct bounce_error *error)
{
    const unsigned char *p;
    size_t got, whole;
    bool big;
    enum bounce_status status = bytes_peek(&part->lines, BLKTRACE_RECORD, &p, &got, error);

    part->whole = 0;
    if (status || got == 0)
        return status;
    if (got < BLKTRACE_RECORD && part->records)
        return cut(merge);
    if (got < BLKTRACE_RECORD)
        return refuse(part, error, "the file ends in the record that begins here");
    if (!blktrace_is_record(p, got, &big))
        return refuse(part, error, "not a blktrace record");
    if (merge->big_known && big != merge->big)
        return refuse(part, error, "another byte order than in the first file");
    merge->big = big;
    merge->big_known = true;
    part->time_ns = bytes_u64(p + BLKTRACE_TIME_AT, big);
    whole = BLKTRACE_RECORD + bytes_u16(p + BLKTRACE_PAYLOAD_AT, big);
    status = bytes_peek(&part->lines, whole, &p, &got, error);
    if (status)
        return status;
    if (got < whole && part->records)
        return cut(merge);
    if (got < whole)
        return refuse(part, error, "the file ends in the record that begins here");
    part->whole = whole;
    part->records++;
    return BOUNCE_OK;
}

/* Parts with equal times in the order they were given. */
static bool before(const struct part *a, const struct part *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a < b;
}

static void sift_down(struct bounce_blktrace_merge *merge, size_t at)
{
    struct part *part = merge->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= merge->live)
            break;
        if (child + 1 < merge->live && before(merge->heap[child + 1], merge->heap[child]))
            child++;
        if (!before(merge->heap[child], part))
            break;
        merge->heap[at] = merge->heap[child];
        at = child;
    }
    merge->heap[at] = part;
}

static enum bounce_status start(struct bounce_blktrace_merge *merge, struct bounce_error *error)
{
    for (size_t i = 0; i < merge->count; i++) {
        enum bounce_status status = look(merge, &merge->parts[i], error);

        if (status)
            return status;
        if (merge->parts[i].whole)
            merge->heap[merge->live++] = &merge->parts[i];
    }
    for (size_t i = merge->live / 2; i-- > 0;)
        sift_down(merge, i);
    merge->started = true;
    return BOUNCE_OK;
}

static enum bounce_status read_merged(void *context, void *buffer, size_t capacity, size_t *got,
                                      struct bounce_error *error)
{
    struct bounce_blktrace_merge *merge = context;
    enum bounce_status status = merge->started ? BOUNCE_OK : start(merge, error);

    *got = 0;
    while (!status && merge->live && *got < capacity) {
        struct part *part = merge->heap[0];
        const unsigned char *p;
        size_t room = capacity - *got, wanted = part->whole - merge->given, n;

        status = bytes_peek(&part->lines, wanted < room ? wanted : room, &p, &n, error);
        if (status)
            break;
        status = bytes_take(&part->lines, n, &p, &n, error);
        memcpy((char *)buffer + *got, p, n);
        *got += n;
        merge->given += n;
        if (merge->given < part->whole)
            break;
        merge->given = 0;
        status = look(merge, part, error);
        if (!status && !part->whole)
            merge->heap[0] = merge->heap[--merge->live];
        if (!status && merge->live)
            sift_down(merge, 0);
    }
    return status;
}

struct bounce_input bounce_blktrace_merge_input(struct bounce_blktrace_merge *merge)
{
    return (struct bounce_input){merge, read_merged};
}

uint64_t bounce_blktrace_merge_cut(const struct bounce_blktrace_merge *merge)
{
    return merge->cut;
}
