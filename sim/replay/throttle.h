/* SPDX-License-Identifier: Apache-2.0 */
/* Throttling between the trace and the replay: which events happen now, and which later. */
#ifndef REPLAY_THROTTLE_H
#define REPLAY_THROTTLE_H

#include "bounce/replay.h"

struct throttle;

/* Marks in percent of `nslabs`; the names in `config` are copied. BOUNCE_INVALID, BOUNCE_NO_MEMORY.
 */
enum bounce_status throttle_create(const struct bounce_throttle_config *config, uint64_t nslabs,
                                   struct bounce_replay *replay, struct throttle **out,
                                   struct bounce_error *error);
void throttle_destroy(struct throttle *throttle);

/* bounce_replay_run(), with events as they would have come. */
enum bounce_status throttle_run(struct throttle *throttle, const struct bounce_device *devices,
                                const struct bounce_event *events, size_t count);

/* Nothing more comes: what was put off happens. Who then still waits would wait for ever. */
enum bounce_status throttle_finish(struct throttle *throttle, const struct bounce_device *devices);

void throttle_stats(const struct throttle *throttle, struct bounce_stats *stats);

/* ---- of replay.c ---- */

/* One event, now. */
enum bounce_status replay_apply(struct bounce_replay *replay, const struct bounce_device *devices,
                                const struct bounce_event *event);

/* Whether a map goes to the pool. */
bool replay_bounces(const struct bounce_replay *replay, const struct bounce_device *device,
                    const struct bounce_event *event);

#endif
