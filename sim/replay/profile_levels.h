/* SPDX-License-Identifier: Apache-2.0 */
/* How much is mapped at a time, and how much comes in an interval. */
#ifndef REPLAY_PROFILE_LEVELS_H
#define REPLAY_PROFILE_LEVELS_H

#include "bounce/profile.h"

__extension__ typedef unsigned __int128 wide; /* bytes times nanoseconds */

/* With the time-weighted sums behind its means. */
struct level {
    struct bounce_level seen;
    uint64_t since_ns; /* up to here the sums go */
    wide maps;
    wide bytes;
    wide slots;
};

/* Times never go back. */
static inline void level_advance(struct level *level, uint64_t now_ns)
{
    uint64_t passed = now_ns - level->since_ns;

    level->maps += (wide)level->seen.maps * passed;
    level->bytes += (wide)level->seen.bytes * passed;
    level->slots += (wide)level->seen.slots * passed;
    level->since_ns = now_ns;
}

/* One more mapping or request of so many bytes and slots. */
static inline void level_raise(struct level *level, uint64_t now_ns, uint64_t bytes, uint64_t slots)
{
    struct bounce_level *seen = &level->seen;

    level_advance(level, now_ns);
    seen->maps++;
    seen->bytes += bytes;
    seen->slots += slots;
    if (seen->maps > seen->maps_peak)
        seen->maps_peak = seen->maps;
    if (seen->bytes > seen->bytes_peak)
        seen->bytes_peak = seen->bytes;
    if (seen->slots > seen->slots_peak) {
        seen->slots_peak = seen->slots;
        seen->slots_peak_ns = now_ns;
    }
}

/* One less. */
static inline void level_lower(struct level *level, uint64_t now_ns, uint64_t bytes, uint64_t slots)
{
    level_advance(level, now_ns);
    level->seen.maps--;
    level->seen.bytes -= bytes;
    level->seen.slots -= slots;
}

/* Sets the means over the span. */
void level_average(struct level *level, uint64_t span_ns);

/* One more in the present intervals of all BOUNCE_BURSTS. */
void bursts_count(struct bounce_burst *bursts, uint64_t now_ns, uint64_t bytes, uint64_t slots);

#endif
