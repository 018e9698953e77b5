/* SPDX-License-Identifier: Apache-2.0 */
/* What exposure keeps a slot, by address. Slots come in chunks of 256 KiB that are made when the
 * first of them is used. */
#ifndef REPLAY_SLOT_TABLE_H
#define REPLAY_SLOT_TABLE_H

#include "slot_bytes.h"

#define CHUNK_SLOTS 128u

enum view { DIRECT, UNTRUSTED, VIEWS };

/* A live mapping, kept at its first slot. */
struct live {
    uint32_t offset; /* of the address returned, in bytes from the first slot */
    uint32_t size;   /* 1..256 KiB */
    uint16_t device;
    uint8_t granule_shift;
    uint8_t exposed; /* counted as untrusted_exposed_mappings */
};

struct slot {
    struct slot_bytes written[VIEWS]; /* not clean: own bytes of the mappings so far */
    uint8_t nslots;                   /* of the mapping it belongs to; 0: free */
    uint8_t back;                     /* slots to that mapping's first one */
    struct live live;
};

_Static_assert(sizeof(struct slot) == 32, "as bounce/exposure.h says");

struct chunk {
    uint64_t number; /* address / 256 KiB */
    struct slot slots[CHUNK_SLOTS];
};

/* A hash table, a power of two in size and at most half full. All zero: empty. */
struct slot_table {
    struct chunk **chunks;
    size_t room;
    size_t nchunks;
    struct chunk *last; /* the one looked up last */
};

/* The slot that holds the address; NULL when its chunk was never made. */
struct slot *slot_table_at(struct slot_table *table, uint64_t addr);

/* Makes the chunk of that address if need be, all zero. False: no memory. */
bool slot_table_make(struct slot_table *table, uint64_t addr);

void slot_table_clear(struct slot_table *table);
size_t slot_table_memory(const struct slot_table *table);

#endif
