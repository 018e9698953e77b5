/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/requests.h"

#include "cut.h"

#include "bounce/boot.h"

#include <stdlib.h>

#define NO_PIECE UINT32_MAX

struct request {
    uint64_t due_ns;       /* with assumed service times */
    uint32_t first;        /* piece, or NO_PIECE: not live */
    uint32_t next_request; /* in the order of their ends, with assumed service times */
    uint16_t device;
    uint8_t dir;
};

/* A mapping: its handle is its place. */
struct piece {
    uint64_t id;
    uint64_t size;
    uint32_t next;
};

struct bounce_requests {
    struct bounce_requests_config config;
    struct bounce_requests_counts counts;
    struct request *requests; /* by the trace's handle, or by place in a list of our own */
    uint32_t requests_room;
    uint32_t free_request; /* assumed service times: heads of the free list and of the queue */
    uint32_t queue_head;
    uint32_t queue_tail;
    struct piece *pieces;
    uint32_t pieces_room;
    uint32_t used_pieces;
    uint32_t live_pieces;
    uint32_t free_piece;
    uint64_t next_id;
    uint32_t to_hold;

    /* The request at hand, of which some mappings may still have to come. */
    struct bounce_event issue;
    struct cut cut;
    uint32_t made;
    uint32_t at;   /* its place in requests */
    uint32_t last; /* piece */
    uint64_t left; /* bytes */
    bool issuing;
};

enum bounce_status bounce_requests_create(const struct bounce_requests_config *config,
                                          struct bounce_requests **out, struct bounce_error *error)
{
    struct bounce_requests *r = calloc(1, sizeof(*r));

    if (!r)
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
    r->config = *config;
    r->to_hold = config->held_slots;
    r->free_request = r->queue_head = r->queue_tail = r->free_piece = NO_PIECE;
    *out = r;
    return BOUNCE_OK;
}

void bounce_requests_destroy(struct bounce_requests *r)
{
    if (!r)
        return;
    free(r->requests);
    free(r->pieces);
    free(r);
}

static bool reserve_request(struct bounce_requests *r, uint32_t handle)
{
    uint32_t room = r->requests_room ? r->requests_room : 256;
    struct request *more;

    if (handle < r->requests_room)
        return true;
    while (room <= handle)
        room *= 2;
    more = realloc(r->requests, room * sizeof(*more));
    if (!more)
        return false;
    for (uint32_t i = r->requests_room; i < room; i++)
        more[i] = (struct request){.first = NO_PIECE, .next_request = NO_PIECE};
    if (r->config.assume_service)
        for (uint32_t i = room; i-- > r->requests_room;) {
            more[i].next_request = r->free_request;
            r->free_request = i;
        }
    r->requests = more;
    r->requests_room = room;
    return true;
}

static bool new_piece(struct bounce_requests *r, uint32_t *piece)
{
    if (r->free_piece != NO_PIECE) {
        *piece = r->free_piece;
        r->free_piece = r->pieces[*piece].next;
    } else {
        if (r->used_pieces == r->pieces_room) {
            uint32_t room = r->pieces_room ? 2 * r->pieces_room : 1024;
            struct piece *more = realloc(r->pieces, room * sizeof(*more));

            if (!more)
                return false;
            r->pieces = more;
            r->pieces_room = room;
        }
        *piece = r->used_pieces++;
    }
    r->live_pieces++;
    return true;
}

/* ---- events ---- */

/* One slot of those that others hold; false without memory. */
static bool hold_slot(struct bounce_requests *r, const struct bounce_event *first,
                      struct bounce_event *out)
{
    uint32_t piece;

    if (!new_piece(r, &piece))
        return false;
    r->to_hold--;
    *out = (struct bounce_event){
        .kind = BOUNCE_EVENT_MAP,
        .flags = BOUNCE_EVENT_HELD,
        .time_ns = first->time_ns,
        .size = UINT64_C(1) << BOUNCE_SLOT_SHIFT,
        .handle = piece,
        .list = BOUNCE_NO_LIST,
        .device = first->device,
        .dir = BOUNCE_FROM_DEVICE,
    };
    return true;
}

/* One unmap of the request; false when there are none left. */
static bool end_piece(struct bounce_requests *r, struct request *request, uint64_t time_ns,
                      struct bounce_event *out)
{
    uint32_t handle = request->first;
    struct piece *piece;

    if (handle == NO_PIECE)
        return false;
    piece = &r->pieces[handle];
    *out = (struct bounce_event){
        .kind = BOUNCE_EVENT_UNMAP,
        .time_ns = time_ns,
        .id = piece->id,
        .size = piece->size,
        .handle = handle,
        .list = BOUNCE_NO_LIST,
        .device = request->device,
        .dir = request->dir,
    };
    request->first = piece->next;
    piece->next = r->free_piece;
    r->free_piece = handle;
    r->live_pieces--;
    r->counts.outstanding -= request->first == NO_PIECE;
    return true;
}

/* The same of the request behind an event's handle. */
static bool end_recorded(struct bounce_requests *r, const struct bounce_event *event,
                         struct bounce_event *out)
{
    return !r->config.assume_service && event->handle < r->requests_room &&
           end_piece(r, &r->requests[event->handle], event->time_ns, out);
}

/* Unmaps of requests whose assumed time is up. */
static size_t end_due(struct bounce_requests *r, uint64_t until_ns, struct bounce_event *out,
                      size_t capacity)
{
    size_t n = 0;

    while (n < capacity && r->queue_head != NO_PIECE) {
        uint32_t head = r->queue_head;
        struct request *request = &r->requests[head];

        if (request->due_ns > until_ns)
            break;
        if (end_piece(r, request, request->due_ns, &out[n])) {
            n++;
            continue;
        }
        r->queue_head = request->next_request;
        if (r->queue_head == NO_PIECE)
            r->queue_tail = NO_PIECE;
        request->next_request = r->free_request;
        r->free_request = head;
    }
    return n;
}

/* Sets up the request at hand; false without memory. */
static bool begin_issue(struct bounce_requests *r, const struct bounce_device *devices,
                        const struct bounce_event *event)
{
    struct request *request;
    uint32_t at = event->handle;

    r->issue = *event;
    r->cut = cut_request(event, &devices[event->device]);
    if (r->cut.pieces > BOUNCE_REQUESTS_LIVE - r->live_pieces) {
        r->counts.not_tracked++;
        return true;
    }
    if (r->config.assume_service) {
        if (r->free_request == NO_PIECE && !reserve_request(r, r->requests_room))
            return false;
        at = r->free_request;
        r->free_request = r->requests[at].next_request;
    } else if (!reserve_request(r, at)) {
        return false;
    }
    request = &r->requests[at];
    *request = (struct request){
        .due_ns = event->time_ns + r->config.service_ns,
        .first = NO_PIECE,
        .next_request = NO_PIECE,
        .device = event->device,
        .dir = event->dir,
    };
    if (r->config.assume_service) {
        if (r->queue_tail == NO_PIECE)
            r->queue_head = at;
        else
            r->requests[r->queue_tail].next_request = at;
        r->queue_tail = at;
    }
    r->counts.requests++;
    r->counts.outstanding++;
    r->counts.split += r->cut.pieces > 1 && !r->cut.list;
    r->issuing = true;
    r->made = 0;
    r->at = at;
    r->left = event->size;
    return true;
}

/* One map of the request at hand; false without memory. */
static bool issue_piece(struct bounce_requests *r, struct bounce_event *out)
{
    struct request *request = &r->requests[r->at];
    uint64_t size = cut_piece(&r->cut, r->made, r->left);
    bool first = r->made == 0, last = r->made + 1 == r->cut.pieces;
    uint32_t piece;

    if (!new_piece(r, &piece))
        return false;
    r->pieces[piece] = (struct piece){r->next_id++, size, NO_PIECE};
    if (first)
        request->first = piece;
    else
        r->pieces[r->last].next = piece;
    r->last = piece;
    *out = (struct bounce_event){
        .kind = BOUNCE_EVENT_MAP,
        .time_ns = r->issue.time_ns,
        .id = r->pieces[piece].id,
        .orig_addr = cut_address(r->config.seed, r->pieces[piece].id),
        .size = size,
        .handle = piece,
        .list = BOUNCE_NO_LIST,
        .device = r->issue.device,
        .cpu = r->issue.cpu,
        .dir = r->issue.dir,
    };
    if (r->cut.list) {
        out->list = request->first;
        out->flags = (uint8_t)(BOUNCE_EVENT_IN_LIST | (first ? BOUNCE_EVENT_LIST_FIRST : 0) |
                               (last ? BOUNCE_EVENT_LIST_LAST : 0));
    }
    r->counts.mappings++;
    r->left -= size;
    r->made++;
    r->issuing = !last;
    return true;
}

static void restart(struct bounce_requests *r)
{
    r->free_request = r->queue_head = r->queue_tail = NO_PIECE;
    for (uint32_t i = r->requests_room; i-- > 0;) {
        r->requests[i].first = NO_PIECE;
        r->requests[i].next_request = r->free_request;
        if (r->config.assume_service)
            r->free_request = i;
    }
    r->free_piece = NO_PIECE;
    r->used_pieces = r->live_pieces = 0;
    r->counts.outstanding = 0;
}

enum bounce_status bounce_requests_next(struct bounce_requests *r,
                                        const struct bounce_device *devices,
                                        const struct bounce_event *events, size_t count,
                                        size_t *taken, struct bounce_event *out, size_t capacity,
                                        size_t *got)
{
    size_t n = 0, done = 0;

    if (count == 0)
        n = end_due(r, UINT64_MAX, out, capacity);
    while (done < count && n < capacity) {
        const struct bounce_event *event = &events[done];

        if (r->to_hold) {
            if (!hold_slot(r, event, &out[n++]))
                return BOUNCE_NO_MEMORY;
            continue;
        }
        if (r->issuing) {
            if (!issue_piece(r, &out[n]))
                return BOUNCE_NO_MEMORY;
            n++;
            done += !r->issuing;
            continue;
        }
        n += end_due(r, event->time_ns, out + n, capacity - n);
        if (n == capacity)
            break;
        switch ((enum bounce_event_kind)event->kind) {
        case BOUNCE_EVENT_ISSUE:
            if (end_recorded(r, event, &out[n])) { /* the handle again: it has ended unseen */
                n++;
                break;
            }
            if (!begin_issue(r, devices, event))
                return BOUNCE_NO_MEMORY;
            done += !r->issuing;
            break;
        case BOUNCE_EVENT_COMPLETE:
            if (end_recorded(r, event, &out[n]))
                n++; /* and once more, until all its pieces have ended */
            else
                done++;
            break;
        case BOUNCE_EVENT_RESTART:
            restart(r);
            out[n++] = *event;
            done++;
            break;
        default:
            out[n++] = *event;
            done++;
        }
    }
    *taken = done;
    *got = n;
    return BOUNCE_OK;
}

void bounce_requests_get_counts(const struct bounce_requests *r,
                                struct bounce_requests_counts *counts)
{
    *counts = r->counts;
}
