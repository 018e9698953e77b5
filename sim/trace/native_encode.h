/* SPDX-License-Identifier: Apache-2.0 */
/* One event as the bytes of a block. */
#ifndef TRACE_NATIVE_ENCODE_H
#define TRACE_NATIVE_ENCODE_H

#include "native.h"

#define PROFILE_SLOTS 4096u /* hash table, a power of two */

struct native_encoder {
    uint64_t unit_ns;
    uint16_t profile_slots[PROFILE_SLOTS]; /* profile + 1 */
    struct native_model model;
    struct native_model checked; /* what is live; its guesses are not used */
};

/* A block begins. */
void native_encoder_reset(struct native_encoder *c, uint64_t time_ns, uint64_t unit_ns);
void native_encoder_free(struct native_encoder *c);

/* Whether the block takes another event, whatever it is. */
static inline bool native_encoder_has_room(const struct native_encoder *c)
{
    return c->model.nprofiles < NATIVE_PROFILES;
}

/* Returns where the next one goes, at most NATIVE_EVENT_MAX bytes further; NULL without memory. */
unsigned char *native_encode(struct native_encoder *c, unsigned char *p,
                             const struct bounce_event *e);

/* NULL, or why no reader would take the event; follows what is live, so ask once for each. */
const char *native_unfit(struct native_encoder *c, const struct bounce_event *e, size_t ndevices,
                         uint8_t level);

#endif
