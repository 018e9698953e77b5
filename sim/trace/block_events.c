/* SPDX-License-Identifier: Apache-2.0 */
#include "block_events.h"

#include "records.h"

#include <stdio.h>
#include <stdlib.h>

#define PASSTHROUGH_MAX 4096u /* commands in flight; older ones are taken to have ended unseen */
#define NO_SECTOR       UINT64_MAX

struct passthrough {
    uint64_t key;
    uint64_t size;
    uint32_t major;
    uint32_t minor;
};

struct block_events {
    struct records *records;
    struct passthrough *passthrough; /* in flight, oldest first */
    uint32_t npassthrough;
    uint64_t next_key;
};

struct block_events *block_events_create(void)
{
    struct block_events *state = calloc(1, sizeof(*state));

    if (!state)
        return NULL;
    state->records = records_create(RECORDS_REISSUED);
    state->passthrough = malloc(PASSTHROUGH_MAX * sizeof(*state->passthrough));
    if (!state->records || !state->passthrough) {
        block_events_destroy(state);
        return NULL;
    }
    return state;
}

void block_events_destroy(struct block_events *state)
{
    if (!state)
        return;
    records_destroy(state->records);
    free(state->passthrough);
    free(state);
}

/* ---- text ---- */

int block_event_kind(const char *name, size_t length)
{
    static const struct {
        const char *name;
        size_t length;
    } kinds[] = {
        [BLOCK_ISSUE] = {"block_rq_issue", 14},
        [BLOCK_COMPLETE] = {"block_rq_complete", 17},
        [BLOCK_REQUEUE] = {"block_rq_requeue", 16},
    };

    for (int i = 0; i < (int)(sizeof(kinds) / sizeof(kinds[0])); i++)
        if (kinds[i].length == length && memcmp(kinds[i].name, name, length) == 0)
            return i;
    return -1;
}

/* Reads R, writes W (a preflush F may stand before them), zone appends ZA; N is a command of its
 * own, told apart later. The rest moves no data. */
static void read_rwbs(const char *rwbs, size_t length, struct block_event *event)
{
    size_t at = length > 1 && rwbs[0] == 'F';
    bool append = length > at + 1 && rwbs[at] == 'Z' && rwbs[at + 1] == 'A';

    event->moves_data = true;
    if (rwbs[at] == 'R')
        event->dir = BOUNCE_FROM_DEVICE;
    else if (append || (rwbs[at] == 'W' && (length == at + 1 || rwbs[at + 1] != 'Z')))
        event->dir = BOUNCE_TO_DEVICE;
    else if (rwbs[at] == 'N')
        event->dir = BOUNCE_BIDIRECTIONAL; /* not told */
    else
        event->moves_data = false;
}

static bool scan_sector(struct cursor *c, uint64_t *sector)
{
    if (SCAN_LITERAL(c, "18446744073709551615")) { /* (sector_t)-1: none */
        *sector = NO_SECTOR;
        return true;
    }
    return scan_decimal(c, sector);
}

bool block_event_complete(struct block_event *event, const char *rwbs, size_t length,
                          uint64_t sectors, bool command)
{
    bool none = rwbs[0] == 'N';

    read_rwbs(rwbs, length, event);
    event->by_worker = false;
    if (event->kind == BLOCK_ISSUE) {
        event->passthrough = event->moves_data && !sectors && (none || event->size);
        event->moves_data = event->moves_data && (event->passthrough || !none);
    } else {
        event->passthrough = event->moves_data &&
                             (event->sector == NO_SECTOR || command || (none && !event->sector));
        event->moves_data = event->moves_data && (event->passthrough || (sectors && !none));
        event->size = sectors * 512;
    }
    return event->passthrough || event->sector < NO_SECTOR / 512 || !event->moves_data;
}

/* [COMM] at the end. kblockd's workers are bound to a CPU and of high priority: kworker/2:1H. */
static bool names_worker(struct cursor c)
{
    static const char prefix[] = "[kworker/";
    const char *end = c.end, *open;

    while (end > c.at && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r'))
        end--;
    if (end - c.at < 12 || end[-1] != ']' || end[-2] != 'H')
        return false;
    for (open = end - 1; open > c.at && *open != '['; open--)
        ;
    return (size_t)(end - open) > sizeof(prefix) && memcmp(open, prefix, sizeof(prefix) - 1) == 0 &&
           open[sizeof(prefix) - 1] >= '0' && open[sizeof(prefix) - 1] <= '9';
}

bool block_event_parse(struct cursor c, struct block_event *event)
{
    const char *rwbs, *close;
    size_t length;
    uint64_t major, minor, sectors;
    bool command;

    scan_blanks(&c);
    if (!scan_decimal(&c, &major) || !scan_char(&c, ',') || !scan_decimal(&c, &minor) ||
        major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    event->major = (uint32_t)major;
    event->minor = (uint32_t)minor;
    scan_blanks(&c);
    if (!scan_word(&c, &rwbs, &length))
        return false;
    scan_blanks(&c);
    event->size = 0;
    if (event->kind == BLOCK_ISSUE && (!scan_decimal(&c, &event->size) || event->size > UINT32_MAX))
        return false;
    scan_blanks(&c);
    close = scan_char(&c, '(') ? memchr(c.at, ')', (size_t)(c.end - c.at)) : NULL;
    if (!close)
        return false;
    command = close > c.at;
    c.at = close + 1;
    scan_blanks(&c);
    if (!scan_sector(&c, &event->sector))
        return false;
    scan_blanks(&c);
    if (!scan_char(&c, '+'))
        return false;
    scan_blanks(&c);
    if (!scan_decimal(&c, &sectors) || sectors > UINT32_MAX)
        return false;
    if (!block_event_complete(event, rwbs, length, sectors, command))
        return false;
    event->by_worker = event->kind == BLOCK_ISSUE && names_worker(c);
    return true;
}

/* ---- records ---- */

static uint16_t device_of(struct bounce_trace *trace, const struct block_event *event)
{
    char name[24];
    int length = snprintf(name, sizeof(name), "%u:%u", event->major, event->minor);

    return trace_device_or_last(trace, name, (size_t)length);
}

static uint64_t begin_passthrough(struct block_events *state, const struct block_event *event)
{
    uint64_t key = state->next_key++;

    if (state->npassthrough == PASSTHROUGH_MAX)
        memmove(state->passthrough, state->passthrough + 1,
                --state->npassthrough * sizeof(*state->passthrough));
    state->passthrough[state->npassthrough++] =
        (struct passthrough){key, event->size, event->major, event->minor};
    return key;
}

/* The oldest command of that device and as many sectors, or of that device. */
static bool end_passthrough(struct block_events *state, const struct block_event *event,
                            struct passthrough *ended)
{
    uint32_t found = UINT32_MAX;

    for (uint32_t i = 0; i < state->npassthrough; i++) {
        const struct passthrough *p = &state->passthrough[i];

        if (p->major != event->major || p->minor != event->minor)
            continue;
        if (found == UINT32_MAX)
            found = i;
        if (p->size / 512 == event->size / 512) {
            found = i;
            break;
        }
    }
    if (found == UINT32_MAX)
        return false;
    *ended = state->passthrough[found];
    memmove(state->passthrough + found, state->passthrough + found + 1,
            (--state->npassthrough - found) * sizeof(*state->passthrough));
    return true;
}

enum bounce_status block_events_take(struct bounce_trace *trace, struct block_events *state,
                                     const struct block_event *event)
{
    struct record record = {.event = {.size = event->size, .cpu = event->cpu, .dir = event->dir}};
    struct passthrough ended = {.key = NO_KEY};
    uint64_t key = event->sector;

    record.event.time_ns = records_time(trace, state->records, event->time_ns);
    if (event->cpu >= trace->recorded.cpus)
        trace->recorded.cpus = event->cpu + 1u;
    if (event->passthrough && event->kind == BLOCK_ISSUE)
        key = begin_passthrough(state, event);
    else if (event->passthrough && end_passthrough(state, event, &ended))
        key = ended.key;
    if (!event->moves_data || (event->kind == BLOCK_ISSUE && !event->size) ||
        (event->passthrough && event->kind != BLOCK_ISSUE && !ended.size)) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    record.event.device = device_of(trace, event);
    if (record.event.device == UINT16_MAX)
        return BOUNCE_NO_MEMORY;
    record.event.kind = event->kind == BLOCK_ISSUE ? BOUNCE_EVENT_ISSUE : BOUNCE_EVENT_COMPLETE;
    record.event.offset = event->passthrough ? 0 : event->sector * 512;
    record.event.flags = event->by_worker ? BOUNCE_EVENT_BY_WORKER : 0;
    record.key = records_key(key, (uint64_t)event->passthrough << 16 | record.event.device);
    record.quiet = event->kind == BLOCK_REQUEUE; /* the driver may not have mapped it */
    return records_add(trace, state->records, &record);
}

enum bounce_status block_events_release(struct bounce_trace *trace, struct block_events *state,
                                        bool all)
{
    return records_release(trace, state->records, all);
}
