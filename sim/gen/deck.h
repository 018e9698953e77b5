/* SPDX-License-Identifier: Apache-2.0 */
/* Draws from the histograms of a stream's loads without putting back: by the time as many have been
 * drawn as the histograms hold, all of them have come up as often as they were recorded, however
 * much longer than in the recording the stream stays in one load. */
#ifndef GEN_DECK_H
#define GEN_DECK_H

#include "bounce/gen.h"

struct deck {
    const struct bounce_dist *dist;
    uint64_t *left; /* by bin; NULL: no histogram */
    uint64_t total;
};

struct decks {
    struct deck *decks; /* by load */
    size_t count;
};

/* `first` is that distribution of the first of `count` loads. False without memory. */
bool decks_create(struct decks *decks, const struct bounce_dist *first, size_t count);
void decks_free(struct decks *decks);

/* For load number `load`; once its own is used up, of the nearest one, lower ones first. False when
 * no load has anything to draw from. */
bool decks_draw(struct decks *decks, size_t load, struct bounce_random *random, uint64_t *value);

#endif
