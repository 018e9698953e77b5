/* SPDX-License-Identifier: Apache-2.0 */
/* What a "swiotlb buffer is full" line of a kernel log says: reading the line, naming the cause by
 * the kernel's own rules, and what helps. Pure functions on the caller's memory: nothing is
 * allocated, nothing is printed, nothing is kept between calls; any number of threads.
 *
 * Sources: kernel/dma/swiotlb.c of 6.1 and 6.12; older forms of the messages as found in public
 * kernel logs from 2.6.2x to 5.x. */
#ifndef BOUNCE_EXPLAIN_H
#define BOUNCE_EXPLAIN_H

#include "bounce/export.h"
#include "bounce/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

BOUNCE_BEGIN_DECLS

/* ---- reading ---------------------------------------------------------------------------- */

enum bounce_log_kind {
    BOUNCE_LOG_FULL, /* DEV: swiotlb buffer is full (sz: N bytes)[, total T ..., used U ...] */
    BOUNCE_LOG_OUT_OF_SPACE, /* DMA: Out of SW-IOMMU space for N bytes at device DEV (up to 4.x) */
    BOUNCE_LOG_COHERENT,     /* swiotlb: coherent allocation failed for device DEV size=N (4.x) */
    BOUNCE_LOG_NO_POOL,      /* Can not allocate SWIOTLB buffer earlier and can't now provide ... */
    BOUNCE_LOG_SUPPRESSED,   /* NAME: N callbacks suppressed: N messages were not printed */
};

enum bounce_log_has {
    BOUNCE_LOG_HAS_SIZE = 1u << 0,
    BOUNCE_LOG_HAS_TOTAL = 1u << 1,
    BOUNCE_LOG_HAS_USED = 1u << 2,
    BOUNCE_LOG_NEGATIVE = 1u << 3, /* printed with a minus sign; `size` is its absolute value */
};

/* Points into the text that was parsed. */
struct bounce_log_span {
    const char *text;
    size_t length;
};

struct bounce_log_record {
    enum bounce_log_kind kind;
    unsigned has;                  /* enum bounce_log_has: which numbers the line gave */
    bool cut;                      /* the text ended inside the message (a wrapped or torn line) */
    struct bounce_log_span device; /* driver and bus address, shorter than BOUNCE_LOG_NAME_MAX;
                                      empty when not printed. For
                                      BOUNCE_LOG_SUPPRESSED the name before the colon */
    uint64_t size;                 /* bytes as printed; from 6.9 on with offset and rounding */
    uint64_t total;                /* slots */
    uint64_t used;  /* slots; a racy sum, and with SWIOTLB_DYNAMIC above total at times */
    uint64_t count; /* BOUNCE_LOG_SUPPRESSED: messages not printed */
    size_t end;     /* where to look on in the text */
};

/* Takes terminal colours, NULs and carriage returns out of a line, in place. O(length). */
BOUNCE_API void bounce_log_clean(char *text, size_t *length);

/* The first message at or after `from`. BOUNCE_OK: `record` holds it. BOUNCE_END: none up to the
 * end; `record->cut` when the text ends inside the words of one. BOUNCE_MALFORMED: the words are
 * there, the numbers are not (or have more digits than a kernel prints); `record` has only `cut`
 * and `end`. A message cut before its size is malformed; one cut later gives what it had. Any bytes
 * are safe. O(length - from). */
BOUNCE_API enum bounce_status bounce_log_next(const char *text, size_t length, size_t from,
                                              struct bounce_log_record *record);

/* What the boot messages of the same log told; all zero when nothing did. */
struct bounce_log_boot {
    uint32_t nareas; /* "area num N."; 0: not seen */
    uint64_t nslabs; /* "mapped [mem START-END]" and the forms before it; 0: not seen */
    uint64_t start;  /* physical address of the pool, valid with nslabs */
    bool noforce;    /* swiotlb=noforce on the command line */
    bool iommu_off;  /* iommu=off or iommu=soft there */
    bool no_memory;  /* "No low mem", "Cannot allocate buffer": no pool at boot */
    bool restricted; /* a restricted DMA pool was created */
    bool dynamic;    /* messages only a kernel with SWIOTLB_DYNAMIC prints */
};

/* Takes over what one line tells; true when it was such a line. The first line of a boot ("Linux
 * version") forgets the boot before. `slot_size` in bytes turns addresses into slots. */
BOUNCE_API bool bounce_log_boot_line(const char *text, size_t length, uint32_t slot_size,
                                     struct bounce_log_boot *boot);

/* ---- naming the cause ------------------------------------------------------------------- */

enum bounce_explain_cause {
    BOUNCE_EXPLAIN_NO_POOL,     /* total is 0 */
    BOUNCE_EXPLAIN_OVERSIZE,    /* more than one slot set: fails at any pool size */
    BOUNCE_EXPLAIN_EXHAUSTED,   /* fewer free slots than asked for */
    BOUNCE_EXPLAIN_NO_RUN,      /* enough free slots, none of them usable together */
    BOUNCE_EXPLAIN_CANNOT_TELL, /* no totals printed, and not oversize */
    BOUNCE_EXPLAIN_CAUSES,
};

/* "no_pool", "oversize", "exhausted", "space_but_no_run", "cannot_tell". */
BOUNCE_API const char *bounce_explain_cause_name(enum bounce_explain_cause cause);
/* The same in plain words, one clause without a full stop. */
BOUNCE_API const char *bounce_explain_cause_words(enum bounce_explain_cause cause);

#define BOUNCE_EXPLAIN_AREAS_MAX 65536u

struct bounce_explain_options {
    uint32_t slot_size;      /* bytes, a power of two, 256 .. 1 MiB; stock 2048 */
    uint32_t segment_slots;  /* a power of two, 1 .. 65536; stock 128 */
    uint32_t areas;          /* 0: not known */
    uint32_t min_align_mask; /* 2^n - 1, less than a slot set */
    uint32_t granule;        /* alloc_align_mask + 1: a power of two; 0 or 1: none */
    bool masks_known;        /* the two above are what the device has, not just "not given" */
    bool areas_given;        /* areas come from the user, not from the boot messages */
    struct bounce_log_boot boot;
};

/* Stock constants, nothing known. */
BOUNCE_API void bounce_explain_options_init(struct bounce_explain_options *options);

/* Which option is out of its range and what would be right, or NULL; a static string. */
BOUNCE_API const char *bounce_explain_options_fault(const struct bounce_explain_options *options);

/* How far the numbers settle one possible reason of BOUNCE_EXPLAIN_NO_RUN. */
enum bounce_suspect {
    BOUNCE_SUSPECT_RULED_OUT,
    BOUNCE_SUSPECT_POSSIBLE,
    BOUNCE_SUSPECT_CERTAIN,
};

struct bounce_explain_result {
    enum bounce_explain_cause cause;
    uint64_t max_size; /* bytes, as swiotlb_max_mapping_size() */
    bool needed_known; /* false: no size, or a negative one */
    uint64_t needed;   /* slots */
    bool free_known;
    uint64_t free;             /* total - used, 0 when used is above total */
    uint64_t suggested_nslabs; /* next pool size worth trying, a power of two; 0: none */
    /* BOUNCE_EXPLAIN_NO_RUN only */
    uint64_t segments;        /* slot sets of the pool */
    uint32_t areas;           /* 0: not known, or not those of this pool */
    uint64_t area_slots;      /* slots of an area, when areas are known */
    uint64_t best_area_least; /* the freest area has at least so many free slots */
    uint64_t best_area_most;  /* and at most so many */
    uint64_t spoilers;        /* used slots it takes at least to leave no run of that length */
    uint64_t align_spoilers;  /* the same when runs must also be aligned */
    uint32_t align_slots;     /* alignment assumed, in slots; 1: none */
    enum bounce_suspect area_limited;
    enum bounce_suspect fragmented;
    enum bounce_suspect alignment;
};

/* Names the cause of a record of any kind but BOUNCE_LOG_SUPPRESSED. BOUNCE_INVALID: an option out
 * of its range or a record of that kind; `result` is not written then. O(1). */
BOUNCE_API enum bounce_status bounce_explain(const struct bounce_explain_options *options,
                                             const struct bounce_log_record *record,
                                             struct bounce_explain_result *result);

/* ---- a whole log ------------------------------------------------------------------------ */

#define BOUNCE_LOG_LINE_MAX 65536u
#define BOUNCE_LOG_HELD_MAX 4096u
#define BOUNCE_LOG_NAMES    64u
#define BOUNCE_LOG_NAME_MAX 128u

/* One failed mapping. Everything it points to lives until the callback returns. */
struct bounce_log_event {
    uint64_t number;             /* of the line, from 1 */
    struct bounce_log_span line; /* the part of the (cleaned) line that holds the message */
    const struct bounce_log_record *record;
    const struct bounce_explain_result *result;
    const struct bounce_explain_options *options; /* with what the boot messages told so far */
};

struct bounce_log_name {
    char text[BOUNCE_LOG_NAME_MAX];
    uint8_t length;
    bool failed;         /* an event had this device */
    uint64_t suppressed; /* "callbacks suppressed" under this name */
};

/* State of one log being read: fixed size (about 80 KiB), owned by the caller. The public counters
 * may be read at any time and run on over several inputs. */
struct bounce_log_stream {
    struct bounce_explain_options options;
    void (*event)(void *context, const struct bounce_log_event *event);
    void *context;
    uint64_t lines;
    uint64_t lines_cut; /* longer than BOUNCE_LOG_LINE_MAX: the rest of each was not read */
    uint64_t events;
    uint64_t repeats;    /* second messages about an event already told */
    uint64_t malformed;  /* the words without the numbers */
    uint64_t suppressed; /* messages of swiotlb not printed; see bounce_log_stream_suppressed() */
    /* private */
    uint64_t number; /* lines of this input */
    char line[BOUNCE_LOG_LINE_MAX];
    size_t line_length;
    bool line_open;
    bool line_long;
    struct bounce_log_name names[BOUNCE_LOG_NAMES];
    unsigned names_count;
    char last_device[BOUNCE_LOG_NAME_MAX];
    size_t last_length;
    uint64_t last_size;
    uint64_t last_number;
    bool last_open;
    char held[BOUNCE_LOG_HELD_MAX];
    size_t held_length;
    uint64_t held_number;
};

/* BOUNCE_INVALID when an option is out of its range. */
BOUNCE_API enum bounce_status bounce_log_stream_init(
    struct bounce_log_stream *stream, const struct bounce_explain_options *options,
    void (*event)(void *context, const struct bounce_log_event *), void *context);

/* The next bytes of the log, in pieces of any size. Calls `event` for each failed mapping. A
 * message wrapped into a second line is put together; the second message of old kernels about the
 * same event is counted in `repeats`; boot messages are taken over. A line that may go on waits for
 * the next one. O(length). */
BOUNCE_API void bounce_log_stream_feed(struct bounce_log_stream *stream, const char *bytes,
                                       size_t length);

/* End of this input: what still waited is told. The next byte starts line 1 of another input. */
BOUNCE_API void bounce_log_stream_end(struct bounce_log_stream *stream);

/* Messages not printed: those of the kernel's swiotlb functions, and those under the name of a
 * device that had an event (of the first BOUNCE_LOG_NAMES names). */
BOUNCE_API uint64_t bounce_log_stream_suppressed(const struct bounce_log_stream *stream);

/* ---- saying it -------------------------------------------------------------------------- */

#define BOUNCE_ADVICE_ITEMS 6

struct bounce_advice {
    char why[1536];
    char helps[BOUNCE_ADVICE_ITEMS][320];
    char no_help[BOUNCE_ADVICE_ITEMS][320];
    const char *may_be[BOUNCE_ADVICE_ITEMS];    /* reasons still possible, static strings */
    const char *ruled_out[BOUNCE_ADVICE_ITEMS]; /* reasons the numbers exclude */
    unsigned helps_count;
    unsigned no_help_count;
    unsigned may_be_count;
    unsigned ruled_out_count;
};

/* Plain sentences for a result of bounce_explain() with the same arguments. O(1). */
BOUNCE_API void bounce_explain_advise(const struct bounce_explain_options *options,
                                      const struct bounce_log_record *record,
                                      const struct bounce_explain_result *result,
                                      struct bounce_advice *advice);

/* ---- many events ------------------------------------------------------------------------ */

#define BOUNCE_EXPLAIN_GROUPS 512u

/* Events of equal device, size and cause. */
struct bounce_explain_group {
    char device[BOUNCE_LOG_NAME_MAX];
    uint64_t count;
    uint64_t used_least; /* over the events that printed it */
    uint64_t used_most;
    uint64_t order;                  /* 0 for the first group seen */
    struct bounce_log_record record; /* of the first event; its device is empty, see above */
    struct bounce_explain_result result;
    struct bounce_explain_options options;
};

/* About 300 KiB, owned by the caller, cleared to zero before the first event. */
struct bounce_explain_summary {
    uint64_t events;
    uint64_t by_cause[BOUNCE_EXPLAIN_CAUSES];
    uint64_t ungrouped; /* events of groups that found no room; counted above all the same */
    uint64_t groups_count;
    struct bounce_explain_group groups[BOUNCE_EXPLAIN_GROUPS];
    /* the used slots of the events that a full or crowded pool made */
    uint64_t used_lines;
    uint64_t used_falls;
    uint64_t used_first;
    uint64_t used_last;
    uint64_t used_total;
};

/* O(groups). */
BOUNCE_API void bounce_explain_summary_add(struct bounce_explain_summary *summary,
                                           const struct bounce_log_event *event);

/* Largest group first, equal ones in the order seen. Call it when all events are in. */
BOUNCE_API void bounce_explain_summary_sort(struct bounce_explain_summary *summary);

/* True when `used` was printed often enough and never fell: what a leak looks like, though a steady
 * load does too. */
BOUNCE_API bool bounce_explain_used_never_fell(const struct bounce_explain_summary *summary);

/* One or two sentences over all events, cut at `size`. */
BOUNCE_API void bounce_explain_verdict(const struct bounce_explain_summary *summary, char *text,
                                       size_t size);

/* The record of a group with its device in place, for bounce_explain_advise(). */
BOUNCE_API struct bounce_log_record
bounce_explain_group_record(const struct bounce_explain_group *group);

/* ---- text for people -------------------------------------------------------------------- */

/* The functions below write a NUL-terminated text of at most `size` bytes (size >= 1), cut where it
 * does not fit, and return its length. 8 KiB hold any of them. */

/* "  label      text", wrapped at 98 columns with a hanging indent, a newline at the end. */
BOUNCE_API size_t bounce_explain_item(const char *label, const char *content, bool bullet,
                                      char *text, size_t size);

/* The answer for one group: cause in words, the numbers, why, what helps and what does not. */
BOUNCE_API size_t bounce_explain_text(const struct bounce_explain_group *group, char *text,
                                      size_t size);

/* The group as one row of a table: count, cause, request, device and pool; no newline. */
BOUNCE_API size_t bounce_explain_row(const struct bounce_explain_group *group, char *text,
                                     size_t size);

BOUNCE_END_DECLS

#endif
