/* SPDX-License-Identifier: Apache-2.0 */
#include "deck.h"

#include "dist.h"

#include <stdlib.h>

static void fill(struct deck *deck)
{
    uint64_t before = 0;

    for (size_t i = 0; i < deck->dist->nbins; i++) {
        deck->left[i] = deck->dist->bins[i].count - before;
        before = deck->dist->bins[i].count;
    }
    deck->total = before;
}

bool decks_create(struct decks *decks, const struct bounce_dist *first, size_t count)
{
    decks->decks = calloc(count, sizeof(*decks->decks));
    if (!decks->decks)
        return false;
    decks->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct bounce_dist *dist =
            (const struct bounce_dist *)(const void *)((const char *)first +
                                                       i * sizeof(struct bounce_gen_load));

        decks->decks[i].dist = dist;
        if (dist->kind != BOUNCE_DIST_VALUES || dist_is_empty(dist))
            continue;
        decks->decks[i].left = malloc(dist->nbins * sizeof(uint64_t));
        if (!decks->decks[i].left)
            return false;
        fill(&decks->decks[i]);
    }
    return true;
}

void decks_free(struct decks *decks)
{
    for (size_t i = 0; i < decks->count; i++)
        free(decks->decks[i].left);
    free(decks->decks);
}

static uint64_t take(struct deck *deck, struct bounce_random *random)
{
    uint64_t wanted = bounce_random_below(random, deck->total);
    size_t i = 0;

    while (wanted >= deck->left[i])
        wanted -= deck->left[i++];
    deck->left[i]--;
    deck->total--;
    return deck->dist->bins[i].value;
}

static struct deck *nearest(struct decks *decks, size_t load)
{
    for (size_t i = load + 1; i-- > 0;)
        if (decks->decks[i].left && decks->decks[i].total)
            return &decks->decks[i];
    for (size_t i = load + 1; i < decks->count; i++)
        if (decks->decks[i].left && decks->decks[i].total)
            return &decks->decks[i];
    return NULL;
}

bool decks_draw(struct decks *decks, size_t load, struct bounce_random *random, uint64_t *value)
{
    struct deck *deck;

    if (!decks->count)
        return false;
    deck = &decks->decks[load];
    if (!deck->left && !dist_is_empty(deck->dist)) {
        *value = bounce_dist_draw(deck->dist, random);
        return true;
    }
    deck = nearest(decks, load);
    if (!deck) { /* all have come up: once more */
        for (size_t i = 0; i < decks->count; i++)
            if (decks->decks[i].left)
                fill(&decks->decks[i]);
        deck = nearest(decks, load);
    }
    if (!deck)
        return false;
    *value = take(deck, random);
    return true;
}
