/* SPDX-License-Identifier: Apache-2.0 */
/* Maps that the pool did not serve. */
#include "replay_state.h"

void failure_count(struct bounce_replay *replay, const struct bounce_event *event,
                   const struct bounce_map_request *request, const struct bounce_map_result *result)
{
    struct bounce_stats *stats = &replay->stats;
    struct bounce_pressure pressure;

    stats->events_failed_maps++;
    stats->events_lockups += result->outcome == BOUNCE_MAP_LOCKUP;
    stats->events_unreachable += result->outcome == BOUNCE_MAP_UNREACHABLE;
    if (result->outcome != BOUNCE_MAP_FULL && result->outcome != BOUNCE_MAP_OVERSIZE)
        return;
    stats->events_full++;
    bounce_swiotlb_pressure(replay->dma.mem, request, event->kind == BOUNCE_EVENT_ALLOC, &pressure);
    if (recorded_denies(replay, event))
        pressure.cause = BOUNCE_CAUSE_UNEXPLAINED;
    switch (pressure.cause) {
    case BOUNCE_CAUSE_NO_POOL:
        stats->full_by_cause_no_pool++;
        break;
    case BOUNCE_CAUSE_OVERSIZE:
        stats->full_by_cause_oversize++;
        break;
    case BOUNCE_CAUSE_EXHAUSTED:
        stats->full_by_cause_exhausted++;
        break;
    case BOUNCE_CAUSE_AREA_LIMITED:
        stats->full_by_cause_area_limited++;
        break;
    case BOUNCE_CAUSE_FRAGMENTED:
        stats->full_by_cause_fragmented++;
        break;
    case BOUNCE_CAUSE_ALIGNMENT:
        stats->full_by_cause_alignment++;
        break;
    case BOUNCE_CAUSE_ATOMIC_POOL:
        stats->full_by_cause_atomic_pool++;
        break;
    case BOUNCE_CAUSE_UNEXPLAINED:
        stats->full_by_cause_unexplained++;
        break;
    case BOUNCE_CAUSE_NONE:
    case BOUNCE_CAUSE_COUNT:
        break;
    }
    if (replay->hooks.full)
        replay->hooks.full(replay->hooks.context, event, result, &pressure);
}
