/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a slot, and what must be gone where nothing explains a record. */
#include "order_state.h"

void order_note_handle(struct bounce_order *order, uint64_t tlb_addr, uint32_t handle)
{
    uint64_t slot = (tlb_addr - order->first_start) >> BOUNCE_SLOT_SHIFT;

    if (slot < order->default_nslabs)
        order->newest[slot] = handle;
}

static void drop(struct bounce_order *order, uint64_t place, uint32_t handle)
{
    struct step *step = step_at(order, order->log_tail++);
    struct placed *p = &order->placed[handle];

    *step = (struct step){.place = place,
                          .kind = STEP_DROP,
                          .handle = handle,
                          .tlb_addr = p->tlb_addr,
                          .orig_addr = p->orig_addr,
                          .size = p->size,
                          .device = p->device,
                          .hidden = p->hidden,
                          .fixed = true};
    order->log_base = order->log_tail;
    order->stats.conflicts += !p->hidden;
    bounce_swiotlb_unmap(order->mem, &order->devices[p->device], p->tlb_addr);
    p->live = false;
}

/* Which of them has that address. */
static uint32_t handle_at(const struct bounce_order *order, uint64_t tlb_addr)
{
    uint64_t slot = (tlb_addr - order->first_start) >> BOUNCE_SLOT_SHIFT;
    uint32_t handle = slot < order->default_nslabs ? order->newest[slot] : 0;

    if (order->placed[handle].live && order->placed[handle].tlb_addr == tlb_addr)
        return handle;
    for (handle = 0; handle < order->room; handle++)
        if (order->placed[handle].live && order->placed[handle].tlb_addr == tlb_addr)
            return handle;
    return NO_HANDLE;
}

/* Whoever holds slots of the recorded address must have been freed: by an unmap a little later, or
 * by one that was lost. */
void order_clear_slots(struct bounce_order *order, uint64_t place, bool hidden_only)
{
    const struct bounce_event *map = &held_at(order, place)->event;
    uint64_t low = (map->tlb_addr & ~SLOT_MASK) - order_pad_of(order, map),
             high = map->tlb_addr + map->size;

    for (uint64_t addr = low; addr < high; addr += SLOT_MASK + 1) {
        uint64_t holder = bounce_swiotlb_holder(order->mem, addr);
        uint32_t handle = holder ? handle_at(order, holder) : NO_HANDLE;

        if (handle != NO_HANDLE && (!hidden_only || order->placed[handle].hidden))
            drop(order, place, handle);
    }
}
