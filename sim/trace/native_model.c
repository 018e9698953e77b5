/* SPDX-License-Identifier: Apache-2.0 */
#include "native.h"

#include <stdlib.h>
#include <string.h>

void native_model_reset(struct native_model *model, uint64_t time)
{
    model->block++;
    model->nprofiles = 0;
    model->time = time;
    model->seq = 0;
    model->id = UINT64_MAX;
    model->begun = 0;
    model->newest = BOUNCE_HELD_MAX - 1;
    model->nfree = 0;
    for (unsigned lane = 0; lane < NATIVE_LANES; lane++) {
        model->tlb[lane] = 0;
        model->list[lane] = 0;
    }
}

bool native_model_reserve(struct native_model *model, uint32_t handle)
{
    uint32_t room = model->room ? model->room : 2 * BOUNCE_HELD_MAX;
    struct native_known *more;

    if (handle < model->room)
        return true;
    while (room <= handle)
        room *= 2;
    more = realloc(model->known, room * sizeof(*more));
    if (!more)
        return false;
    memset(more + model->room, 0, (room - model->room) * sizeof(*more));
    model->known = more;
    model->room = room;
    return true;
}
