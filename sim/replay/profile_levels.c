/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_levels.h"

void level_average(struct level *level, uint64_t span_ns)
{
    if (level->since_ns < span_ns)
        level_advance(level, span_ns);
    if (!span_ns)
        return;
    level->seen.maps_mean = (double)level->maps / (double)span_ns;
    level->seen.bytes_mean = (double)level->bytes / (double)span_ns;
    level->seen.slots_mean = (double)level->slots / (double)span_ns;
}

static void count_burst(struct bounce_burst *burst, uint64_t now_ns, uint64_t bytes, uint64_t slots)
{
    uint64_t index = now_ns / burst->window_ns;

    if (index != burst->index) {
        burst->index = index;
        burst->maps = burst->bytes = burst->slots = 0;
    }
    burst->maps++;
    burst->bytes += bytes;
    burst->slots += slots;
    if (burst->maps > burst->maps_peak) {
        burst->maps_peak = burst->maps;
        burst->maps_peak_ns = index * burst->window_ns;
    }
    if (burst->bytes > burst->bytes_peak)
        burst->bytes_peak = burst->bytes;
    if (burst->slots > burst->slots_peak)
        burst->slots_peak = burst->slots;
}

void bursts_count(struct bounce_burst *bursts, uint64_t now_ns, uint64_t bytes, uint64_t slots)
{
    for (unsigned i = 0; i < BOUNCE_BURSTS; i++)
        count_burst(&bursts[i], now_ns, bytes, slots);
}
