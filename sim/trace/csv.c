/* SPDX-License-Identifier: Apache-2.0 */
/* bouncesim's own CSV, made to be written by scripts: a header line that names the columns, then
 * rows of requests (read, write, complete) or of mappings (map, unmap, sync_for_cpu,
 * sync_for_device). docs/formats/csv.md is its reference. */
#include "formats.h"
#include "text.h"

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

static enum row_result read_header(struct row_state *state, const struct field *f, size_t n)
{
    uint32_t seen = header_columns(f, n);

    if (n > COLUMNS_MAX || !is_header(seen) || seen & 1u << NONE)
        return ROW_BAD;
    for (size_t i = 0; i < n; i++)
        state->columns[i] = column_of(&f[i]);
    state->ncolumns = (uint8_t)n;
    state->has_header = true;
    return ROW_NOTE;
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
    else
        return false;
    return true;
}

static enum row_result read_mapping_op(const struct words *words, struct row *row)
{
    if (field_is(&words->op, "map"))
        row->kind = BOUNCE_EVENT_MAP;
    else if (field_is(&words->op, "unmap"))
        row->kind = BOUNCE_EVENT_UNMAP;
    else if (field_is(&words->op, "sync_for_cpu"))
        row->kind = BOUNCE_EVENT_SYNC_FOR_CPU;
    else if (field_is(&words->op, "sync_for_device"))
        row->kind = BOUNCE_EVENT_SYNC_FOR_DEVICE;
    else
        return ROW_BAD;
    return row->has_id && read_dir(&words->dir, &row->dir) ? ROW_EVENT : ROW_BAD;
}

static enum row_result read_op(const struct words *words, struct row *row)
{
    const struct field *op = &words->op;

    if (field_is(op, "discard") || field_is(op, "flush") || field_is(op, "d") || field_is(op, "f"))
        return ROW_OTHER;
    if (field_is(&words->ev, "C") || field_is(op, "complete")) {
        row->kind = BOUNCE_EVENT_COMPLETE;
        return row->has_id ? ROW_EVENT : ROW_BAD;
    }
    if (words->ev.length && !field_is(&words->ev, "S"))
        return ROW_BAD;
    if (field_is(op, "read") || field_is(op, "r"))
        row->dir = BOUNCE_FROM_DEVICE;
    else if (field_is(op, "write") || field_is(op, "w"))
        row->dir = BOUNCE_TO_DEVICE;
    else
        return read_mapping_op(words, row);
    return ROW_EVENT;
}

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    struct field f[COLUMNS_MAX];
    struct words words = {{"", 0}, {"", 0}, {"", 0}, false};
    enum row_result result;
    size_t n;

    if (scan_at_end(&c) || *c.at == '#')
        return ROW_NOTE;
    n = fields_split(c, ',', f, COLUMNS_MAX);
    if (!state->has_header)
        return n <= COLUMNS_MAX ? read_header(state, f, n) : ROW_BAD;
    if (n != state->ncolumns)
        return ROW_BAD;
    for (size_t i = 0; i < n; i++)
        if (f[i].length && !read_column((enum column)state->columns[i], &f[i], row, &words))
            return ROW_BAD;
    if (!words.has_time)
        return ROW_BAD;
    result = read_op(&words, row);
    if (row->has_id)
        row->key = row->id == NO_KEY ? 0 : row->id;
    return result;
}

static const struct line_format lines = {
    .what = "not a row of bouncesim's CSV",
    .wanted = "a header with time_ns and op and of size, id, device, cpu, dir, offset, lba, nsect, "
              "orig_addr, tlb_addr, segments, response_ns what you have, then such rows",
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
            return n <= COLUMNS_MAX && is_header(header_columns(f, n)) ? 85 : 0;
        }
        c.at = newline ? newline + 1 : c.end;
    }
    return 0;
}

const struct bounce_format_ops format_csv = TEXT_FORMAT(detect, lines);
