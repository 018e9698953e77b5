/* SPDX-License-Identifier: Apache-2.0 */
/* bouncesim's own CSV, made to be written by scripts: a header line that names the columns, then
 * rows of requests (read, write, complete) or of mappings (map, unmap, sync_for_cpu,
 * sync_for_device). docs/formats/csv.md is its reference. */
#include "formats.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum column {
    NONE,
    TIME_NS,
    TIME_US,
    TIME_S,
    OP,
    EV,
    DIR,
    DEVICE,
    CPU,
    ID,
    SIZE,
    SECTORS,
    OFFSET,
    LBA,
    ORIG_ADDR,
    TLB_ADDR,
    SEGMENTS,
    RESPONSE_NS,
    OUTCOME,
    LIST,
    FLAGS,
    SEQ,
    BOUND_SEQ,
    ALLOC_ALIGN_MASK,
};

static const struct {
    const char *name;
    uint8_t column;
} names[] = {
    {"time_ns", TIME_NS},
    {"ts_ns", TIME_NS},
    {"time_us", TIME_US},
    {"time_s", TIME_S},
    {"op", OP},
    {"ev", EV},
    {"dir", DIR},
    {"device", DEVICE},
    {"cpu", CPU},
    {"queue", CPU},
    {"id", ID},
    {"size", SIZE},
    {"nsect", SECTORS},
    {"offset", OFFSET},
    {"lba", LBA},
    {"orig_addr", ORIG_ADDR},
    {"tlb_addr", TLB_ADDR},
    {"segments", SEGMENTS},
    {"response_ns", RESPONSE_NS},
    {"outcome", OUTCOME},
    {"list", LIST},
    {"flags", FLAGS},
    {"seq", SEQ},
    {"bound_seq", BOUND_SEQ},
    {"alloc_align_mask", ALLOC_ALIGN_MASK},
};

static uint8_t column_of(const struct field *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (field_is(name, names[i].name))
            return names[i].column;
    return NONE;
}

/* Which columns there are, as bits. */
static uint32_t header_columns(const struct field *f, size_t n)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < n; i++)
        seen |= 1u << column_of(&f[i]);
    return seen;
}

static bool is_header(uint32_t seen)
{
    return seen & (1u << TIME_NS | 1u << TIME_US | 1u << TIME_S) && seen & 1u << OP;
}

/* Of the lines behind the first header, which are rows but for those of further files: a time is
 * looked for before all names are. */
static bool is_another_header(const struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (f[i].length >= strlen("ts_ns") && f[i].length <= strlen("time_ns") &&
            (*f[i].at | 0x20) == 't' && is_header(header_columns(f, n)))
            return true;
    return false;
}

/* A header that is refused leaves the one before as it was. */
static enum row_result read_header(struct row_state *state, const struct field *f, size_t n)
{
    uint8_t columns[COLUMNS_MAX];

    if (n == 1 && memchr(f[0].at, ';', f[0].length))
        return row_bad(state, "columns that are not separated by commas", &f[0]);
    if (n > COLUMNS_MAX || !is_header(header_columns(f, n)))
        return ROW_BAD;
    for (size_t i = 0; i < n; i++) {
        columns[i] = column_of(&f[i]);
        if (columns[i] == NONE)
            return row_bad(state, "a column that bouncesim's CSV does not have", &f[i]);
    }
    memcpy(state->columns, columns, n);
    state->ncolumns = (uint8_t)n;
    state->has_header = true;
    return ROW_NOTE;
}

static bool read_outcome(const struct field *f, uint8_t *outcome)
{
    static const char *const outcomes[] = {"", "direct", "address", "ok", "full", "tried"};

    for (unsigned i = BOUNCE_RECORDED_DIRECT; i <= BOUNCE_RECORDED_TRIED; i++)
        if (field_is(f, outcomes[i])) {
            *outcome = (uint8_t)i;
            return true;
        }
    return false;
}

/* Words with blanks between them. */
static bool read_flags(const struct field *f, struct row *row)
{
    static const struct {
        const char *name;
        uint16_t flag;
        uint8_t attr;
    } words[] = {
        {"last", BOUNCE_EVENT_LIST_LAST, 0},  {"open", BOUNCE_EVENT_LIST_OPEN, 0},
        {"implied", BOUNCE_EVENT_IMPLIED, 0}, {"unmatched", BOUNCE_EVENT_UNMATCHED, 0},
        {"held", BOUNCE_EVENT_HELD, 0},       {"skip_cpu_sync", 0, BOUNCE_ATTR_SKIP_CPU_SYNC},
        {"no_warn", 0, BOUNCE_ATTR_NO_WARN},  {"by_worker", BOUNCE_EVENT_BY_WORKER, 0},
    };
    struct cursor c = {f->at, f->at + f->length};

    while (!scan_at_end(&c)) {
        struct field word = {c.at, 0};
        size_t i = 0;

        scan_word(&c, &word.at, &word.length);
        while (i < sizeof(words) / sizeof(words[0]) && !field_is(&word, words[i].name))
            i++;
        if (i == sizeof(words) / sizeof(words[0]))
            return false;
        row->flags |= words[i].flag;
        row->attrs |= words[i].attr;
    }
    return true;
}

struct words {
    struct field op;
    struct field ev;
    struct field dir;
    bool has_time;
};

static bool read_column(enum column column, const struct field *f, struct row *row,
                        struct words *words)
{
    switch (column) {
    case TIME_NS:
        return words->has_time = field_scaled(f, 0, &row->time_ns);
    case TIME_US:
        return words->has_time = field_scaled(f, 3, &row->time_ns);
    case TIME_S:
        return words->has_time = field_scaled(f, 9, &row->time_ns);
    case OP:
        words->op = *f;
        return true;
    case EV:
        words->ev = *f;
        return true;
    case DIR:
        words->dir = *f;
        return true;
    case DEVICE:
        row->device = f->at;
        row->device_length = f->length;
        return true;
    case CPU:
        return field_decimal(f, &row->cpu);
    case ID:
        row->has_id = true;
        return field_decimal(f, &row->id);
    case SIZE:
        return field_decimal(f, &row->size);
    case SECTORS:
        return field_sectors(f, &row->size);
    case OFFSET:
        return field_decimal(f, &row->offset);
    case LBA:
        return field_sectors(f, &row->offset);
    case ORIG_ADDR:
        return field_hex(f, &row->orig_addr);
    case TLB_ADDR:
        return row->has_tlb_addr = field_hex(f, &row->tlb_addr);
    case SEGMENTS:
        return field_decimal(f, &row->segments);
    case RESPONSE_NS:
        return field_decimal(f, &row->response_ns) && row->response_ns != NO_RESPONSE;
    case OUTCOME:
        return read_outcome(f, &row->outcome);
    case LIST:
        return row->has_list = field_decimal(f, &row->list);
    case FLAGS:
        return read_flags(f, row);
    case SEQ:
        return field_decimal(f, &row->seq);
    case BOUND_SEQ:
        return field_decimal(f, &row->bound_seq);
    case ALLOC_ALIGN_MASK:
        return field_hex(f, &row->alloc_align_mask) && row->alloc_align_mask <= UINT32_MAX &&
               !(row->alloc_align_mask & (row->alloc_align_mask + 1));
    case NONE:
        break;
    }
    return false;
}

static bool read_dir(const struct field *f, uint8_t *dir)
{
    if (!f->length || field_is(f, "bidirectional"))
        *dir = BOUNCE_BIDIRECTIONAL;
    else if (field_is(f, "to_device") || field_is(f, "w"))
        *dir = BOUNCE_TO_DEVICE;
    else if (field_is(f, "from_device") || field_is(f, "r"))
        *dir = BOUNCE_FROM_DEVICE;
    else if (field_is(f, "none"))
        *dir = BOUNCE_DIR_NONE;
    else
        return false;
    return true;
}

static enum row_result read_mapping_op(struct row_state *state, const struct words *words,
                                       struct row *row)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } ops[] = {
        {"map", BOUNCE_EVENT_MAP},
        {"alloc", BOUNCE_EVENT_ALLOC},
        {"unmap", BOUNCE_EVENT_UNMAP},
        {"sync_for_cpu", BOUNCE_EVENT_SYNC_FOR_CPU},
        {"sync_for_device", BOUNCE_EVENT_SYNC_FOR_DEVICE},
        {"restart", BOUNCE_EVENT_RESTART},
        {"worker", BOUNCE_EVENT_WORKER},
        {"lost", BOUNCE_EVENT_LOST},
    };
    bool needs_id = true, is_map;
    size_t i = 0;

    while (i < sizeof(ops) / sizeof(ops[0]) && !field_is(&words->op, ops[i].name))
        i++;
    if (i == sizeof(ops) / sizeof(ops[0]))
        return row_bad(state,
                       "an op other than read, write, complete, map, unmap, alloc, sync_for_cpu",
                       &words->op);
    row->kind = ops[i].kind;
    is_map = row->kind == BOUNCE_EVENT_MAP;
    if (row->kind == BOUNCE_EVENT_RESTART || row->kind == BOUNCE_EVENT_WORKER ||
        row->kind == BOUNCE_EVENT_LOST)
        needs_id = false;
    if (row->flags & BOUNCE_EVENT_BY_WORKER)
        return ROW_BAD;
    if (row->flags & BOUNCE_EVENT_UNMATCHED) {
        if (row->kind != BOUNCE_EVENT_UNMAP || !row->has_tlb_addr || !row->size)
            return ROW_BAD;
        needs_id = row->has_id = false;
    }
    if ((row->has_list || row->outcome || row->flags & BOUNCE_EVENT_LIST_OPEN) && !is_map)
        return ROW_BAD;
    if (row->flags & (BOUNCE_EVENT_LIST_OPEN | BOUNCE_EVENT_LIST_LAST) && !row->has_list)
        return ROW_BAD;
    if (row->flags & BOUNCE_EVENT_HELD && (!is_map || row->has_list || !row->has_tlb_addr))
        return ROW_BAD;
    if (!row->outcome && row->has_tlb_addr && is_map)
        row->outcome = BOUNCE_RECORDED_ADDRESS;
    if (row->outcome == BOUNCE_RECORDED_ADDRESS && !row->has_tlb_addr)
        return ROW_BAD;
    return (row->has_id || !needs_id) && read_dir(&words->dir, &row->dir) ? ROW_EVENT : ROW_BAD;
}

static enum row_result read_op(struct row_state *state, const struct words *words, struct row *row)
{
    const struct field *op = &words->op;

    if (field_is(op, "discard") || field_is(op, "flush") || field_is(op, "d") || field_is(op, "f"))
        return ROW_OTHER;
    if (field_is(&words->ev, "C") || field_is(op, "complete")) {
        row->kind = BOUNCE_EVENT_COMPLETE;
        return row->has_id && !(row->flags & BOUNCE_EVENT_BY_WORKER) ? ROW_EVENT : ROW_BAD;
    }
    if (words->ev.length && !field_is(&words->ev, "S"))
        return ROW_BAD;
    if (field_is(op, "read") || field_is(op, "r"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(op, "write") || field_is(op, "w"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return read_mapping_op(state, words, row);
    if (words->dir.length && (!read_dir(&words->dir, &row->dir) || row->dir == BOUNCE_DIR_NONE))
        return ROW_BAD;
    return ROW_EVENT;
}

/* A number or word that does not belong into its column. */
static enum row_result bad_field(struct row_state *state, enum column column,
                                 const struct field *field)
{
    char what[64];
    size_t i = 0;

    while (names[i].column != column)
        i++;
    snprintf(what, sizeof(what), "not what a column %s holds", names[i].name);
    return row_bad(state, what, field);
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[COLUMNS_MAX];
    struct words words = {{"", 0}, {"", 0}, {"", 0}, false};
    enum row_result result;
    size_t n;

    if (scan_at_end(&c))
        return ROW_NOTE;
    if (*c.at == '#') {
        row->told = c;
        return ROW_TOLD;
    }
    n = fields_split(c, ',', f, COLUMNS_MAX);
    if (!state->has_header)
        return n <= COLUMNS_MAX ? read_header(state, f, n) : ROW_BAD;
    if (is_another_header(f, n < COLUMNS_MAX ? n : COLUMNS_MAX))
        return n <= COLUMNS_MAX ? read_header(state, f, n) : ROW_BAD;
    if (n != state->ncolumns)
        return row_bad(state, "not as many fields as the header has",
                       &(struct field){c.at, (size_t)(c.end - c.at)});
    for (size_t i = 0; i < n; i++)
        if (f[i].length && !read_column((enum column)state->columns[i], &f[i], row, &words))
            return bad_field(state, (enum column)state->columns[i], &f[i]);
    if (!words.has_time)
        return row_bad(state, "a row without a time", &f[0]);
    result = read_op(state, &words, row);
    if (result == ROW_BAD && !*state->why)
        row_bad(state, "an op that lacks a column it needs", &words.op);
    if (row->has_id)
        row->key = row->id == NO_KEY ? 0 : row->id;
    return result;
}

static const struct line_format lines = {
    .what = "not a row of bouncesim's CSV",
    .wanted = "a header with time_ns and op, then rows as bouncesim's CSV has them "
              "(docs/formats/csv.md), was expected",
    .parse = parse,
    .device = "device",
    .unique_keys = true,
    .ids = true,
};

static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};

    while (c.at < c.end) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));
        struct cursor line = {c.at, newline ? newline : c.end};
        struct field f[COLUMNS_MAX];
        size_t n;

        if (line.end > line.at && line.end[-1] == '\r')
            line.end--;
        if (!scan_at_end(&line) && *line.at != '#') {
            n = fields_split(line, ',', f, COLUMNS_MAX);
            if (n <= COLUMNS_MAX && is_header(header_columns(f, n)))
                return 85;
            /* Meant to be one, as it seems: the reader says what is missing. */
            return (n > 1 && n <= COLUMNS_MAX && header_columns(f, n) & 1u << OP) ||
                           memmem(line.at, (size_t)(line.end - line.at), "time_ns;", 8)
                       ? 1
                       : 0;
        }
        c.at = newline ? newline + 1 : c.end;
    }
    return 0;
}

const struct bounce_format_ops format_csv = TEXT_FORMAT(detect, lines);
