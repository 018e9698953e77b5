/* SPDX-License-Identifier: Apache-2.0 */
/* A set of bytes within one slot, exact. Nearly always it is one interval: 8 bytes then. A set with
 * holes has a bit map of 256 bytes from the arena, given back as soon as the holes are gone. */
#ifndef REPLAY_SLOT_BYTES_H
#define REPLAY_SLOT_BYTES_H

#include "bounce/boot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_BYTES      (1u << BOUNCE_SLOT_SHIFT)
#define SLOT_WORDS      (SLOT_BYTES / 64)
#define NO_BITMAP       0u
#define BITMAPS_A_BLOCK 128u

struct slot_bytes {
    uint16_t begin, end; /* hull; empty when begin == end */
    uint32_t bitmap;     /* NO_BITMAP: all of the hull */
};

struct bitmap_block {
    uint64_t words[BITMAPS_A_BLOCK][SLOT_WORDS];
};

/* Bit maps by number, from 1 on. */
struct bitmap_arena {
    struct bitmap_block **blocks;
    uint32_t nblocks;
    uint32_t made;  /* numbers handed out so far */
    uint32_t freed; /* head of the list of those given back */
};

void bitmap_arena_destroy(struct bitmap_arena *arena);
size_t bitmap_arena_memory(const struct bitmap_arena *arena);

/* Bytes of the set in [begin, end), which is within 0..SLOT_BYTES. */
uint32_t slot_bytes_count(const struct bitmap_arena *arena, const struct slot_bytes *set,
                          uint32_t begin, uint32_t end);

/* Adds or removes [begin, end). False: no memory for a bit map, the set is as it was. */
bool slot_bytes_add(struct bitmap_arena *arena, struct slot_bytes *set, uint32_t begin,
                    uint32_t end);
bool slot_bytes_remove(struct bitmap_arena *arena, struct slot_bytes *set, uint32_t begin,
                       uint32_t end);

#endif
