/* SPDX-License-Identifier: Apache-2.0 */
#include "slot_table.h"

#include <stdlib.h>

#define CHUNK_SHIFT (BOUNCE_SLOT_SHIFT + 7)

static struct chunk **place_of(struct chunk **chunks, size_t room, uint64_t number)
{
    size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (room - 1);

    while (chunks[i] && chunks[i]->number != number)
        i = (i + 1) & (room - 1);
    return &chunks[i];
}

struct slot *slot_table_at(struct slot_table *table, uint64_t addr)
{
    uint64_t number = addr >> CHUNK_SHIFT;

    if (!table->last || table->last->number != number) {
        struct chunk *found = table->room ? *place_of(table->chunks, table->room, number) : NULL;

        if (!found)
            return NULL;
        table->last = found;
    }
    return &table->last->slots[(addr >> BOUNCE_SLOT_SHIFT) & (CHUNK_SLOTS - 1)];
}

static bool grow(struct slot_table *table)
{
    size_t room = table->room ? 2 * table->room : 64;
    struct chunk **chunks = calloc(room, sizeof(struct chunk *));

    if (!chunks)
        return false;
    for (size_t i = 0; i < table->room; i++)
        if (table->chunks[i])
            *place_of(chunks, room, table->chunks[i]->number) = table->chunks[i];
    free(table->chunks);
    table->chunks = chunks;
    table->room = room;
    return true;
}

bool slot_table_make(struct slot_table *table, uint64_t addr)
{
    struct chunk *chunk;

    if (slot_table_at(table, addr))
        return true;
    if (2 * (table->nchunks + 1) > table->room && !grow(table))
        return false;
    chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return false;
    chunk->number = addr >> CHUNK_SHIFT;
    *place_of(table->chunks, table->room, chunk->number) = chunk;
    table->nchunks++;
    return true;
}

void slot_table_clear(struct slot_table *table)
{
    for (size_t i = 0; i < table->room; i++)
        free(table->chunks[i]);
    free(table->chunks);
    *table = (struct slot_table){0};
}

size_t slot_table_memory(const struct slot_table *table)
{
    return table->room * sizeof(struct chunk *) + table->nchunks * sizeof(struct chunk);
}
