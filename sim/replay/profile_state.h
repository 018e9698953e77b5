/* SPDX-License-Identifier: Apache-2.0 */
/* A profile from the inside, for the files that make it up. */
#ifndef REPLAY_PROFILE_STATE_H
#define REPLAY_PROFILE_STATE_H

#include "profile_levels.h"

#include "bounce/swiotlb.h"

#define DIRS         4u
#define PAGE_MASK_4K UINT64_C(0xfff)

/* A mapping or a request. */
struct live {
    uint64_t since_ns;
    uint64_t size;
    uint64_t slots;
    uint32_t pieces; /* of the list that it begins, or 1; 0: not the first of its list */
    uint16_t device;
    uint8_t dir;
    uint8_t load; /* of its stream when it began */
    bool is_live;
    bool held; /* from before the trace */
};

/* Requests of assumed length, in the order of their ends. */
struct service {
    struct live *ring;
    uint32_t room;
    uint32_t head;
    uint32_t count;
};

struct device_profile {
    struct level level;
    struct bounce_profile_stream *streams[DIRS]; /* NULL: nothing in that direction */
};

struct bounce_profile {
    struct bounce_profile_config config;
    struct bounce_profile_totals totals;
    struct level level;
    uint64_t now_ns;
    struct device_profile *devices;
    size_t ndevices;
    struct live *live; /* by handle */
    uint32_t room;
    uint64_t *cpus; /* maps of each */
    uint32_t ncpus;
    struct service service;
};

/* ---- profile.c ---- */

/* The stream, made if need be; NULL without memory. */
struct bounce_profile_stream *profile_stream(struct bounce_profile *p, uint16_t device,
                                             uint8_t dir);

/* What is live under the handle; NULL without memory. Valid until the next call. */
struct live *profile_live(struct bounce_profile *p, uint32_t handle);

/* ---- profile_live.c: what begins and ends; BOUNCE_NO_MEMORY ---- */

/* Counts a mapping or request that begins, whatever comes of it. */
enum bounce_status profile_count(struct bounce_profile *p, struct bounce_profile_stream *stream,
                                 const struct bounce_event *event, uint64_t slots);

/* It is live from now on; its stream is there. Sets its load if it begins an operation. */
enum bounce_status profile_begin(struct bounce_profile *p, struct live *l);

/* It is not; nothing happens if it was not. `seen`: its end is in the trace. */
enum bounce_status profile_end(struct bounce_profile *p, struct live *l, bool seen);

/* ---- profile_maps.c ---- */

enum bounce_status profile_map(struct bounce_profile *p, const struct bounce_device *devices,
                               const struct bounce_event *event);

/* ---- profile_requests.c ---- */

enum bounce_status profile_issue(struct bounce_profile *p, const struct bounce_device *devices,
                                 const struct bounce_event *event);

/* Ends those whose assumed length is over by then; now_ns stays, or becomes the last end. */
enum bounce_status profile_serve(struct bounce_profile *p, uint64_t until_ns);

/* All of them have ended without an end that counts. */
enum bounce_status profile_drop_service(struct bounce_profile *p);

/* Slots of a buffer that begins at a slot. */
static inline uint64_t rounded_slots(uint64_t size)
{
    return (size >> BOUNCE_SLOT_SHIFT) +
           ((size & ((UINT64_C(1) << BOUNCE_SLOT_SHIFT) - 1)) ? 1 : 0);
}

#endif
