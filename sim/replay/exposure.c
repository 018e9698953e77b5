/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/exposure.h"

#include "slot_table.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT)

struct bounce_exposure {
    struct slot_table table;
    struct bitmap_arena arena;
    struct bounce_exposure_row *rows; /* by device */
    size_t nrows;
    enum bounce_status status;
};

/* The mapping that is being made. */
struct mapping {
    uint64_t slots_begin, slots_end;
    uint64_t own_begin, own_end;
    uint64_t reach_begin, reach_end; /* untrusted */
    bool padding_zeroed;             /* untrusted */
    bool coherent;
};

bool bounce_exposure_supports(const struct bounce_swiotlb_config *config)
{
    return bounce_config_slot_size(config) == SLOT_BYTES &&
           bounce_config_segment_slots(config) <= BOUNCE_SEGMENT_SLOTS;
}

struct bounce_exposure *bounce_exposure_create(void)
{
    return calloc(1, sizeof(struct bounce_exposure));
}

void bounce_exposure_restart(struct bounce_exposure *exposure)
{
    slot_table_clear(&exposure->table);
    bitmap_arena_destroy(&exposure->arena);
}

void bounce_exposure_destroy(struct bounce_exposure *exposure)
{
    if (!exposure)
        return;
    bounce_exposure_restart(exposure);
    free(exposure->rows);
    free(exposure);
}

static struct bounce_exposure_row *row_of(struct bounce_exposure *e, size_t device)
{
    if (device >= e->nrows) {
        size_t count = device < 8 ? 8 : 2 * device;
        struct bounce_exposure_row *more = realloc(e->rows, count * sizeof(*more));

        if (!more)
            return NULL;
        memset(more + e->nrows, 0, (count - e->nrows) * sizeof(*more));
        e->rows = more;
        e->nrows = count;
    }
    return &e->rows[device];
}

/* ---- arithmetic of byte ranges ---- */

struct range {
    uint64_t begin, end; /* empty unless begin < end */
};

static struct range common(uint64_t begin, uint64_t end, uint64_t other_begin, uint64_t other_end)
{
    return (struct range){begin > other_begin ? begin : other_begin,
                          end < other_end ? end : other_end};
}

static uint64_t length(struct range range)
{
    return range.begin < range.end ? range.end - range.begin : 0;
}

static uint64_t written_in(const struct bounce_exposure *e, const struct slot *slot, enum view view,
                           uint64_t slot_addr, struct range range)
{
    struct range in = common(range.begin, range.end, slot_addr, slot_addr + SLOT_BYTES);

    if (!length(in))
        return 0;
    return slot_bytes_count(&e->arena, &slot->written[view], (uint32_t)(in.begin - slot_addr),
                            (uint32_t)(in.end - slot_addr));
}

static uint64_t granule_down(uint64_t addr, unsigned shift)
{
    return addr >> shift << shift;
}

static uint64_t granule_up(uint64_t addr, unsigned shift)
{
    return granule_down(addr + (UINT64_C(1) << shift) - 1, shift);
}

/* ---- making a mapping ---- */

/* The IOMMU granule; masks that are not 2^n - 1, or of more than a slot set, ask for none. */
static unsigned granule_shift(uint32_t alloc_align_mask)
{
    uint64_t granule = (uint64_t)alloc_align_mask + 1;

    if (granule < BOUNCE_EXPOSURE_GRANULE || granule > MOST_BYTES || granule & (granule - 1))
        granule = BOUNCE_EXPOSURE_GRANULE;
    return (unsigned)__builtin_ctzll(granule);
}

static struct mapping describe(const struct bounce_event *event,
                               const struct bounce_map_result *result, unsigned shift)
{
    bool coherent = event->kind == BOUNCE_EVENT_ALLOC;
    bool covers = !coherent && event->alloc_align_mask + UINT64_C(1) >= UINT64_C(1) << shift;
    struct mapping m = {
        .own_begin = result->tlb_addr,
        .own_end = result->tlb_addr + event->size,
        .reach_begin = granule_down(result->tlb_addr, shift),
        .reach_end = granule_up(result->tlb_addr + event->size, shift),
        .padding_zeroed = covers,
        .coherent = coherent,
    };

    /* Padding slots lie between an address aligned as asked and the buffer. */
    m.slots_begin = granule_down(m.own_begin, covers ? shift : BOUNCE_SLOT_SHIFT);
    m.slots_end = m.slots_begin + ((uint64_t)result->slots << BOUNCE_SLOT_SHIFT);
    return m;
}

/* Stale bytes among those of the mapping's slots that are in `range`, its own left out. */
static uint64_t stale_around(struct bounce_exposure *e, const struct mapping *m, enum view view,
                             struct range range)
{
    uint64_t stale = 0;

    for (uint64_t at = m->slots_begin; at < m->slots_end; at += SLOT_BYTES) {
        const struct slot *slot = slot_table_at(&e->table, at);

        stale += written_in(e, slot, view, at, range);
        stale -=
            written_in(e, slot, view, at, common(range.begin, range.end, m->own_begin, m->own_end));
    }
    return stale;
}

/* `first`: the first slot of a live mapping, at `addr`. The device of that one finds `bytes` more.
 */
static void expose_earlier(struct bounce_exposure *e, struct slot *first, uint64_t bytes)
{
    struct bounce_exposure_row *row = row_of(e, first->live.device);

    if (!bytes || !row)
        return;
    row->untrusted_live_bytes += bytes;
    row->untrusted_exposed_mappings += !first->live.exposed;
    first->live.exposed = true;
}

/* A slot of others within the mapping's granules. */
static void look_at_neighbour(struct bounce_exposure *e, const struct mapping *m, uint64_t addr,
                              uint64_t *last_seen, struct bounce_exposure_row *found)
{
    struct slot *slot = slot_table_at(&e->table, addr), *first;
    struct range part = common(m->reach_begin, m->reach_end, addr, addr + SLOT_BYTES);
    uint64_t written, live, begin, end, first_addr;
    unsigned shift;

    if (!slot)
        return;
    written = written_in(e, slot, UNTRUSTED, addr, part);
    if (!slot->nslots) {
        found->untrusted_stale_bytes += written;
        return;
    }
    first_addr = addr - ((uint64_t)slot->back << BOUNCE_SLOT_SHIFT);
    first = slot_table_at(&e->table, first_addr);
    begin = first_addr + first->live.offset;
    end = begin + first->live.size;
    live = length(common(part.begin, part.end, begin, end));
    found->untrusted_live_bytes += live;
    found->untrusted_stale_bytes += written - live;
    if (*last_seen == first_addr)
        return;
    *last_seen = first_addr;
    shift = first->live.granule_shift;
    expose_earlier(e, first,
                   length(common(m->own_begin, m->own_end, granule_down(begin, shift),
                                 granule_up(end, shift))));
}

/* What the mapping finds; written as a row of one mapping. Nothing is changed but the counts of
 * earlier mappings. */
static void look(struct bounce_exposure *e, const struct mapping *m, bool transient,
                 struct bounce_exposure_row *found)
{
    struct range slots = {m->slots_begin, m->slots_end};
    struct range shared = common(m->reach_begin, m->reach_end, slots.begin, slots.end);
    uint64_t last_seen = UINT64_MAX;

    found->mappings = 1;
    found->mapped_bytes = m->own_end - m->own_begin;
    found->direct_reachable_bytes = length(slots);
    found->untrusted_reachable_bytes = m->reach_end - m->reach_begin;
    if (m->padding_zeroed)
        found->untrusted_zeroed_bytes = length(shared) - found->mapped_bytes;
    if (transient) {
        found->untrusted_unknown_bytes = found->untrusted_reachable_bytes - length(shared);
        return;
    }
    if (!m->coherent)
        found->direct_stale_bytes = stale_around(e, m, DIRECT, slots);
    if (!m->coherent && !m->padding_zeroed)
        found->untrusted_stale_bytes = stale_around(e, m, UNTRUSTED, shared);
    for (uint64_t at = granule_down(m->reach_begin, BOUNCE_SLOT_SHIFT); at < m->reach_end;
         at += SLOT_BYTES)
        if (at < m->slots_begin || at >= m->slots_end)
            look_at_neighbour(e, m, at, &last_seen, found);
    found->direct_exposed_mappings = found->direct_stale_bytes != 0;
    found->direct_stale_bytes_max = found->direct_stale_bytes;
    found->untrusted_exposed_mappings = found->untrusted_stale_bytes || found->untrusted_live_bytes;
}

/* The slots' bytes are cleared as far as something does that, and take in the buffer. */
static bool fill(struct bounce_exposure *e, const struct mapping *m)
{
    bool done = true;

    for (uint64_t at = m->slots_begin; at < m->slots_end; at += SLOT_BYTES) {
        struct slot *slot = slot_table_at(&e->table, at);
        struct range own = common(m->own_begin, m->own_end, at, at + SLOT_BYTES);
        struct range zeroed = common(m->reach_begin, m->reach_end, at, at + SLOT_BYTES);

        if (m->coherent) {
            done &= slot_bytes_remove(&e->arena, &slot->written[DIRECT], 0, SLOT_BYTES);
            done &= slot_bytes_remove(&e->arena, &slot->written[UNTRUSTED], 0, SLOT_BYTES);
        } else if (m->padding_zeroed && length(zeroed)) {
            done &= slot_bytes_remove(&e->arena, &slot->written[UNTRUSTED],
                                      (uint32_t)(zeroed.begin - at), (uint32_t)(zeroed.end - at));
        }
        for (enum view view = DIRECT; length(own) && view < VIEWS; view++)
            done &= slot_bytes_add(&e->arena, &slot->written[view], (uint32_t)(own.begin - at),
                                   (uint32_t)(own.end - at));
    }
    return done;
}

static void add_row(struct bounce_exposure_row *into, const struct bounce_exposure_row *row)
{
#define SUM(a, b)                      ((a) + (b))
#define MAX(a, b)                      ((a) > (b) ? (a) : (b))
#define ADD(name, kind, unit, meaning) into->name = kind(into->name, row->name);
    BOUNCE_EXPOSURE(ADD)
#undef ADD
#undef MAX
#undef SUM
}

/* Marks the slots as the mapping's. */
static void occupy(struct bounce_exposure *e, const struct mapping *m, struct live live)
{
    uint8_t nslots = (uint8_t)((m->slots_end - m->slots_begin) >> BOUNCE_SLOT_SHIFT);

    for (uint8_t back = 0; back < nslots; back++) {
        struct slot *slot =
            slot_table_at(&e->table, m->slots_begin + ((uint64_t)back << BOUNCE_SLOT_SHIFT));

        slot->nslots = nslots;
        slot->back = back;
    }
    slot_table_at(&e->table, m->slots_begin)->live = live;
}

void bounce_exposure_taken(struct bounce_exposure *exposure, const struct bounce_event *event,
                           const struct bounce_map_result *result, const struct bounce_swiotlb *mem)
{
    unsigned shift = granule_shift(event->alloc_align_mask);
    struct bounce_exposure_row found = {0}, *row = row_of(exposure, event->device);
    struct mapping m;
    bool transient = bounce_swiotlb_is_transient(mem, result->tlb_addr);

    /* More than a slot set is no answer of any kernel's. */
    if (!result->slots || result->slots > BOUNCE_SEGMENT_SLOTS || !event->size ||
        event->size > MOST_BYTES)
        return;
    m = describe(event, result, shift);
    if (m.own_end > m.slots_end)
        return;
    if (!row || (!transient && (!slot_table_make(&exposure->table, m.slots_begin) ||
                                !slot_table_make(&exposure->table, m.slots_end - 1)))) {
        exposure->status = BOUNCE_NO_MEMORY;
        return;
    }
    look(exposure, &m, transient, &found);
    add_row(row, &found);
    if (transient)
        return;
    if (!fill(exposure, &m))
        exposure->status = BOUNCE_NO_MEMORY;
    occupy(exposure, &m,
           (struct live){
               .offset = (uint32_t)(m.own_begin - m.slots_begin),
               .size = (uint32_t)event->size,
               .device = event->device,
               .granule_shift = (uint8_t)shift,
               .exposed = found.untrusted_exposed_mappings != 0,
           });
}

void bounce_exposure_freed(struct bounce_exposure *exposure, uint64_t tlb_addr)
{
    struct slot *slot = slot_table_at(&exposure->table, tlb_addr);
    uint64_t first;
    uint32_t nslots;

    if (!slot || !slot->nslots)
        return;
    first = tlb_addr - ((uint64_t)slot->back << BOUNCE_SLOT_SHIFT);
    nslots = slot->nslots;
    for (uint32_t i = 0; i < nslots; i++)
        slot_table_at(&exposure->table, first + ((uint64_t)i << BOUNCE_SLOT_SHIFT))->nslots = 0;
}

/* ---- results ---- */

enum bounce_status bounce_exposure_status(const struct bounce_exposure *exposure)
{
    return exposure->status;
}

struct bounce_exposure_row bounce_exposure_device(const struct bounce_exposure *exposure,
                                                  size_t index)
{
    return index < exposure->nrows ? exposure->rows[index] : (struct bounce_exposure_row){0};
}

struct bounce_exposure_row bounce_exposure_total(const struct bounce_exposure *exposure)
{
    struct bounce_exposure_row total = {0};

    for (size_t i = 0; i < exposure->nrows; i++)
        add_row(&total, &exposure->rows[i]);
    return total;
}

size_t bounce_exposure_memory(const struct bounce_exposure *exposure)
{
    return sizeof(*exposure) + slot_table_memory(&exposure->table) +
           bitmap_arena_memory(&exposure->arena) + exposure->nrows * sizeof(*exposure->rows);
}
