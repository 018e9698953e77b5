/* SPDX-License-Identifier: Apache-2.0 */
#include "records_ahead.h"

#include <stdlib.h>

#define AHEAD_PLACES (RECORDS_WINDOW + 16u)
#define AHEAD_CHAIN  256u

bool ahead_create(struct ahead *ahead)
{
    ahead->free_places = malloc(AHEAD_PLACES * sizeof(*ahead->free_places));
    if (!ahead->free_places)
        return false;
    for (uint32_t place = AHEAD_PLACES; place-- > 0;)
        ahead->free_places[ahead->nplaces++] = place;
    return true;
}

void ahead_free(struct ahead *ahead)
{
    index_free(&ahead->by_key);
    free(ahead->free_places);
}

enum bounce_status ahead_add(struct ahead *ahead, struct record *record)
{
    if (!ahead->nplaces || record->key == NO_KEY)
        return BOUNCE_OK;
    record->ahead = 2 * ahead->free_places[--ahead->nplaces];
    record->ahead += record->event.kind == BOUNCE_EVENT_COMPLETE;
    return index_insert(&ahead->by_key, record->key, record->ahead);
}

void ahead_remove(struct ahead *ahead, const struct record *record)
{
    index_remove(&ahead->by_key, record->key, record->ahead);
    ahead->free_places[ahead->nplaces++] = record->ahead / 2;
}

bool ahead_all_end(const struct ahead *ahead, const struct index *live, uint64_t key)
{
    uint32_t begun = 1, ends = 0, looked = 0;

    for (uint32_t v = index_find(live, key); v != INDEX_NONE && looked < AHEAD_CHAIN;
         v = index_find_next(live, v), looked++)
        begun++;
    for (uint32_t v = index_find(&ahead->by_key, key); v != INDEX_NONE && looked < AHEAD_CHAIN;
         v = index_find_next(&ahead->by_key, v), looked++) {
        ends += v % 2;
        begun += v % 2 == 0;
    }
    return looked < AHEAD_CHAIN && ends >= begun;
}
