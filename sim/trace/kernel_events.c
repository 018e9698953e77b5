/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_events.h"

#include "block_events.h"
#include "kernel_raw.h"

#include <stdlib.h>

#define STEP_BACK_NS UINT64_C(1000000000) /* per-CPU buffers are merged by time: less is jitter */

/* How much is looked at before the view is settled. */
#define UNSETTLED_REQUESTS 4096u
#define UNSETTLED_BOUNCED  2048u

enum view { UNSETTLED, MAPPINGS, BLOCK };

struct kernel_events {
    enum view view;
    struct kernel_text text;
    struct block_events *block;
    uint64_t base_ns; /* added to recorded times: joined recordings go on where the last ended */
    uint64_t last_ns; /* as recorded */
    bool started;

    /* Until the view is settled. */
    struct block_event *requests;
    uint32_t nrequests;
    uint64_t bounced;    /* swiotlb_bounced events, with dma_events */
    uint64_t coherent;   /* counted as such */
    bool hopeless;       /* so many of them that no dma event can be in the trace */
    uint64_t bad_line;   /* the first block event that was not understood */
    uint64_t bad_events; /* how many of those */
};

struct kernel_events *kernel_events_create(struct bounce_trace *trace)
{
    struct kernel_events *state = calloc(1, sizeof(*state));

    if (!state)
        return NULL;
    if (trace->options.only == BOUNCE_ONLY_MAPPINGS)
        state->view = MAPPINGS;
    if (trace->options.only == BOUNCE_ONLY_BLOCK) {
        state->view = BLOCK;
        trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
        trace->recorded.forced = trace->recorded.guessed_force = true;
    }
    trace->recorded.timed = true;
    state->text.dma = dma_events_create();
    state->block = block_events_create();
    trace->held = state->view == UNSETTLED;
    if (trace->held)
        state->requests = malloc(UNSETTLED_REQUESTS * sizeof(*state->requests));
    if (!state->text.dma || !state->block || (trace->held && !state->requests)) {
        kernel_events_destroy(state);
        return NULL;
    }
    return state;
}

void kernel_events_big_endian(struct kernel_events *state)
{
    state->text.big_endian = true;
}

void kernel_events_destroy(struct kernel_events *state)
{
    if (!state)
        return;
    dma_events_destroy(state->text.dma);
    block_events_destroy(state->block);
    free(state->requests);
    free(state);
}

static enum bounce_status no_memory(const struct bounce_trace *trace, struct bounce_error *error)
{
    return bounce_refuse(error, BOUNCE_NO_MEMORY, trace->lines.number, "out of memory");
}

static enum bounce_status bad_event(struct bounce_trace *trace, struct bounce_error *error)
{
    return trace_malformed(trace, error, "an event with arguments missing or not understood",
                           "the layout of Linux 6.12 to 6.18 was expected");
}

static enum bounce_status bad_request(struct bounce_trace *trace, struct bounce_error *error)
{
    return trace_malformed(trace, error, "a block event with arguments that are not understood",
                           "MAJ,MIN RWBS [BYTES] (COMMAND) SECTOR + SECTORS [...] was expected");
}

/* ---- the view ---- */

static void take_mappings(struct bounce_trace *trace, struct kernel_events *state)
{
    state->view = MAPPINGS;
    trace->held = false;
    trace->counts.other_events += state->nrequests + state->bad_events;
    free(state->requests);
    state->requests = NULL;
}

/* Forgets what swiotlb_bounced events came to: until the view is settled none of them is handed
 * out. */
static bool drop_bounced(struct bounce_trace *trace, struct kernel_events *state)
{
    trace->counts.other_events += state->bounced;
    state->bounced = 0;
    trace->head = trace->tail = 0;
    trace_forget_devices(trace);
    trace->counts.first_ns = trace->counts.span_ns = trace->counts.time_steps_back = 0;
    trace->counts.failed_lists = 0;
    trace->recorded.bounces = trace->recorded.forced = false;
    state->started = false;
    state->last_ns = 0;
    dma_events_destroy(state->text.dma);
    state->text.dma = dma_events_create();
    return state->text.dma != NULL;
}

static enum bounce_status take_block(struct bounce_trace *trace, struct kernel_events *state,
                                     struct bounce_error *error)
{
    enum bounce_status status = BOUNCE_OK;

    state->view = BLOCK;
    trace->held = false;
    trace->recorded.no_mappings = true;
    trace->counts.other_events += state->coherent;
    trace->counts.coherent_events -= state->coherent;
    if (!drop_bounced(trace, state))
        return no_memory(trace, error);
    trace->recorded.level = BOUNCE_LEVEL_REQUESTS;
    trace->recorded.forced = trace->recorded.guessed_force = true;
    if (state->bad_events && !trace->options.skip_malformed) {
        trace->lines.number = state->bad_line;
        trace->lines.cut = false;
        return bad_request(trace, error);
    }
    trace->counts.malformed += state->bad_events;
    for (uint32_t i = 0; i < state->nrequests && !status; i++)
        status = block_events_take(trace, state->block, &state->requests[i]);
    free(state->requests);
    state->requests = NULL;
    return status ? no_memory(trace, error) : BOUNCE_OK;
}

/* ---- events ---- */

static enum bounce_status on_block(struct bounce_trace *trace, struct kernel_events *state,
                                   const struct kernel_line *line, int kind,
                                   struct bounce_error *error)
{
    struct block_event event = {
        .time_ns = line->time_ns, .cpu = (uint16_t)line->cpu, .kind = (uint8_t)kind};

    if (state->view == MAPPINGS) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    if (!block_event_parse(line->args, &event)) {
        if (state->view == BLOCK)
            return bad_request(trace, error);
        if (trace->lines.cut && trace_cut(trace))
            return BOUNCE_OK;
        if (!state->bad_events++)
            state->bad_line = trace->lines.number;
        return BOUNCE_OK;
    }
    if (state->view == BLOCK)
        return block_events_take(trace, state->block, &event) ? no_memory(trace, error) : BOUNCE_OK;
    state->requests[state->nrequests++] = event;
    return state->nrequests == UNSETTLED_REQUESTS ? take_block(trace, state, error) : BOUNCE_OK;
}

static uint64_t continued_time(struct bounce_trace *trace, struct kernel_events *s,
                               uint64_t time_ns)
{
    if (!s->started) {
        s->started = true;
        trace->counts.first_ns = time_ns;
        s->base_ns = 0 - time_ns;
    } else if (time_ns + STEP_BACK_NS < s->last_ns) {
        trace->counts.time_steps_back++;
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_RESTART,
                                               .size = s->last_ns - time_ns,
                                               .time_ns = trace->counts.span_ns,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
        s->base_ns += s->last_ns - time_ns;
        dma_events_restart(trace, s->text.dma, trace->counts.span_ns);
    } else if (time_ns < s->last_ns) {
        trace_note(trace, (struct bounce_note){.kind = BOUNCE_NOTE_TIME_BACK,
                                               .size = s->last_ns - time_ns,
                                               .time_ns = trace->counts.span_ns,
                                               .device = BOUNCE_NOTE_NO_DEVICE});
    }
    s->last_ns = time_ns;
    time_ns += s->base_ns;
    if ((int64_t)time_ns < 0)
        time_ns = 0; /* before the first record by jitter */
    if (time_ns > trace->counts.span_ns)
        trace->counts.span_ns = time_ns;
    return time_ns;
}

/* Whether an event of mappings is to be read before the view is settled. */
static bool wanted_unsettled(struct bounce_trace *trace, struct kernel_events *state,
                             const struct kernel_text_event *what)
{
    if (what->tells) {
        take_mappings(trace, state);
        return true;
    }
    if (state->hopeless)
        return false;
    if (state->bounced < UNSETTLED_BOUNCED)
        return true;
    state->hopeless = true;
    /* Without memory the next event finds out. */
    (void)drop_bounced(trace, state);
    return false;
}

enum bounce_status kernel_events_take(struct bounce_trace *trace, struct kernel_events *state,
                                      const struct kernel_line *line, struct bounce_error *error)
{
    const struct kernel_text_event *what = kernel_text_find(line->event, line->event_length);
    struct kernel_event event = {
        .cpu = (uint16_t)line->cpu, .level = line->level, .flat = line->flat};
    struct cursor args = line->args;
    int kind;

    trace->counts.records++;
    if (!what && (kind = block_event_kind(line->event, line->event_length)) >= 0)
        return on_block(trace, state, line, kind, error);
    if (!what || state->view == BLOCK ||
        (state->view == UNSETTLED && !wanted_unsettled(trace, state, what))) {
        trace->counts.other_events++;
        return BOUNCE_OK;
    }
    /* Another boot: what the first one left unanswered never will be. */
    if (state->view == UNSETTLED && state->started && line->time_ns + STEP_BACK_NS < state->last_ns)
        (void)drop_bounced(trace, state);
    if (!state->text.dma)
        return no_memory(trace, error);
    event.time_ns = continued_time(trace, state, line->time_ns);
    switch (args.at < args.end && *args.at == '[' && SCAN_LITERAL(&args, KERNEL_RAW)
                ? kernel_raw_take(trace, &state->text, what, args, &event)
                : what->handle(trace, &state->text, &args, &event)) {
    case KERNEL_BAD:
        return bad_event(trace, error);
    case KERNEL_NO_ROOM:
        return no_memory(trace, error);
    case KERNEL_COHERENT:
        trace->counts.coherent_events++;
        state->coherent++;
        break;
    case KERNEL_TAKEN:
        state->bounced++;
        break;
    }
    return BOUNCE_OK;
}

void kernel_events_lost(struct bounce_trace *trace, struct kernel_events *state, uint64_t cpu,
                        uint64_t count)
{
    trace_lost(trace, count);
    if (state->view == MAPPINGS && state->started && state->text.dma)
        dma_events_lost(trace, state->text.dma, (uint16_t)cpu, count, trace->counts.span_ns);
}

enum bounce_status kernel_events_release(struct bounce_trace *trace, struct kernel_events *state,
                                         struct bounce_error *error)
{
    enum bounce_status status;

    if (state->view != BLOCK)
        return BOUNCE_END;
    status = block_events_release(trace, state->block, false);
    return status == BOUNCE_NO_MEMORY ? no_memory(trace, error) : status;
}

void kernel_events_settle(struct bounce_trace *trace, struct kernel_events *state)
{
    dma_events_settle(trace, state->text.dma);
}

enum bounce_status kernel_events_finish(struct bounce_trace *trace, struct kernel_events *state,
                                        struct bounce_error *error)
{
    enum bounce_status status;

    if (state->view == UNSETTLED && (state->nrequests || state->bad_events)) {
        status = take_block(trace, state, error);
        if (status)
            return status;
    }
    if (state->view == UNSETTLED && (state->hopeless || state->bounced))
        return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                             "swiotlb_bounced events, but neither dma events, which Linux has "
                             "since 6.12, nor block events; they tell nothing of when a buffer "
                             "is free again: record block:* too");
    if (state->view == BLOCK) {
        status = block_events_release(trace, state->block, true);
        return status == BOUNCE_NO_MEMORY ? no_memory(trace, error) : status;
    }
    if (!state->text.dma)
        return no_memory(trace, error);
    dma_events_finish(trace, state->text.dma);
    return BOUNCE_END;
}

enum bounce_status kernel_events_format_open(struct bounce_trace *trace, struct bounce_error *error)
{
    trace->state = kernel_events_create(trace);
    return trace->state ? BOUNCE_OK : bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "out of memory");
}

void kernel_events_format_settle(struct bounce_trace *trace)
{
    kernel_events_settle(trace, trace->state);
}

void kernel_events_format_close(struct bounce_trace *trace)
{
    kernel_events_destroy(trace->state);
}
