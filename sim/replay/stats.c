/* SPDX-License-Identifier: Apache-2.0 */
#include "bounce/stats.h"

#define ROW(section, name, kind, worse, unit, meaning)                                             \
    {#section,                                                                                     \
     #name,                                                                                        \
     BOUNCE_STAT_##kind,                                                                           \
     BOUNCE_WORSE_##worse,                                                                         \
     unit,                                                                                         \
     meaning,                                                                                      \
     offsetof(struct bounce_stats, section##_##name)},

static const struct bounce_stat_info rows[] = {BOUNCE_STATS(ROW)};

const struct bounce_stat_info *bounce_stat_at(size_t index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}
